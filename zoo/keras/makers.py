"""From the arguments of a layer to the layer, once its input is known."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from zoo import layers
from zoo.errors import ZooError
from zoo.keras import arguments as a
from zoo.keras.layer_table import LayerSpec

# Makes a layer for an array, or a list or dictionary of them, batch first: their shapes count.
Maker = Callable[[Any, nnx.Rngs], nnx.Module]


class NoNumbers:
    """Stands in for `nnx.Rngs` where weights are made without numbers: one key serves all."""

    def __init__(self) -> None:
        self._key = jax.random.key(0)

    def params(self) -> jax.Array:
        """A key for weights that are never drawn."""
        return self._key

    @property
    def dropout(self) -> nnx.RngStream:
        """A stream for a layer to fork; it is set going when the model is loaded."""
        return nnx.Rngs(dropout=0).dropout


def layer_maker(class_name: str, spec: LayerSpec, options: dict[str, Any]) -> Maker:
    """A layer of the table; where it wants to know its input's size, that of the first input."""
    # Arguments that are checked but that our layer does not have.
    ours = {name: value for name, value in options.items() if spec.fields[name].attribute != ""}
    random = "rngs" in inspect.signature(spec.layer.__init__).parameters
    layer: Callable[..., nnx.Module] = spec.layer

    def make(inputs: Any, rngs: nnx.Rngs) -> nnx.Module:
        if spec.size is None:
            return layer(**ours, **({"rngs": rngs} if random else {}))
        # A recurrent layer of Keras 2 has its state in the list.
        shape = _shape(inputs[0] if isinstance(inputs, list) else inputs)
        if len(shape) < 2:
            raise ZooError(f"{class_name} must have an input [B, ..., features], got {shape}")
        try:
            size = spec.size(shape, options)
        except a.Unsupported as error:
            raise ZooError(f"{class_name} {error}") from None
        return layer(size, **ours, **({"rngs": rngs} if random else {}))

    return make


def time_distributed_maker(inner: Maker) -> Maker:
    """`TimeDistributed` of a layer or model, made for one step."""

    def make(inputs: Any, rngs: nnx.Rngs) -> nnx.Module:
        shape = _shape(inputs)
        if len(shape) < 3:
            raise ZooError(f"TimeDistributed must have an input [B, T, ...], got {shape}")
        return layers.TimeDistributed(inner(inputs[:, 0], rngs))

    return make


def _shape(x: Any) -> tuple[int, ...]:
    if isinstance(x, list | dict):
        raise ZooError(f"takes one array, got a {type(x).__name__} of them")
    shape: tuple[int, ...] = x.shape
    return shape


def bidirectional_maker(forward: Maker, backward: Maker | None, options: dict[str, Any]) -> Maker:
    """`Bidirectional` of two layers; the second is like the first where there is none."""

    def make(inputs: Any, rngs: nnx.Rngs) -> nnx.Module:
        one, other = forward(inputs, rngs), (backward or forward)(inputs, rngs)
        if not isinstance(one, layers.Recurrent) or not isinstance(other, layers.Recurrent):
            raise ZooError("Bidirectional must have SimpleRNN, LSTM or GRU inside")
        if backward is not None and one.go_backwards == other.go_backwards:
            raise ZooError("Bidirectional must have its two layers in opposite directions")
        if one.go_backwards:
            raise ZooError("Bidirectional must have a layer with go_backwards=False")
        other.go_backwards = False  # our wrapper runs the second one backwards itself
        return layers.Bidirectional(one, other, **options)

    return make
