"""Every layer of a model with what it computed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.layers import Layer
from zoo.layers.interception import intercepted_calls


class LayerOutput(NamedTuple):
    """One call of one layer: its path in the model, the layer, and what it took and returned.

    `method` is `__call__`, or `compute_mask` for a mask.
    """

    path: str
    layer: Layer
    output: Any
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()
    method: str = "__call__"


@contextmanager
def recorded_calls(
    model: nnx.Module, methods: tuple[str, ...] = ("__call__",)
) -> Iterator[list[LayerOutput]]:
    """While it is open, each call of a layer of `model` is added to the list it gives.

    Layers inside a layer (as in `Bidirectional`) are that layer's own business. A mask that a
    layer does not give (None) is left out.
    """
    calls: list[LayerOutput] = []

    def record(
        path: str, layer: Layer, call: Callable[..., Any], args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        output = call(layer, *args, **kwargs)
        if output is not None:
            keywords = tuple(kwargs.items())
            calls.append(LayerOutput(path, layer, output, args, keywords, call.__name__))
        return output

    with intercepted_calls(model, record, methods):
        yield calls


def call_names(calls: Iterable[LayerOutput]) -> list[str]:
    """A name for each call: the layer's path, and from its second call on the number as well.

    A mask has the word behind its layer's path.
    """
    counts: Counter[str] = Counter()
    names = []
    for call in calls:
        name = call.path if call.method == "__call__" else f"{call.path} mask"
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name}:{counts[name]}")
    return names


def trace(model: nnx.Module, x: Any) -> dict[str, Any]:
    """What every layer of a model gives for a batch, in evaluation mode.

    Args:
        model: any module made of `zoo.layers`; it is left as it is.
        x: a batch, as the model takes it.

    Returns:
        Arrays by the layers' paths, in the order of the calls. A layer that is called again has
        `:2`, `:3`, … after its path; one that returns several arrays has a tuple of them. The last
        entry is the last layer's output, which for models of the registry is the logits (but for
        `cnn_rnn`: what its search found).

    >>> import zoo
    >>> model = zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0), units=8)
    >>> {name: y.shape for name, y in trace(model, jnp.zeros((2, 28, 28, 1))).items()}
    {'rows': (2, 28, 28), 'lstm': (2, 8), 'logits': (2, 10)}
    """
    return outputs_of(model, x, ("__call__",))


def outputs_of(model: nnx.Module, x: Any, methods: tuple[str, ...]) -> dict[str, Any]:
    """`trace` of these methods of the layers."""
    model = nnx.clone(model)
    model.eval()
    graphdef, state = nnx.split(model)
    names: list[str] = []

    @jax.jit
    def outputs(state: Any, x: jax.Array) -> list[Any]:
        merged = nnx.merge(graphdef, state)
        with recorded_calls(merged, methods) as calls:
            merged(x)
        names[:] = call_names(calls)
        return [call.output for call in calls]

    found = outputs(state, jnp.asarray(x))
    return dict(zip(names, jax.tree.map(np.asarray, found), strict=True))
