"""Activation functions by their Keras names."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError, unknown_name
from zoo.functional._arrays import Array

_FUNCTIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "linear": lambda x: x,
        "relu": jax.nn.relu,
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "hard_sigmoid": jax.nn.hard_sigmoid,
        "hard_sigmoid_keras2": lambda x: jnp.clip(0.2 * x + 0.5, 0, 1),
        "softmax": jax.nn.softmax,
        "elu": jax.nn.elu,
        "selu": jax.nn.selu,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "softplus": jax.nn.softplus,
        "softsign": jax.nn.soft_sign,
        "swish": jax.nn.silu,
        "silu": jax.nn.silu,
        "hard_silu": jax.nn.hard_silu,
        "mish": jax.nn.mish,
        "log_softmax": jax.nn.log_softmax,
        "leaky_relu": lambda x: jax.nn.leaky_relu(x, negative_slope=0.2),
        "relu6": jax.nn.relu6,
        "exponential": jnp.exp,
    }
)

# The derivative of a function at x, from its value there.
DERIVATIVES_BY_VALUE: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "linear": jnp.ones_like,
        "relu": lambda y: jnp.asarray(y > 0, y.dtype),
        "tanh": lambda y: 1 - lax.square(y),
        "sigmoid": lambda y: y * (1 - y),
    }
)


def activation(name: str | None) -> Callable[[Array], Array]:
    """The activation function called `name`, with the constants of Keras 3.

    | name | f(x) |
    | --- | --- |
    | linear (or None) | x |
    | relu, relu6 | max(x, 0); min(max(x, 0), 6) |
    | leaky_relu | x where x ≥ 0, else 0.2·x |
    | tanh, sigmoid | tanh x; 1 / (1 + e⁻ˣ) |
    | hard_sigmoid | relu6(x + 3) / 6 |
    | hard_sigmoid_keras2 | clip(0.2·x + 0.5, 0, 1), which Keras 2 calls hard_sigmoid |
    | elu, selu | x where x > 0, else eˣ − 1; scaled as in Klambauer et al. 2017 |
    | gelu | x·Φ(x), exactly (through erf) |
    | swish = silu, hard_silu | x·sigmoid(x); x·hard_sigmoid(x) |
    | mish | x·tanh(softplus(x)) |
    | softplus, softsign | log(1 + eˣ); x / (1 + abs(x)) |
    | softmax, log_softmax | eˣ / Σ eˣ over the last axis, and its logarithm |
    | exponential | eˣ |

    Raises:
        ZooError: the name is not in the table; the message offers near ones.

    >>> activation("relu")(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    if name is None:
        name = "linear"
    try:
        return _FUNCTIONS[name]
    except (KeyError, TypeError):
        raise unknown_name("activation", str(name), _FUNCTIONS) from None


def relu(
    x: Array, *, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0
) -> Array:
    """`x` above the threshold, `negative_slope · (x − threshold)` below, at most `max_value`.

    Raises:
        ZooError: `max_value` or `negative_slope` is negative.
    """
    if negative_slope < 0 or (max_value is not None and max_value < 0):
        raise ZooError(
            f"negative_slope and max_value must not be negative, got {negative_slope!r} and "
            f"{max_value!r}."
        )
    y = jnp.where(x > threshold, x, negative_slope * (x - threshold))
    return y if max_value is None else jnp.minimum(y, max_value)


def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """`x` where it is positive, else `alpha · (eˣ − 1)`."""
    return jax.nn.elu(x, alpha)


def softmax(x: Array, *, axis: int | tuple[int, ...] = -1, mask: Array | None = None) -> Array:
    """`eˣ / Σ eˣ` over one axis or several.

    Args:
        x: any shape.
        axis: what the sum is over.
        mask: boolean, broadcasts to `x`; values that are not kept (False) get a share of 0.
    """
    if mask is None:
        return jax.nn.softmax(x, axis=axis)
    mask = jnp.reshape(mask, (1,) * (x.ndim - mask.ndim) + mask.shape)
    shares = jax.nn.softmax(jnp.where(mask, x, jnp.full_like(x, -1e9)), axis=axis)
    return jnp.where(mask, shares, jnp.zeros_like(x))
