"""Dropout, of values and of whole channels, and noise."""

from functools import partial

import jax
import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array
from zoo.functional.batch_axis import drawn


def dropout(key: Array, x: Array, rate: float) -> Array:
    """Zeroes each value with probability `rate` and divides the others by `1 − rate`.

    The expectation of every value is kept, so nothing needs scaling at prediction time. What is
    drawn for a row does not depend on how a batch is cut over devices
    (`zoo.functional.batch_axis`); then the first axis has to be the batch.

    Args:
        key: a JAX random key; the same key drops the same values.
        x: any shape.
        rate: the share to drop, `0 ≤ rate < 1`.

    Returns:
        As `x`.

    Raises:
        ZooError: `rate` is outside its range.

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """
    if not 0 <= rate < 1:
        raise ZooError(f"rate must be at least 0 and less than 1, got {rate!r}.")
    if rate == 0:
        return x
    keep = drawn(partial(jax.random.bernoulli, key, 1 - rate), x.shape)
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))


def spatial_dropout(key: Array, x: Array, rate: float) -> Array:
    """`dropout` of whole channels: one draw for all places of a channel of `x [B, ..., C]`.

    Raises:
        ZooError: `rate` is outside its range.

    Source: Tompson et al., 2015, https://arxiv.org/abs/1411.4280
    """
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    return x * dropout(key, jnp.ones(shape, x.dtype), rate)


def gaussian_noise(key: Array, x: Array, stddev: float) -> Array:
    """`x` plus independent normal values with mean 0 and standard deviation `stddev`."""
    return x + stddev * drawn(partial(jax.random.normal, key, dtype=x.dtype), x.shape)
