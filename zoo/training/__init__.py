"""Training and evaluation of any NNX module that takes a batch and returns logits."""

from zoo.training.config import TrainingConfig
from zoo.training.devices import split_cpu
from zoo.training.evaluation import Evaluation, evaluate, predict, predictor
from zoo.training.features import cached_features
from zoo.training.history import Epoch, History, columns
from zoo.training.jobs import Job
from zoo.training.labels import IndependentLabels, LabelPaths
from zoo.training.loop import FitResult, NonFiniteLossError, fit
from zoo.training.memory import keep_memory
from zoo.training.objective import Classification, Objective
from zoo.training.seeds import fit_jobs, fit_seeds
from zoo.training.vectors import widen_vectors

__all__ = [
    "Classification",
    "Epoch",
    "Evaluation",
    "FitResult",
    "History",
    "IndependentLabels",
    "Job",
    "LabelPaths",
    "NonFiniteLossError",
    "Objective",
    "TrainingConfig",
    "cached_features",
    "columns",
    "evaluate",
    "fit",
    "fit_jobs",
    "fit_seeds",
    "keep_memory",
    "predict",
    "predictor",
    "split_cpu",
    "widen_vectors",
]
