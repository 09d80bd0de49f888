"""A look at every call of a model's layers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flax import nnx

from zoo.layers.layer import Layer

# (path, layer, the call itself, arguments, keywords) to what the call is to return.
Handler = Callable[[str, Layer, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

_open = 0


def calls_are_intercepted() -> bool:
    """Whether somebody looks at the calls of some model's layers now.

    A model that computes by another order of its layers than it is described by follows the
    description then.
    """
    return _open > 0


@contextmanager
def intercepted_calls(
    model: nnx.Module, handler: Handler, methods: tuple[str, ...] = ("__call__",)
) -> Iterator[None]:
    """While it is open, each call of a layer of `model` goes through `handler`.

    Python looks `__call__` up on the class, so that is where the handler stands meanwhile.
    Layers inside a layer (as in `Bidirectional`) are that layer's own business.
    """
    global _open
    layers = {
        id(module): (".".join(map(str, path)), module)
        for path, module in nnx.iter_modules(model)
        if isinstance(module, Layer)
    }
    depth = 0

    def intercepting(call: Callable[..., Any]) -> Callable[..., Any]:
        def intercepted(layer: Layer, *args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            if depth or id(layer) not in layers:
                return call(layer, *args, **kwargs)
            depth += 1
            try:
                return handler(layers[id(layer)][0], layer, call, args, kwargs)
            finally:
                depth -= 1

        return intercepted

    kinds = {type(layer) for _, layer in layers.values()}
    originals = {
        (kind, method): getattr(kind, method)
        for kind in kinds
        for method in methods
        if hasattr(kind, method)
    }
    own = {key for key in originals if key[1] in vars(key[0])}
    for (kind, method), call in originals.items():
        setattr(kind, method, intercepting(call))
    _open += 1
    try:
        yield
    finally:
        _open -= 1
        for (kind, method), call in originals.items():
            if (kind, method) in own:
                setattr(kind, method, call)
            else:
                delattr(kind, method)
