"""Masks of sequences: which steps are there, and which only fill the batch up."""

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array


def steps_other_than(x: Array, value: float) -> Array:
    """The mask `[B, T]` of the steps of `x [B, T, C]` with any value other than `value`."""
    if x.ndim < 2:
        raise ZooError(f"x must have shape [B, ..., C], got shape {x.shape}.")
    return jnp.any(x != value, axis=-1)


def zero_masked(x: Array, mask: Array) -> Array:
    """`x [B, T, C]` with zeros in the steps that `mask [B, T]` does not keep."""
    if mask.shape != x.shape[: mask.ndim]:
        raise ZooError(f"mask must have shape {x.shape[: mask.ndim]}, got shape {mask.shape}.")
    return jnp.where(
        jnp.reshape(mask, mask.shape + (1,) * (x.ndim - mask.ndim)), x, jnp.zeros_like(x)
    )
