"""A function of single steps, on every step of a sequence."""

from collections.abc import Callable

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array


def time_distributed(function: Callable[[Array], Array], x: Array) -> Array:
    """`function` of every step of `x [B, T, ...]`, with `B · T` steps as one batch.

    Returns:
        `[B, T, ...]`.

    Raises:
        ZooError: `x` has no axis of steps.
    """
    if x.ndim < 3:
        raise ZooError(f"x must have shape [B, T, ...] (3 axes or more), got shape {x.shape}.")
    y = function(jnp.reshape(x, (-1, *x.shape[2:])))
    return jnp.reshape(y, (*x.shape[:2], *y.shape[1:]))
