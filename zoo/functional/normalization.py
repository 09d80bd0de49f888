"""Batch normalisation."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis, at_least_float32, check_vector


class BatchNormParams(NamedTuple):
    """Learned scale `gamma [C]` and shift `beta [C]`; either may be None."""

    gamma: Array | None
    beta: Array | None


class BatchNormStats(NamedTuple):
    """Moving `mean [C]` and `variance [C]`, used outside training."""

    mean: Array
    variance: Array


def batch_norm(
    params: BatchNormParams,
    stats: BatchNormStats,
    x: Array,
    *,
    training: bool,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
) -> tuple[Array, BatchNormStats]:
    """Normalises each channel, then scales and shifts it.

    `y = gamma · (x − μ) / √(σ² + epsilon) + beta`. In training, μ and σ² are the mean and the
    (biased) variance over all axes but the last, and the moving statistics become
    `momentum · old + (1 − momentum) · batch`, as in Keras. Otherwise the moving ones are used
    and returned unchanged. Statistics are computed in float32 at least.

    Args:
        params: `gamma [C]` and `beta [C]`.
        stats: moving `mean [C]` and `variance [C]`.
        x: `[..., C]`.
        training: which statistics to use.
        momentum: weight of the old moving statistics.
        epsilon: added to the variance.

    Returns:
        `(y, stats)`: `y` as `x`.

    Raises:
        ZooError: the last axis of `x` is not `C`, or one of the four vectors is not `[C]`.

    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167
    """
    if x.ndim < 2 or x.shape[-1:] != stats.mean.shape:
        raise ZooError(
            f"x must have shape [B, ..., {stats.mean.shape[0]}] for statistics of shape "
            f"{stats.mean.shape}, got shape {x.shape}."
        )
    for name, vector in {**params._asdict(), **stats._asdict()}.items():
        check_vector(name, vector, x.shape[-1])
    wide = at_least_float32(x)
    dtype = wide.dtype
    if training:
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(wide, axes)
        variance = jnp.mean(jnp.square(wide - along_last_axis(mean, x.ndim)), axes)
        stats = BatchNormStats(
            *(
                momentum * old + (1 - momentum) * lax.convert_element_type(new, old.dtype)
                for old, new in zip(stats, (mean, variance), strict=True)
            )
        )
    else:
        mean, variance = (lax.convert_element_type(value, dtype) for value in stats)
    scale = lax.rsqrt(variance + epsilon)
    if params.gamma is not None:
        scale = scale * lax.convert_element_type(params.gamma, dtype)
    y = (wide - along_last_axis(mean, x.ndim)) * along_last_axis(scale, x.ndim)
    if params.beta is not None:
        y = y + along_last_axis(lax.convert_element_type(params.beta, dtype), x.ndim)
    return lax.convert_element_type(y, x.dtype), stats
