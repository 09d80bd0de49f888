"""Activation functions by their Keras names."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from zoo.errors import unknown_name
from zoo.functional._arrays import Array

_FUNCTIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "linear": lambda x: x,
        "relu": jax.nn.relu,
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "hard_sigmoid": jax.nn.hard_sigmoid,
        "softmax": jax.nn.softmax,
        "elu": jax.nn.elu,
        "selu": jax.nn.selu,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "softplus": jax.nn.softplus,
        "softsign": jax.nn.soft_sign,
        "swish": jax.nn.silu,
        "silu": jax.nn.silu,
        "leaky_relu": lambda x: jax.nn.leaky_relu(x, negative_slope=0.2),
        "relu6": jax.nn.relu6,
        "exponential": jnp.exp,
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
    | hard_sigmoid | relu6(x + 3) / 6 (Keras 2 had clip(0.2·x + 0.5, 0, 1)) |
    | elu, selu | x where x > 0, else eˣ − 1; scaled as in Klambauer et al. 2017 |
    | gelu | x·Φ(x), exactly (through erf) |
    | swish = silu | x·sigmoid(x) |
    | softplus, softsign | log(1 + eˣ); x / (1 + abs(x)) |
    | softmax | eˣ / Σ eˣ over the last axis |
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
