"""Layers that move values and change none of them."""

import jax

from zoo import functional as F
from zoo.errors import ZooError, check_positive
from zoo.layers.layer import Layer

Sides = tuple[int, int]


class Flatten(Layer):
    """All axes but the first made one; see `zoo.functional.flatten`."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ...]` to `[B, n]`."""
        return F.flatten(x)


class Reshape(Layer):
    """Each example in another shape; see `zoo.functional.reshape`.

    Args:
        target_shape: of one example; one entry may be −1 and is worked out.
    """

    def __init__(self, target_shape: tuple[int, ...]):
        if any(side < 1 and side != -1 for side in target_shape):
            raise ZooError(
                f"target_shape must be positive sizes and at most one −1, got {target_shape!r}."
            )
        self.target_shape = tuple(target_shape)

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ...]` to `[B, *target_shape]`."""
        return F.reshape(x, self.target_shape)


class Permute(Layer):
    """The axes in another order; see `zoo.functional.permute`."""

    def __init__(self, dims: tuple[int, ...]):
        self.dims = tuple(dims)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Axis `i` of an example becomes what `dims[i]` was."""
        return F.permute(x, self.dims)


class RepeatVector(Layer):
    """A vector as each of `n` steps; see `zoo.functional.repeat_vector`."""

    def __init__(self, n: int):
        check_positive(n=n)
        self.n = n

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, C]` to `[B, n, C]`."""
        return F.repeat_vector(x, self.n)


class ZeroPadding1D(Layer):
    """Zeros before and after a sequence.

    Args:
        padding: how many steps before and after.
    """

    def __init__(self, padding: Sides = (1, 1)):
        self.padding = padding

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, C]` to `[B, T', C]`."""
        return F.zero_pad(x, (self.padding,))


class ZeroPadding2D(Layer):
    """Zeros around an image.

    Args:
        padding: how many rows (above, below) and columns (left, right).
    """

    def __init__(self, padding: tuple[Sides, Sides] = ((1, 1), (1, 1))):
        self.padding = padding

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, H', W', C]`."""
        return F.zero_pad(x, self.padding)


class Cropping1D(Layer):
    """A sequence cut at both ends.

    Args:
        cropping: how many steps at the beginning and at the end.
    """

    def __init__(self, cropping: Sides = (1, 1)):
        self.cropping = cropping

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, C]` to `[B, T', C]`."""
        return F.crop(x, (self.cropping,))


class Cropping2D(Layer):
    """An image cut at its edges.

    Args:
        cropping: how many rows (above, below) and columns (left, right).
    """

    def __init__(self, cropping: tuple[Sides, Sides] = ((0, 0), (0, 0))):
        self.cropping = cropping

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, H', W', C]`."""
        return F.crop(x, self.cropping)


class Slice(Layer):
    """Some of the values along the last axis: `x[..., start:stop]`.

    Args:
        start: the first that is kept.
        stop: the first after it that is not; None: all the rest are kept.
    """

    def __init__(self, start: int, stop: int | None = None):
        if start < 0 or (stop is not None and stop <= start):
            raise ZooError(f"start and stop must be in order, from 0 on, got {start!r}, {stop!r}.")
        self.start, self.stop = start, stop

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ..., C]` to `[B, ..., C']`."""
        return x[..., self.start : self.stop]


class UpSampling1D(Layer):
    """Each step repeated; see `zoo.functional.upsample1d`."""

    def __init__(self, size: int = 2):
        check_positive(size=size)
        self.size = size

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, C]` to `[B, size · T, C]`."""
        return F.upsample1d(x, self.size)


class UpSampling2D(Layer):
    """An image made larger; see `zoo.functional.upsample2d`.

    Args:
        size: factors for height and width.
        interpolation: "nearest", "bilinear" or "bicubic".
    """

    def __init__(self, size: int | tuple[int, int] = 2, interpolation: str = "nearest"):
        self.size, self.interpolation = size, interpolation

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, size · H, size · W, C]`."""
        return F.upsample2d(x, self.size, self.interpolation)
