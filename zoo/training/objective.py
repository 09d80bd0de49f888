"""What training makes small: cross-entropy and the penalties on weights.

An objective says how a model is called in training, what its targets are, and how far off its
outputs are. `Classification` is here; those for several labels are in `zoo.training.labels`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from zoo.errors import ZooError
from zoo.training.arrays import Arrays
from zoo.training.config import TrainingConfig

_NOT_PENALISED = ("bias", "beta", "gamma", "scale")


class Objective(Protocol):
    """How the outputs of a model are held against the targets of a split.

    An objective is a frozen dataclass: it is a part of compiled programs, and its `repr` is
    kept with a run's checkpoints.
    """

    @property
    def target_axes(self) -> int:
        """How many axes the targets of a split have."""

    def check_targets(self, name: str, y: np.ndarray, classes: int) -> None:
        """Raises a `ZooError` unless `y`, of a split called `name`, can be targets."""

    def check_config(self, config: TrainingConfig, classes: int) -> None:
        """Raises a `ZooError` for an option that this objective cannot follow."""

    def outputs(self, model: nnx.Module, x: jax.Array, y: jax.Array, key: jax.Array) -> Any:
        """Calls the model; a tree of arrays `[B, ...]`. `key` is for what is drawn by chance."""

    def batch_loss(self, config: TrainingConfig, outputs: Any, y: jax.Array) -> jax.Array:
        """The mean over a batch that training makes small, with the config's options."""

    def losses(self, outputs: Any, y: jax.Array) -> jax.Array:
        """The plain loss of each example, `[B]`, without options."""

    def correct(self, outputs: Any, y: jax.Array) -> jax.Array:
        """Which examples are answered rightly and wholly, `[B]`."""


@dataclass(frozen=True)
class Classification:
    """One label an example: softmax and cross-entropy."""

    target_axes: ClassVar[int] = 1

    def check_targets(self, name: str, y: np.ndarray, classes: int) -> None:
        """Labels are integers `[N]` from 0 to `classes - 1`."""
        if not np.issubdtype(y.dtype, np.integer):
            raise ZooError(f"labels of {name} must be integers, got {y.dtype}.")
        wrong = np.flatnonzero((y < 0) | (y >= classes))
        if len(wrong):
            raise ZooError(
                f"labels of {name} must be between 0 and {classes - 1} (the model has {classes} "
                f"classes), got {y[wrong[0]]} at example {wrong[0]}"
                f"{f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''}."
            )

    def check_config(self, config: TrainingConfig, classes: int) -> None:
        """Class weights are one a class."""
        check_class_weights(config, classes)

    def outputs(self, model: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> jax.Array:  # noqa: ARG002
        """Logits `[B, classes]`."""
        return model(x)

    def batch_loss(self, config: TrainingConfig, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """The mean cross-entropy, with label smoothing and class weights."""
        return batch_loss(config, outputs, y)

    def losses(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """The cross-entropy of each example."""
        return cross_entropy(outputs, y)

    def correct(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """Whether the largest logit is the label's."""
        return jnp.argmax(outputs, axis=-1).astype(y.dtype) == y


def check_class_weights(config: TrainingConfig, classes: int) -> None:
    """Raises unless there are no class weights, or one a class."""
    if config.class_weights is not None and len(config.class_weights) != classes:
        raise ZooError(
            f"class_weights must have one value for each of the {classes} classes, got "
            f"{len(config.class_weights)}."
        )


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """`−log softmax(logits)[label]` of each example: `[B, classes]` and `[B]` to `[B]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def batch_loss(config: TrainingConfig, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean over a batch, with label smoothing and class weights.

    A smoothed label puts `1 − s + s / classes` on its class and `s / classes` on the others.
    As in Keras, an example's loss is multiplied by its class's weight and the sum is divided
    by the number of examples, not by the sum of weights.
    """
    classes = logits.shape[-1]
    targets = optax.smooth_labels(
        jax.nn.one_hot(labels, classes, dtype=logits.dtype), config.label_smoothing
    )
    losses = optax.softmax_cross_entropy(logits, targets)
    if config.class_weights is not None:
        losses = losses * jnp.asarray(config.class_weights, losses.dtype)[labels]
    return jnp.mean(losses)


def penalised(params: Arrays) -> Any:
    """A tree of booleans like `params`: True for weights that decay and penalties apply to.

    Those are kernels and embeddings. Biases, and the scales and shifts of a normalisation,
    stay free, whatever their shape.
    """

    def is_penalised(path: tuple[Any, ...], _: jax.Array) -> bool:
        names = {str(getattr(entry, "key", getattr(entry, "name", entry))) for entry in path}
        return names.isdisjoint(_NOT_PENALISED)

    return jax.tree_util.tree_map_with_path(is_penalised, params)


def penalty(config: TrainingConfig, params: Arrays) -> jax.Array | float:
    """`l1 · Σ |w| + l2 · Σ w²` over the weights that `penalised` names."""
    if not config.l1 and not config.l2:
        return 0.0
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(penalised(params)), strict=True)
    return sum(
        config.l1 * jnp.sum(jnp.abs(weight)) + config.l2 * jnp.sum(jnp.square(weight))
        for weight, counts in pairs
        if counts
    )
