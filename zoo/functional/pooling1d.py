"""Pooling over the steps of sequences: the functions of images, on images one pixel high."""

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array, check_rank
from zoo.functional.pooling import avg_pool2d, max_pool2d


def max_pool1d(
    x: Array, window: int = 2, strides: int | None = None, padding: str = "valid"
) -> Array:
    """The largest value in each window of steps.

    Args:
        x: `[B, T, C]`, floating point.
        window: steps in a window.
        strides: steps between windows; None means the window itself (no overlap).
        padding: "valid" drops what does not fill a window; "same" pads to `⌈T / s⌉`, and the
            padding is never the largest.

    Returns:
        `[B, T', C]`.

    Raises:
        ZooError: wrong rank, type or options, or without padding the sequence is shorter than
            a window.

    >>> max_pool1d(jnp.arange(4.0).reshape(1, 4, 1)).ravel().tolist()
    [1.0, 3.0]
    """
    return max_pool2d(_one_high(x), (1, window), _across(window, strides), padding)[:, 0]


def avg_pool1d(
    x: Array, window: int = 2, strides: int | None = None, padding: str = "valid"
) -> Array:
    """The mean of each window, over the steps of the sequence in it: padding never counts.

    Arguments, result and errors as in `max_pool1d`.
    """
    return avg_pool2d(_one_high(x), (1, window), _across(window, strides), padding)[:, 0]


def global_max_pool1d(x: Array, *, keepdims: bool = False) -> Array:
    """The largest value of each channel over the steps: `[B, T, C]` to `[B, C]`, or `[B, 1, C]`."""
    check_rank("x", x, 3, "[B, T, C]")
    return jnp.max(x, axis=1, keepdims=keepdims)


def global_avg_pool1d(x: Array, mask: Array | None = None, *, keepdims: bool = False) -> Array:
    """The mean of each channel over the steps: `[B, T, C]` to `[B, C]`, or `[B, 1, C]`.

    Args:
        x: `[B, T, C]`.
        mask: boolean `[B, T]`, True = keep: only these steps count. A row that keeps none has
            no mean: it is NaN.
        keepdims: keep the axis of steps, with size 1.

    Raises:
        ZooError: the ranks or shapes do not fit.
    """
    check_rank("x", x, 3, "[B, T, C]")
    if mask is None:
        return jnp.mean(x, axis=1, keepdims=keepdims)
    if mask.shape != x.shape[:2]:
        raise ZooError(f"mask must have shape {x.shape[:2]}, got shape {mask.shape}.")
    keep = mask[..., None]
    total = jnp.sum(jnp.where(keep, x, jnp.zeros_like(x)), axis=1, keepdims=keepdims)
    return total / jnp.sum(keep.astype(x.dtype), axis=1, keepdims=keepdims)


def _one_high(x: Array) -> Array:
    check_rank("x", x, 3, "[B, T, C]")
    return x[:, None]


def _across(window: int, strides: int | None) -> tuple[int, int]:
    return 1, window if strides is None else strides
