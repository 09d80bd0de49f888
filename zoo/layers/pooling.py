"""Pooling layers, channels last."""

import jax

from zoo import functional as F
from zoo.functional._arrays import pair
from zoo.functional.convolution import check_padding
from zoo.layers.layer import Layer


class _Pooling2D(Layer):
    """What max and average pooling share: `[B, H, W, C]` to `[B, H', W', C]`.

    Args:
        pool_size: height and width of a window.
        strides: step between windows; None means the window itself.
        padding: "valid" or "same".
    """

    def __init__(
        self,
        pool_size: int | tuple[int, int] = 2,
        strides: int | tuple[int, int] | None = None,
        padding: str = "valid",
    ):
        check_padding(padding)
        self.pool_size, self.padding = pair("pool_size", pool_size), padding
        self.strides = None if strides is None else pair("strides", strides)


class MaxPooling2D(_Pooling2D):
    """The largest value of each window; see `zoo.functional.max_pool2d`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, H', W', C]`."""
        return F.max_pool2d(x, self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pooling2D):
    """The mean of each window, padding not counted; see `zoo.functional.avg_pool2d`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, H', W', C]`."""
        return F.avg_pool2d(x, self.pool_size, self.strides, self.padding)


class GlobalAveragePooling2D(Layer):
    """The mean over the image; see `zoo.functional.global_avg_pool2d`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, C]`."""
        return F.global_avg_pool2d(x)


class GlobalMaxPooling2D(Layer):
    """The largest value over the image; see `zoo.functional.global_max_pool2d`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, C]`."""
        return F.global_max_pool2d(x)
