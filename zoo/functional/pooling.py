"""Pooling over windows and over whole images, and flattening; channels last."""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.functional._arrays import Array, check_rank, pair
from zoo.functional.convolution import check_padding


def max_pool2d(
    x: Array,
    window: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "valid",
) -> Array:
    """The largest value in each window: `y[b, i, j, c] = max_{u, v} x[b, s·i + u, s·j + v, c]`.

    Args:
        x: `[B, H, W, C]`, floating point.
        window: height and width of a window.
        strides: step between windows; None means the window itself (no overlap).
        padding: "valid" drops what does not fill a window; "same" pads to `⌈H / s⌉`, and the
            padding is never the largest.

    Returns:
        `[B, H', W', C]`. The gradient of a window goes to its (first) largest value.

    Raises:
        ZooError: wrong rank or options.

    >>> max_pool2d(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    check_rank("x", x, 4, "[B, H, W, C]")
    height, width = pair("window", window)
    down, right = (height, width) if strides is None else pair("strides", strides)
    pads = lax.padtype_to_pads(
        x.shape, (1, height, width, 1), (1, down, right, 1), check_padding(padding)
    )
    x = jnp.pad(x, pads, constant_values=-np.inf)
    # A fold over the window's positions, not lax.reduce_window: the gradient of that (a scatter)
    # takes ten times as long on a CPU. Of equal values the first wins, in both.
    last_row, last_column = x.shape[1] - height + 1, x.shape[2] - width + 1
    positions = (
        x[:, u : last_row + u : down, v : last_column + v : right]
        for u in range(height)
        for v in range(width)
    )
    return functools.reduce(_first_largest, positions)


def _first_largest(a: Array, b: Array) -> Array:
    """The larger of two values, `a` where they are equal, NaN where either is."""
    return jnp.where((a >= b) | jnp.isnan(a), a, b)


def avg_pool2d(
    x: Array,
    window: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "valid",
) -> Array:
    """The mean of each window, over the pixels of the image in it: padding never counts.

    Arguments, result and errors as in `max_pool2d`.

    >>> avg_pool2d(jnp.ones((1, 3, 3, 1)), 2, 1, "same")[0, 2, 2, 0].item()
    1.0
    """
    check_rank("x", x, 4, "[B, H, W, C]")
    height, width = pair("window", window)
    down, right = (height, width) if strides is None else pair("strides", strides)

    def window_sums(values: Array) -> Array:
        sums: Array = lax.reduce_window(
            values,
            np.array(0, x.dtype),
            lax.add,
            (1, height, width, 1),
            (1, down, right, 1),
            check_padding(padding),
        )
        return sums

    return window_sums(x) / window_sums(jnp.ones_like(x))


def global_avg_pool2d(x: Array) -> Array:
    """The mean of each channel over the image: `[B, H, W, C]` to `[B, C]`."""
    check_rank("x", x, 4, "[B, H, W, C]")
    return jnp.mean(x, axis=(1, 2))


def global_max_pool2d(x: Array) -> Array:
    """The largest value of each channel over the image: `[B, H, W, C]` to `[B, C]`."""
    check_rank("x", x, 4, "[B, H, W, C]")
    return jnp.max(x, axis=(1, 2))


def flatten(x: Array) -> Array:
    """All axes but the first made one, the last running fastest: `[B, ...]` to `[B, n]`."""
    return jnp.reshape(x, (x.shape[0], -1))
