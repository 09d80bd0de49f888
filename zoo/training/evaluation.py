"""Predictions and exact figures over a whole split."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from zoo.data import Split, unit_range
from zoo.errors import ZooError, check_positive
from zoo.training.arrays import Weights, weights_of
from zoo.training.objective import cross_entropy

EVALUATION_BATCH = 256


class Evaluation(NamedTuple):
    """Mean cross-entropy and share of right answers."""

    loss: float
    accuracy: float


def logits_of(
    graphdef: nnx.GraphDef[nnx.Module],
    weights: Weights,
    x: jax.Array,
    preprocess: Callable[[jax.Array], jax.Array],
    batch_size: int,
) -> jax.Array:
    """Logits `[N, classes]` of a model in evaluation mode, a batch at a time, in one program.

    The last batch reaches back so far that it is full, and writes some rows once more with
    the same values. So every example has its one row, no padding is ever computed with, and
    one shape is compiled.
    """
    examples = x.shape[0]
    size = min(batch_size, examples)

    def forward(images: jax.Array) -> jax.Array:
        return nnx.merge(graphdef, *weights)(preprocess(images))

    def write_batch(i: jax.Array, logits: jax.Array) -> jax.Array:
        start = jnp.minimum(i * size, examples - size)
        batch = forward(lax.dynamic_slice_in_dim(x, start, size))
        return lax.dynamic_update_slice_in_dim(logits, batch, start, 0)

    shape = jax.eval_shape(forward, x[:size])
    empty = jnp.zeros((examples, *shape.shape[1:]), shape.dtype)
    return lax.fori_loop(0, -(-examples // size), write_batch, empty)


def loss_and_correct(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean cross-entropy, and the number of examples whose largest logit is their label."""
    correct = jnp.argmax(logits, axis=-1).astype(labels.dtype) == labels
    return jnp.mean(cross_entropy(logits, labels)), jnp.sum(correct)


_logits = partial(jax.jit, static_argnames=("graphdef", "preprocess", "batch_size"))(logits_of)


def predict(
    model: nnx.Module,
    x: np.ndarray,
    *,
    preprocess: Callable[[jax.Array], jax.Array] = unit_range,
    batch_size: int = EVALUATION_BATCH,
) -> np.ndarray:
    """Logits of every example, in evaluation mode; the model's own mode is left as it was.

    Args:
        model: takes a batch, returns logits.
        x: `[N, ...]`.
        preprocess: applied to each batch first; the default scales bytes to between 0 and 1.
        batch_size: examples computed at a time.

    Returns:
        `[N, classes]`.

    Raises:
        ZooError: no examples, or what the model says of their shape.
    """
    check_positive(batch_size=batch_size)
    if len(x) == 0:
        raise ZooError("x must have at least one example, got none.")
    model = nnx.clone(model)
    model.eval()
    logits = _logits(nnx.graphdef(model), weights_of(model), jnp.asarray(x), preprocess, batch_size)
    return np.asarray(logits)


def evaluate(
    model: nnx.Module,
    split: Split,
    *,
    preprocess: Callable[[jax.Array], jax.Array] = unit_range,
    batch_size: int = EVALUATION_BATCH,
) -> Evaluation:
    """Mean cross-entropy and accuracy over a split, every example counted exactly once.

    Arguments and errors as in `predict`.
    """
    x, y = split
    logits = predict(model, x, preprocess=preprocess, batch_size=batch_size)
    loss, correct = loss_and_correct(jnp.asarray(logits), jnp.asarray(y))
    return Evaluation(float(loss), int(correct) / len(y))
