"""Functions of arrays that Keras 3 writes into a graph beside the layers.

Above all what masks are computed with: a mask that meets a layer as an argument is a path of
such operations in the file. And sums and products, as `x + y` leaves them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo.keras import arguments as a
from zoo.keras.arguments import Field

_AXIS, _DTYPE = Field(a.axis, -1), Field(a.choice("bool"), "bool")

# The class name of an operation, its arguments, and what it computes.
OPERATIONS: dict[str, tuple[Mapping[str, Field], Callable[..., Any]]] = {
    "NotEqual": ({}, jnp.not_equal),
    "Any": (
        {"axis": _AXIS, "keepdims": Field(a.flag, False)},
        lambda x, axis, keepdims: jnp.any(x, axis=axis, keepdims=keepdims),
    ),
    "ExpandDims": ({"axis": _AXIS}, lambda x, axis: jnp.expand_dims(x, axis)),
    "ZerosLike": ({"dtype": _DTYPE}, lambda x, dtype: jnp.zeros(x.shape, dtype)),
    "OnesLike": ({"dtype": _DTYPE}, lambda x, dtype: jnp.ones(x.shape, dtype)),
    "LogicalOr": ({}, lambda x, y: jnp.logical_or(*_one_rank(x, y))),
    "Concatenate": ({"axis": _AXIS}, lambda xs, axis: F.concatenate(xs, axis)),
    "Add": ({}, lambda x, y: jnp.add(*_one_rank(x, y))),
    "Subtract": ({}, lambda x, y: jnp.subtract(*_one_rank(x, y))),
    "Multiply": ({}, lambda x, y: jnp.multiply(*_one_rank(x, y))),
    "TrueDivide": ({}, lambda x, y: jnp.true_divide(*_one_rank(x, y))),
    "Divide": ({}, lambda x, y: jnp.divide(*_one_rank(x, y))),
}


def _one_rank(x: Any, y: Any) -> tuple[Any, Any]:
    """Two arrays or numbers, broadcast from the last axis on as NumPy does."""
    rank = max(jnp.ndim(x), jnp.ndim(y))
    return tuple(
        jnp.reshape(v, (1,) * (rank - jnp.ndim(v)) + jnp.shape(v)) if jnp.ndim(v) else v
        for v in (x, y)
    )  # type: ignore[return-value]


class Operation(nnx.Module):
    """One of `OPERATIONS` as a module, so that a graph may call it like a layer.

    Args:
        class_name: its name there.
        options: its arguments.
    """

    def __init__(self, class_name: str, options: Mapping[str, Any]):
        self.class_name, self.options = class_name, tuple(sorted(options.items()))

    def __call__(self, *inputs: Any) -> Any:
        """Arrays and constants as Keras passes them."""
        return OPERATIONS[self.class_name][1](*inputs, **dict(self.options))
