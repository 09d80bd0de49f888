"""Every layer of a model with what it computed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from flax import nnx

from zoo.layers import Layer
from zoo.layers.interception import intercepted_calls


class LayerOutput(NamedTuple):
    """One call of one layer: its path in the model, the layer, and what it returned."""

    path: str
    layer: Layer
    output: Any


@contextmanager
def recorded_calls(model: nnx.Module) -> Iterator[list[LayerOutput]]:
    """While it is open, each call of a layer of `model` is added to the list it gives.

    Layers inside a layer (as in `Bidirectional`) are that layer's own business.
    """
    calls: list[LayerOutput] = []

    def record(
        path: str, layer: Layer, call: Callable[..., Any], args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        output = call(layer, *args, **kwargs)
        calls.append(LayerOutput(path, layer, output))
        return output

    with intercepted_calls(model, record):
        yield calls
