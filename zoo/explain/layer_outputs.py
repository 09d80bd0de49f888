"""Every layer of a model with what it computed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from flax import nnx

from zoo.layers import Layer

_CALL = "__call__"


class LayerOutput(NamedTuple):
    """One call of one layer: its path in the model, the layer, and what it returned."""

    path: str
    layer: Layer
    output: Any


@contextmanager
def recorded_calls(model: nnx.Module) -> Iterator[list[LayerOutput]]:
    """While it is open, each call of a layer of `model` is added to the list it gives.

    Python looks `__call__` up on the class, so that is where the recorder stands meanwhile; a
    class that inherits it inherits it again afterwards.
    Layers inside a layer (as in `Bidirectional`) are that layer's own business.
    """
    calls: list[LayerOutput] = []
    layers = {
        id(module): (".".join(map(str, path)), module)
        for path, module in nnx.iter_modules(model)
        if isinstance(module, Layer)
    }
    depth = 0

    def recording(call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(layer: Layer, *args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            depth += 1
            try:
                output = call(layer, *args, **kwargs)
            finally:
                depth -= 1
            if depth == 0 and id(layer) in layers:
                calls.append(LayerOutput(layers[id(layer)][0], layer, output))
            return output

        return recorded

    originals = {type(layer): vars(type(layer)).get(_CALL) for _, layer in layers.values()}
    recorders = {kind: recording(getattr(kind, _CALL)) for kind in originals}
    for kind, recorder in recorders.items():
        setattr(kind, _CALL, recorder)
    try:
        yield calls
    finally:
        for kind, call in originals.items():
            if call is None:
                delattr(kind, _CALL)
            else:
                setattr(kind, _CALL, call)
