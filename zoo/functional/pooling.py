"""Pooling over windows and over whole images; channels last."""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import (
    Array,
    along_last_axis,
    at_least_float32,
    check_rank,
    check_vector,
    pair,
)
from zoo.functional.convolution import check_covers, check_padding


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
        ZooError: wrong rank, type or options, or without padding the image is smaller than a
            window.

    >>> max_pool2d(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    windows = _check_pool(x, window, strides, padding)
    return _largest(windows, x)


def max_pool2d_of_relu(
    x: Array,
    bias: Array,
    window: int | tuple[int, int] = 2,
    strides: int | tuple[int, int] | None = None,
    padding: str = "valid",
) -> Array:
    """`max_pool2d(relu(x + bias))`, for what comes out of a convolution without its bias.

    Adding a number and a ReLU keep the order of numbers, so where nothing is differentiated they
    come after the pool, which leaves a quarter of the work, with the same result bit for bit. A
    prediction of fashion_mnist_cnn (32 images) took 0.54 instead of 0.62 ms, of cifar10_cnn (64)
    9.0 instead of 9.2 (an AMD EPYC, two cores, jax 0.10.2); a training step would have been no
    faster.

    Args:
        x: `[B, H, W, C]`, floating point.
        bias: `[C]`.
        window: see `max_pool2d`, as the others.
        strides: step between windows.
        padding: "valid" or "same".

    Returns:
        `[B, H', W', C]`.

    Raises:
        ZooError: as in `max_pool2d`, or a bias of another length.
    """
    windows = _check_pool(x, window, strides, padding)
    check_vector("bias", bias, x.shape[-1])
    return _largest_of_relu(windows, x, bias)


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
    windows = _check_pool(x, window, strides, padding)
    # A sum carried in 16 bits stands still once it is 256 times what is added to it.
    wide = at_least_float32(x)

    def window_sums(values: Array) -> Array:
        return _fold(jnp.add, lax.add, values, windows, outside=0)

    counts = window_sums(jnp.ones((1, *x.shape[1:3], 1), wide.dtype))
    return lax.convert_element_type(window_sums(wide) / counts, x.dtype)


_Windows: TypeAlias = tuple[tuple[int, int], tuple[int, int], str]

# A fold over more positions is a program too long to compile.
_LARGEST_FOLD = 64
# Of an image batch of at most so many numbers (3 MB), the largest values are left to XLA where
# nothing is differentiated, see `_largest`.
_FEW_NUMBERS = 3 * 2**18


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _largest(windows: _Windows, x: Array) -> Array:
    """Where it is differentiated the fold over `_first_largest`, whose gradient is the fast one.

    Else over the maximum as it is, which is faster: 3×3 of [4, 71, 71, 192] 0.53 instead of 0.89 ms
    on one core. Of few numbers by `lax.reduce_window`: by itself that is the slower one, but
    YNNPACK takes it in one piece with the layers around it, on one core: a prediction of
    fashion_mnist_cnn (32 images) took 0.39 instead of 0.73 ms. With more numbers two cores are
    worth more: cifar10_cnn (64) 10.3 instead of 9.5 ms, ecrnn_cnn (128) 30.0 instead of 27.8 (an
    AMD EPYC, jax 0.10.2).
    """
    if x.size <= _FEW_NUMBERS:
        return _by_window(lax.max, x, windows, outside=-np.inf)
    return _fold(lax.max, lax.max, x, windows, outside=-np.inf)


@_largest.defjvp
def _largest_and_tangent(
    windows: _Windows, x: tuple[Array], tangent: tuple[Array]
) -> tuple[Array, Array]:
    fold = partial(_fold, _first_largest, lax.max, windows=windows, outside=-np.inf)
    return jax.jvp(fold, x, tangent)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _largest_of_relu(windows: _Windows, x: Array, bias: Array) -> Array:
    return jax.nn.relu(_largest(windows, x) + along_last_axis(bias, x.ndim))


@_largest_of_relu.defjvp
def _largest_of_relu_and_tangent(
    windows: _Windows, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    def in_order(x: Array, bias: Array) -> Array:
        return _largest(windows, jax.nn.relu(x + along_last_axis(bias, x.ndim)))

    return jax.jvp(in_order, primals, tangents)


def _fold(
    combine: Callable[[Array, Array], Array],
    operation: Callable[..., Any],
    x: Array,
    windows: _Windows,
    *,
    outside: float,
) -> Array:
    """What lies in each window combined, `[B, H', W', C]`, with `outside` beside the image.

    One place in the window after the other, which on a CPU is faster than lax.reduce_window (by
    `operation`, which is the same); the gradient of the largest, there a scatter, takes a tenth.
    Milliseconds of 2×2 and the largest, two cores: 0.07 against 0.10 for [32, 26, 26, 32], 0.14
    against 0.22 for [64, 32, 32, 32], but 1.28 against 1.01 for [256, 26, 26, 32].
    """
    (height, width), (down, right), padding = windows
    if height * width > _LARGEST_FOLD:
        return _by_window(operation, x, windows, outside=outside)
    sides, steps = (1, height, width, 1), (1, down, right, 1)
    pads = lax.padtype_to_pads(x.shape, sides, steps, padding)
    x = jnp.pad(x, pads, constant_values=outside)
    last_row, last_column = x.shape[1] - height + 1, x.shape[2] - width + 1
    places = (
        x[:, u : last_row + u : down, v : last_column + v : right]
        for u in range(height)
        for v in range(width)
    )
    return reduce(combine, places)


def _by_window(
    operation: Callable[..., Any], x: Array, windows: _Windows, *, outside: float
) -> Array:
    """`_fold` as XLA does it."""
    (height, width), (down, right), padding = windows
    sides, steps = (1, height, width, 1), (1, down, right, 1)
    return lax.reduce_window(x, np.array(outside, x.dtype), operation, sides, steps, padding)


def _check_pool(
    x: Array,
    window: int | tuple[int, int],
    strides: int | tuple[int, int] | None,
    padding: str,
) -> _Windows:
    """Window, strides and padding as XLA takes them, or an error."""
    check_rank("x", x, 4, "[B, H, W, C]")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ZooError(f"x must be floating point, got {x.dtype}: scale pixels before pooling.")
    sides = pair("window", window)
    steps = sides if strides is None else pair("strides", strides)
    if check_padding(padding) == "VALID":
        check_covers(x, "window", sides)
    return sides, steps, padding.upper()


def global_avg_pool2d(x: Array, *, keepdims: bool = False) -> Array:
    """The mean of each channel over the image: `[B, H, W, C]` to `[B, C]`.

    With `keepdims` to `[B, 1, 1, C]`.
    """
    check_rank("x", x, 4, "[B, H, W, C]")
    return jnp.mean(x, axis=(1, 2), keepdims=keepdims)


def global_max_pool2d(x: Array, *, keepdims: bool = False) -> Array:
    """The largest value of each channel over the image: `[B, H, W, C]` to `[B, C]`.

    With `keepdims` to `[B, 1, 1, C]`.
    """
    check_rank("x", x, 4, "[B, H, W, C]")
    return jnp.max(x, axis=(1, 2), keepdims=keepdims)
