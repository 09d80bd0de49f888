"""Predictions and exact figures over a whole split."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from zoo.data import Split, unit_range
from zoo.errors import ZooError, check_positive
from zoo.functional.batch_axis import BATCH_AXIS, batch_is_cut
from zoo.training.arrays import Weights, weights_of
from zoo.training.checks import check_arrays, check_split, classes_of
from zoo.training.devices import BatchDevices, largest_divisor, predicting_devices
from zoo.training.functions import Preprocess
from zoo.training.objective import Classification, Objective

EVALUATION_BATCH = 256
# Examples of at least so many numbers are computed so many at a time, see `few_at_a_time`.
LARGE_ROW, AT_ONCE = 2**14, 8


class Evaluation(NamedTuple):
    """Mean loss (of a classifier: cross-entropy) and share of right answers."""

    loss: float
    accuracy: float


def few_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(x)` of `x [B, ...]`, on a CPU of large rows a few at a time.

    For functions of each row by itself: not for what is drawn for a whole batch.

    What layers make of a few large images stays in a cache, of many it does not. Milliseconds of a
    prediction of 32 images, two cores of an AMD EPYC, jax 0.10.2, in brackets with a device each:

    | model, images | all at once | 8 (4 a device) |
    | --- | --- | --- |
    | inception_a_gru, 299×299 | 882 (929) | 836 (774) |
    | 224×224 | 481 (518) | 401 (333) |
    | 149×149 | 216 (200) | 173 (132) |
    | 75×75 | 54 (32) | 32 (30) |
    | inception_v3, 299×299 | (1053) | (963) |
    | 160×160 | (237) | (236) |
    | cifar10_cnn, 64 of 32×32 | 4.7 (6.0) | 5.6 (5.2) |
    """

    def of_rows(x: jax.Array) -> Any:
        rows, *row = x.shape
        most = max(1, AT_ONCE // (lax.axis_size(BATCH_AXIS) if batch_is_cut() else 1))
        if rows <= most or math.prod(row) < LARGE_ROW or jax.default_backend() != "cpu":
            return function(x)
        few = largest_divisor(rows, most)
        outputs = lax.map(function, x.reshape(-1, few, *row))
        return jax.tree.map(lambda leaf: leaf.reshape(rows, *leaf.shape[2:]), outputs)

    return of_rows


def outputs_of(
    call: Callable[..., Any],
    graphdef: nnx.GraphDef[nnx.Module],
    weights: Weights,
    arrays: tuple[jax.Array, ...],
    batch_size: int,
    devices: BatchDevices,
) -> Any:
    """`call(model, *batch)` over `arrays`, each `[N, ...]`, a batch at a time, in one program.

    The model is in the mode of `graphdef`; the result is a tree of arrays `[N, ...]`.

    The last batch reaches back so far that it is full, and writes some rows once more with
    the same values. So every example has its one row, no padding is ever computed with, and
    one shape is compiled.
    """
    examples = arrays[0].shape[0]
    size = min(batch_size, examples)

    def forward_with(weights: Weights, *batch: jax.Array) -> Any:
        return call(nnx.merge(graphdef, *weights), *batch)

    forward = partial(devices.over_rows(forward_with), weights)

    def write_batch(i: jax.Array, outputs: Any) -> Any:
        start = jnp.minimum(i * size, examples - size)
        batch = forward(*(lax.dynamic_slice_in_dim(array, start, size) for array in arrays))
        return jax.tree.map(
            lambda all_, new: lax.dynamic_update_slice_in_dim(all_, new, start, 0), outputs, batch
        )

    shapes = jax.eval_shape(forward, *(array[:size] for array in arrays))
    empty = jax.tree.map(lambda leaf: jnp.zeros((examples, *leaf.shape[1:]), leaf.dtype), shapes)
    return lax.fori_loop(0, -(-examples // size), write_batch, empty)


def loss_and_correct(
    objective: Objective,
    graphdef: nnx.GraphDef[nnx.Module],
    weights: Weights,
    x: jax.Array,
    y: jax.Array,
    preprocess: Preprocess,
    batch_size: int,
    devices: BatchDevices,
) -> tuple[jax.Array, jax.Array]:
    """The mean loss over a split, and the number of examples that are answered rightly."""
    key = jax.random.key(0)

    def call(model: nnx.Module, x: jax.Array, y: jax.Array) -> Any:
        return objective.outputs(model, preprocess(x), y, key)

    outputs = outputs_of(call, graphdef, weights, (x, y), batch_size, devices)
    return jnp.mean(objective.losses(outputs, y)), jnp.sum(objective.correct(outputs, y))


_loss_and_correct = partial(
    jax.jit, static_argnames=("objective", "graphdef", "preprocess", "batch_size", "devices")
)(loss_and_correct)


@partial(jax.jit, static_argnames=("graphdef", "preprocess", "batch_size", "method", "devices"))
def _predictions(
    graphdef: nnx.GraphDef[nnx.Module],
    weights: Weights,
    x: jax.Array,
    preprocess: Preprocess,
    batch_size: int,
    method: str,
    devices: BatchDevices,
) -> Any:
    def call(model: nnx.Module, x: jax.Array) -> Any:
        return few_at_a_time(getattr(model, method))(preprocess(x))

    return outputs_of(call, graphdef, weights, (x,), batch_size, devices)


def _in_evaluation_mode(model: nnx.Module) -> tuple[nnx.GraphDef[nnx.Module], Weights]:
    model = nnx.clone(model)
    model.eval()
    return nnx.graphdef(model), weights_of(model)


def predict(
    model: nnx.Module,
    x: np.ndarray,
    *,
    preprocess: Preprocess = unit_range,
    batch_size: int = EVALUATION_BATCH,
    method: str = "__call__",
) -> Any:
    """Logits of every example, in evaluation mode; the model's own mode is left as it was.

    Args:
        model: takes a batch, returns logits.
        x: `[N, ...]`.
        preprocess: applied to each batch first; the default scales bytes to between 0 and 1.
        batch_size: examples computed at a time.
        method: what to call of the model instead of itself, e.g. `search` of a CNN-RNN.

    Returns:
        `[N, classes]`, or what `method` returns with all examples on the first axis of its arrays.

    Raises:
        ZooError: no examples, or what the model says of their shape.
    """
    check_positive(batch_size=batch_size)
    if len(x) == 0:
        raise ZooError("x must have at least one example, got none.")
    graphdef, weights = _in_evaluation_mode(model)
    devices = predicting_devices(model, min(batch_size, len(x)))
    arrays = devices.place((weights, jnp.asarray(x)))
    outputs = _predictions(graphdef, *arrays, preprocess, batch_size, method, devices)
    return jax.tree.map(np.asarray, outputs)


def predictor(
    model: nnx.Module,
    *,
    preprocess: Preprocess = unit_range,
    batch_size: int = 1,
) -> Callable[[Any], Any]:
    """A compiled function from a batch to the model's outputs, for many calls with little Python.

    It has the weights of now, in evaluation mode, as a bare list: taking a model or its state apart
    at each call takes longer than a small model (0.05 of 0.35 ms for `fashion_mnist_cnn`).

    Args:
        model: takes a batch, returns arrays with all examples on their first axis.
        preprocess: as in `predict`.
        batch_size: how many examples a call will have. Others are possible; this says over how
            many devices they are cut, see `predicting_devices`.

    Returns:
        A function of `x [B, ...]`, compiled once for each shape of `x`. Its outputs are JAX arrays,
        on their way: what looks at them waits for them.
    """
    check_positive(batch_size=batch_size)
    graphdef, weights = _in_evaluation_mode(model)
    devices = predicting_devices(model, batch_size)
    leaves, structure = jax.tree.flatten(devices.place(weights))

    def outputs(leaves: list[jax.Array], x: jax.Array) -> Any:
        evaluating: Any = nnx.merge(graphdef, *jax.tree.unflatten(structure, leaves))
        return few_at_a_time(evaluating)(preprocess(x))

    compiled = jax.jit(devices.over_rows(outputs))
    return lambda x: compiled(leaves, devices.place_rows(x))


def evaluate(
    model: nnx.Module,
    split: Split,
    *,
    objective: Objective = Classification(),
    preprocess: Preprocess = unit_range,
    batch_size: int = EVALUATION_BATCH,
) -> Evaluation:
    """Mean loss and accuracy over a split, every example counted exactly once.

    Arguments as in `predict`; `objective` as in `fit`.

    Raises:
        ZooError: the split has no examples, one that is not finite, or a label that the model
            does not know; or what the model says of their shape.
    """
    check_positive(batch_size=batch_size)
    check_arrays("split", split)
    check_split("split", split, objective, classes_of(model, split, preprocess))
    graphdef, weights = _in_evaluation_mode(model)
    devices = predicting_devices(model, min(batch_size, len(split.y)))
    arrays = devices.place((weights, jnp.asarray(split.x), jnp.asarray(split.y)))
    loss, correct = _loss_and_correct(objective, graphdef, *arrays, preprocess, batch_size, devices)
    return Evaluation(float(loss), int(correct) / len(split.y))
