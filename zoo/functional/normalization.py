"""Batch and layer normalisation, and scaling by known statistics."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis, at_least_float32, check_vector
from zoo.functional.batch_axis import mean_and_variance


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
    and returned unchanged. Statistics are computed in float32 at least. Of a batch cut over devices
    they are those of the whole batch (`zoo.functional.batch_axis`).

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
        mean, variance = mean_and_variance(mean, variance)
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


class LayerNormParams(NamedTuple):
    """Learned scale `gamma` and shift `beta`, of the shape of the axes; either may be None."""

    gamma: Array | None
    beta: Array | None


def layer_norm(
    params: LayerNormParams,
    x: Array,
    *,
    axis: int | tuple[int, ...] = -1,
    epsilon: float = 1e-3,
) -> Array:
    """Normalises each example over some of its axes, then scales and shifts it.

    `y = gamma · (x − μ) / √(σ² + epsilon) + beta` with the mean and the (biased) variance over
    `axis`, in float32 at least.

    Args:
        params: `gamma` and `beta`, of the sizes of the axes in ascending order.
        x: `[B, ...]`.
        axis: what the statistics are over.
        epsilon: added to the variance.

    Raises:
        ZooError: gamma or beta does not have the sizes of the axes.

    Source: Ba et al., 2016, https://arxiv.org/abs/1607.06450
    """
    axes = _ascending(axis, x.ndim)
    wide = at_least_float32(x)
    mean = jnp.mean(wide, axes, keepdims=True)
    variance = jnp.mean(jnp.square(wide - mean), axes, keepdims=True)
    y = (wide - mean) * lax.rsqrt(variance + epsilon)
    if params.gamma is not None:
        y = y * lax.convert_element_type(_on_axes("gamma", params.gamma, axes, x), y.dtype)
    if params.beta is not None:
        y = y + lax.convert_element_type(_on_axes("beta", params.beta, axes, x), y.dtype)
    return lax.convert_element_type(y, x.dtype)


def standardize(
    x: Array,
    mean: Array,
    variance: Array,
    *,
    axis: int | tuple[int, ...] = -1,
    invert: bool = False,
) -> Array:
    """`(x − mean) / max(√variance, 1e-7)`, or with `invert` the way back.

    Args:
        x: any shape.
        mean: of the sizes of the axes in ascending order.
        variance: likewise.
        axis: the axes along which the statistics differ; `()` for one of each.
        invert: `mean + x · max(√variance, 1e-7)` instead.

    Raises:
        ZooError: mean or variance does not have the sizes of the axes.
    """
    axes = _ascending(axis, x.ndim)
    mean, variance = _on_axes("mean", mean, axes, x), _on_axes("variance", variance, axes, x)
    deviation = jnp.maximum(jnp.sqrt(variance), 1e-7)
    return mean + x * deviation if invert else (x - mean) / deviation


def rescale(x: Array, scale: float | Array, offset: float | Array = 0.0) -> Array:
    """`x · scale + offset`; either may be one number or one for each channel (the last axis)."""

    def broadcast(value: float | Array) -> Array:
        array = jnp.asarray(value, x.dtype)
        return along_last_axis(array, x.ndim) if array.ndim == 1 else array

    return x * broadcast(scale) + broadcast(offset)


def _ascending(axis: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    axes = (axis,) if isinstance(axis, int) else axis
    if any(not -rank <= one < rank for one in axes):
        raise ZooError(f"axis must be among the {rank} axes of x, got {axis!r}.")
    return tuple(sorted(one % rank for one in axes))


def _on_axes(name: str, value: Array, axes: tuple[int, ...], x: Array) -> Array:
    """`value` with axes of size 1 where `axes` has none, so that it broadcasts to `x`."""
    expected = tuple(x.shape[axis] for axis in axes)
    if value.shape != expected:
        raise ZooError(
            f"{name} must have shape {expected} for x of shape {x.shape} and axes {axes}, got "
            f"shape {value.shape}."
        )
    return jnp.reshape(value, [x.shape[i] if i in axes else 1 for i in range(x.ndim)])
