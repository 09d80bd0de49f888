"""What must hold before a run starts, checked on the host where errors can be clear."""

import jax
import numpy as np
from flax import nnx

from zoo.data import Split
from zoo.errors import ZooError
from zoo.training.config import TrainingConfig
from zoo.training.evaluation import Preprocess
from zoo.training.objective import Objective
from zoo.training.program import Augment


def check_run(
    model: nnx.Module,
    train: Split,
    validation: Split | None,
    config: TrainingConfig,
    objective: Objective,
    preprocess: Preprocess,
    augment: Augment | None,
) -> None:
    """Raises a `ZooError` for data, model and options that do not fit together."""
    classes = _check_model(model, train, preprocess, augment)
    check_split("train", train, objective, classes)
    if validation is not None:
        check_split("validation", validation, objective, classes)
    if config.batch_size > len(train.y):
        raise ZooError(
            f"batch_size must not be larger than the training set of {len(train.y)} examples, "
            f"got {config.batch_size}."
        )
    if config.patience is not None and validation is None:
        raise ZooError("patience needs validation data to look at: pass validation.")
    objective.check_config(config, classes)


def check_split(name: str, split: Split, objective: Objective, classes: int) -> None:
    """Raises unless a split has examples, as many labels, finite values and known labels."""
    x, y = split
    if len(x) != len(y) or np.ndim(y) != objective.target_axes:
        raise ZooError(
            f"{name} must have one label for each example, got examples of shape {np.shape(x)} "
            f"and labels of shape {np.shape(y)}."
        )
    if len(y) == 0:
        raise ZooError(f"{name} must have at least one example, got none.")
    objective.check_targets(name, y, classes)
    if np.issubdtype(x.dtype, np.floating):
        finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
        if not finite.all():
            raise ZooError(
                f"{name} must be finite, got NaN or infinity in {np.sum(~finite)} examples, "
                f"the first at {np.argmin(finite)}."
            )


def _check_model(
    model: nnx.Module, train: Split, preprocess: Preprocess, augment: Augment | None
) -> int:
    """The number of classes, from the shape of the logits for one batch of two."""
    if not isinstance(model, nnx.Module):
        raise ZooError(f"model must be an nnx.Module, as zoo.create_model makes, got {model!r}.")
    batch = jax.ShapeDtypeStruct((2, *train.x.shape[1:]), train.x.dtype)
    if augment is not None:
        out = jax.eval_shape(augment, jax.random.key(0), batch)
        if out.shape[1:] != batch.shape[1:] or out.dtype != batch.dtype or out.shape[0] % 2:
            raise ZooError(
                f"augment must keep {batch.dtype} of shape [k · B, {str(batch.shape[1:])[1:-1]}], "
                f"got {out.dtype} of shape {out.shape} for B = 2."
            )
    model = nnx.clone(model)
    model.eval()
    logits = jax.eval_shape(lambda x: model(preprocess(x)), batch)
    if getattr(logits, "ndim", None) != 2 or logits.shape[0] != 2:
        raise ZooError(f"the model must return logits of shape [B, classes], got {logits}.")
    return int(logits.shape[1])
