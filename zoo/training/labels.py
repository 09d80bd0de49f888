"""Objectives for examples with several labels: one by one, or as a path.

The targets of both are boolean `[N, K]`: which of the `K` labels an example has.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zoo.errors import ZooError
from zoo.functional.batch_axis import drawn
from zoo.training.config import TrainingConfig
from zoo.training.objective import check_class_weights

Order = Literal["frequent_first", "rare_first", "random"]


def check_label_sets(name: str, y: np.ndarray, classes: int) -> None:
    """Raises unless `y` is boolean `[N, classes]`."""
    if y.dtype != np.bool_ or y.shape[1:] != (classes,):
        raise ZooError(
            f"labels of {name} must be boolean of shape [N, {classes}], whether an example has "
            f"each of the model's {classes} labels, got {y.dtype} of shape {y.shape}."
        )


@dataclass(frozen=True)
class IndependentLabels:
    """Each label told by a sigmoid of its own: binary cross-entropy, summed over the labels.

    A label counts as predicted where its logit is above 0, and an example as right where all
    its labels are.
    """

    target_axes: ClassVar[int] = 2

    def check_targets(self, name: str, y: np.ndarray, classes: int) -> None:
        """Targets are boolean `[N, classes]`."""
        check_label_sets(name, y, classes)

    def check_config(self, config: TrainingConfig, classes: int) -> None:
        """Class weights are one a label."""
        check_class_weights(config, classes)

    def outputs(self, model: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> jax.Array:  # noqa: ARG002
        """Logits `[B, K]`."""
        return model(x)

    def batch_loss(self, config: TrainingConfig, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """The mean of `losses`; a smoothed target is `1 − s / 2` or `s / 2`."""
        smoothing = config.label_smoothing
        targets = y.astype(outputs.dtype) * (1 - smoothing) + smoothing / 2
        losses = optax.sigmoid_binary_cross_entropy(outputs, targets)
        if config.class_weights is not None:
            losses = losses * jnp.asarray([config.class_weights], losses.dtype)
        return jnp.mean(jnp.sum(losses, axis=-1))

    def losses(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """`−Σ log P(label k is there, or not)` of each example."""
        losses = optax.sigmoid_binary_cross_entropy(outputs, y.astype(outputs.dtype))
        return jnp.sum(losses, axis=-1)

    def correct(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """Whether all labels of an example are right."""
        return jnp.all((outputs > 0) == y, axis=-1)


class PathOutputs(NamedTuple):
    """What the model says along the true paths, and what should follow there.

    `log_p [B, L + 1, K + 1]` with weights `targets` of the same shape, and the probability of each
    label to be in a path, `labels [B, K]`.
    """

    log_p: jax.Array
    targets: jax.Array
    labels: jax.Array


@dataclass(frozen=True)
class LabelPaths:
    """Labels as a path in a given order, closed by END: cross-entropy summed along the path.

    The model is called as `model(x, path)` with tokens `path [B, L]` (label numbers, and `K` for
    END after the last) and returns `log P(next token) [B, L + 1, K + 1]`, with every token
    predicted from the true ones before it, and `P(label) [B, K]` of its own search. An example
    counts as right where each step's most probable token is the right one: then, and only then,
    the greedy path is the true one.

    Args:
        order: all labels, the one that comes first in a path first. None is order-free
            training: every step of training draws a new order for each example, and any of the
            labels still to come is right, each with an equal share of the target.
            A set's probability is then spread over its orders: a search wants a wider beam, and
            its most probable path leans towards small sets.
        max_labels: `L`, the most labels an example has.
        label_weight: adds this times the binary cross-entropy of `P(label)`, summed over the
            labels. Along true paths a model never sees what follows from a label of its own that is
            wrong; through its search it does. A step then costs a search more.

    Source: Wang et al., 2016, https://arxiv.org/abs/1604.04573, for paths; `label_weight` is ours.
    """

    order: tuple[int, ...] | None
    max_labels: int
    label_weight: float = 0.0
    target_axes: ClassVar[int] = 2

    def __post_init__(self) -> None:
        weight = self.label_weight
        if not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise ZooError(f"label_weight must be a number, at least 0 and finite, got {weight!r}.")

    @classmethod
    def of(
        cls, y: np.ndarray, order: Order = "frequent_first", *, label_weight: float = 0.0
    ) -> "LabelPaths":
        """The objective for training targets `y [N, K]`, by how often each label is among them.

        Of labels that are equally frequent the lower number comes first.
        """
        if order not in ("frequent_first", "rare_first", "random"):
            raise ZooError(
                f"order must be 'frequent_first', 'rare_first' or 'random', got {order!r}."
            )
        check_label_sets("train", y, y.shape[-1])
        if len(y) == 0 or not y.any():
            raise ZooError(f"y must have at least one label, got none in {len(y)} examples.")
        counts = y.sum(axis=0)
        max_labels = int(y.sum(axis=1).max())
        if order == "random":
            return cls(None, max_labels, label_weight)
        sign = -1 if order == "frequent_first" else 1
        ranked = tuple(np.argsort(sign * counts, kind="stable").tolist())
        return cls(ranked, max_labels, label_weight)

    def check_targets(self, name: str, y: np.ndarray, classes: int) -> None:
        """Targets are boolean `[N, classes]`, with at most `max_labels` labels an example."""
        check_label_sets(name, y, classes)
        if self.order is not None and sorted(self.order) != list(range(classes)):
            raise ZooError(
                f"order must have each of the labels 0 to {classes - 1} once, got {self.order}."
            )
        most = int(y.sum(axis=1).max())
        if most > self.max_labels:
            raise ZooError(
                f"examples of {name} must have at most max_labels={self.max_labels} labels, got "
                f"{most} at example {int(y.sum(axis=1).argmax())}."
            )

    def check_config(self, config: TrainingConfig, classes: int) -> None:  # noqa: ARG002
        """There are neither class weights nor smoothing for paths."""
        if config.class_weights is not None or config.label_smoothing:
            raise ZooError(
                "class_weights and label_smoothing are not defined for label paths: leave them out."
            )

    def outputs(self, model: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> PathOutputs:
        """Calls the model along the true paths."""
        labels = y.shape[1]
        ranks = (
            drawn(partial(jax.random.uniform, key), y.shape)
            if self.order is None
            else jnp.argsort(jnp.asarray(self.order)).reshape(1, labels).astype(jnp.float32)
        )
        # What an example has comes first, by rank; what it has not comes last and becomes END.
        tokens = jnp.argsort(jnp.where(y, ranks, jnp.inf), axis=1)[:, : self.max_labels]
        count = jnp.sum(y, axis=1, keepdims=True)
        position = jnp.arange(self.max_labels + 1).reshape(1, -1)
        path = jnp.where(position[:, :-1] < count, tokens, labels)
        log_p, probabilities = model(x, path)
        targets = self._targets(y, path, count, position).astype(log_p.dtype)
        return PathOutputs(log_p, targets, probabilities)

    def _targets(
        self, y: jax.Array, path: jax.Array, count: jax.Array, position: jax.Array
    ) -> jax.Array:
        """Weights `[B, L + 1, K + 1]`, of sum 1 up to the step that closes the path, then 0."""
        labels = y.shape[1]
        closing = (position == count)[..., None]
        if self.order is None:
            taken = jnp.cumsum(jax.nn.one_hot(path, labels), axis=1)
            left = y[:, None] - jnp.pad(taken, ((0, 0), (1, 0), (0, 0)))
            following = left / jnp.maximum(jnp.sum(left, axis=-1, keepdims=True), 1)
        else:
            following = jnp.pad(jax.nn.one_hot(path, labels), ((0, 0), (0, 1), (0, 0)))
        return jnp.concatenate((following, closing), axis=-1)

    def batch_loss(self, config: TrainingConfig, outputs: PathOutputs, y: jax.Array) -> jax.Array:  # noqa: ARG002
        """The mean of `losses`, and `label_weight` times that of the labels' cross-entropy."""
        loss = jnp.mean(self.losses(outputs, y))
        if not self.label_weight:
            return loss
        # Of a label that no path of the search came to, P is 0, which has no logarithm.
        p = jnp.clip(outputs.labels, 1e-6, 1 - 1e-6)
        of_labels = -jnp.sum(jnp.where(y, jnp.log(p), jnp.log1p(-p)), axis=-1)
        return loss + self.label_weight * jnp.mean(of_labels)

    def losses(self, outputs: PathOutputs, y: jax.Array) -> jax.Array:  # noqa: ARG002
        """`−log P(path)`; without an order, each step has the mean over the labels to come."""
        return -jnp.sum(outputs.targets * outputs.log_p, axis=(1, 2))

    def correct(self, outputs: PathOutputs, y: jax.Array) -> jax.Array:  # noqa: ARG002
        """Whether the most probable token is a right one at every step up to END."""
        best = jnp.argmax(outputs.log_p, axis=-1, keepdims=True)
        right = jnp.take_along_axis(outputs.targets, best, axis=-1)[..., 0] > 0
        over = jnp.sum(outputs.targets, axis=-1) == 0
        return jnp.all(right | over, axis=-1)
