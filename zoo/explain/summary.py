"""The table of a model's layers."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.errors import ZooError
from zoo.explain.layer_outputs import recorded_calls


class LayerRow(NamedTuple):
    """One row: the layer's path, its class, one example's output shape, and its weights.

    A layer that returns several arrays has a shape for each.

    `trainable` counts parameters, `moving` the statistics that training moves though no
    gradient does (BatchNorm's mean and variance).
    """

    path: str
    kind: str
    output_shape: tuple[Any, ...]
    trainable: int
    moving: int


def layer_table(model: nnx.Module, input_shape: tuple[int, ...]) -> tuple[LayerRow, ...]:
    """The layers in the order of their calls, for one example of `input_shape`.

    Only shapes are computed. A layer that is called twice counts its weights once.
    """
    model = nnx.clone(model)
    model.eval()
    example = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    with recorded_calls(model) as calls:
        jax.eval_shape(lambda x: model(x), example)
    rows: list[LayerRow] = []
    for path, layer, output, *_ in calls:
        first = all(row.path != path for row in rows)
        trainable, moving = (
            _size(layer, kind) if first else 0 for kind in (nnx.Param, nnx.BatchStat)
        )
        shape = jax.tree.map(lambda array: array.shape[1:], output)
        rows.append(LayerRow(path, type(layer).__name__, shape, trainable, moving))
    return tuple(rows)


def count_parameters(model: nnx.Module) -> int:
    """All weights of a model, moving statistics included, as Keras counts them."""
    return _size(model, nnx.Param) + _size(model, nnx.BatchStat)


def _size(module: nnx.Module, kind: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, kind)))


def summary(model: nnx.Module, input_shape: tuple[int, ...] | None = None) -> None:
    """Prints a model's layers with their output shapes and parameter counts.

    Args:
        model: any module made of `zoo.layers`.
        input_shape: of one example; None means the one in the config of a registered model.

    >>> from flax import nnx
    >>> import zoo
    >>> zoo.summary(zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0)))
    MNISTLSTM on input (28, 28, 1)
    layer   class    output    parameters
    rows    Reshape  (28, 28)           0
    lstm    LSTM     (128,)        80,384
    logits  Dense    (10,)          1,290
    81,674 parameters: 81,674 trainable, 0 moving statistics
    """
    if input_shape is None:
        config = getattr(model, "config", None)
        if config is None:
            raise ZooError("input_shape is needed for a model without a config.")
        input_shape = config.input_shape
    rows = layer_table(model, input_shape)
    cells = [("layer", "class", "output", "parameters")]
    cells += [
        (row.path, row.kind, str(row.output_shape), f"{row.trainable + row.moving:,}")
        for row in rows
    ]
    path, kind, shape, count = (max(map(len, column)) for column in zip(*cells, strict=True))
    trainable, moving = _size(model, nnx.Param), _size(model, nnx.BatchStat)
    print(f"{type(model).__name__} on input {input_shape}")
    for row in cells:
        print(f"{row[0]:{path}}  {row[1]:{kind}}  {row[2]:{shape}}  {row[3]:>{count}}")
    print(
        f"{trainable + moving:,} parameters: {trainable:,} trainable, {moving:,} moving statistics"
    )
