"""What must hold before a run starts, checked on the host where errors can be clear."""

from collections.abc import Sequence

import jax
import numpy as np
from flax import nnx

from zoo.data import Split
from zoo.errors import ZooError
from zoo.training.config import TrainingConfig
from zoo.training.functions import Augment, Preprocess
from zoo.training.objective import Objective

_SEEDS = 2**32  # as many as a random key takes


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
    check_arrays("train", train)
    if augment is not None:
        _check_augment(augment, train)
    classes = classes_of(model, train, preprocess)
    check_split("train", train, objective, classes)
    if validation is not None:
        check_arrays("validation", validation)
        check_split("validation", validation, objective, classes)
    if config.batch_size > len(train.y):
        raise ZooError(
            f"batch_size must not be larger than the training set of {len(train.y)} examples, "
            f"got {config.batch_size}."
        )
    if config.patience is not None and validation is None:
        raise ZooError("patience needs validation data to look at: pass validation.")
    objective.check_config(config, classes)


def check_seeds(seeds: Sequence[int]) -> None:
    """Raises unless there are seeds, all different and such as a random key takes."""
    if (
        not seeds
        or len(set(seeds)) != len(seeds)
        or not all(isinstance(seed, int | np.integer) and 0 <= seed < _SEEDS for seed in seeds)
    ):
        raise ZooError(
            f"seeds must be different whole numbers from 0 to {_SEEDS - 1}, got "
            f"{', '.join(map(repr, seeds)) or 'none'}."
        )


def check_arrays(name: str, split: Split) -> None:
    """Raises unless `split` is a `Split` of two arrays."""
    if not isinstance(split, Split) or not all(
        isinstance(array, np.ndarray | jax.Array) for array in split
    ):
        what = tuple(type(part).__name__ for part in split) if isinstance(split, tuple) else split
        raise ZooError(f"{name} must be a zoo.data.Split of two arrays x and y, got {what!r}.")


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


def _check_augment(augment: Augment, train: Split) -> None:
    """Raises unless an augmentation keeps the type and the shape of examples."""
    batch = _batch_of_two(train)
    out = jax.eval_shape(augment, jax.random.key(0), batch)
    if out.shape[1:] != batch.shape[1:] or out.dtype != batch.dtype or out.shape[0] % 2:
        raise ZooError(
            f"augment must keep {batch.dtype} of shape [k · B, {str(batch.shape[1:])[1:-1]}], "
            f"got {out.dtype} of shape {out.shape} for B = 2."
        )


def classes_of(model: nnx.Module, split: Split, preprocess: Preprocess) -> int:
    """The number of classes, from the shape of the logits for one batch of two.

    Raises:
        ZooError: the model is none, does not take such examples, or returns no logits.
    """
    if not isinstance(model, nnx.Module):
        raise ZooError(f"model must be an nnx.Module, as zoo.create_model makes, got {model!r}.")
    model = nnx.clone(model)
    model.eval()
    logits = jax.eval_shape(lambda x: model(preprocess(x)), _batch_of_two(split))
    if getattr(logits, "ndim", None) != 2 or logits.shape[0] != 2:
        raise ZooError(f"the model must return logits of shape [B, classes], got {logits}.")
    return int(logits.shape[1])


def _batch_of_two(split: Split) -> jax.ShapeDtypeStruct:
    # What the device will hold: float64 becomes float32 there.
    dtype = jax.dtypes.canonicalize_dtype(split.x.dtype)
    return jax.ShapeDtypeStruct((2, *split.x.shape[1:]), dtype)
