"""Training and evaluation of any NNX module that takes a batch and returns logits."""

from zoo.training.config import TrainingConfig
from zoo.training.evaluation import Evaluation, evaluate, predict
from zoo.training.features import cached_features
from zoo.training.history import Epoch, History, columns
from zoo.training.labels import IndependentLabels, LabelPaths
from zoo.training.loop import FitResult, NonFiniteLossError, fit
from zoo.training.objective import Classification, Objective
from zoo.training.seeds import fit_seeds

__all__ = [
    "Classification",
    "Epoch",
    "Evaluation",
    "FitResult",
    "History",
    "IndependentLabels",
    "LabelPaths",
    "NonFiniteLossError",
    "Objective",
    "TrainingConfig",
    "cached_features",
    "columns",
    "evaluate",
    "fit",
    "fit_seeds",
    "predict",
]
