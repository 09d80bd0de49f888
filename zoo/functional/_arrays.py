"""Array helpers shared by the pure functions."""

from typing import TypeAlias

import jax
import jax.numpy as jnp

from zoo.errors import ZooError

Array: TypeAlias = jax.Array


def along_last_axis(vector: Array, rank: int) -> Array:
    """`vector [C]` as `[1, …, 1, C]`, so that it broadcasts by shape and never by rank."""
    return jnp.reshape(vector, (1,) * (rank - 1) + vector.shape)


def pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    """A height and a width from one positive integer or two."""
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or any(not isinstance(side, int) or side < 1 for side in both):
        raise ZooError(f"{name} must be a positive integer or a pair of them, got {value!r}.")
    return both[0], both[1]


def check_rank(name: str, x: Array, rank: int, axes: str) -> None:
    """Raises unless `x` has `rank` axes; `axes` names them in the message."""
    if x.ndim != rank:
        raise ZooError(f"{name} must have shape {axes} ({rank} axes), got shape {x.shape}.")
