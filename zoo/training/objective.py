"""What training makes small: cross-entropy and the penalties on weights."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from zoo.training.arrays import Arrays
from zoo.training.config import TrainingConfig

_NOT_PENALISED = ("bias", "beta", "gamma", "scale")


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
