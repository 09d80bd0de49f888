"""Functions that move values and change none of them; the batch axis stays in front."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array, check_rank, pair

_INTERPOLATIONS = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}


def flatten(x: Array) -> Array:
    """All axes but the first made one, the last running fastest: `[B, ...]` to `[B, n]`."""
    return jnp.reshape(jnp.asarray(x), (x.shape[0], math.prod(x.shape[1:])))


def reshape(x: Array, shape: Sequence[int]) -> Array:
    """Each example in another shape, the last axis running fastest.

    Args:
        x: `[B, ...]`.
        shape: of one example; one entry may be −1 and is worked out.

    Raises:
        ZooError: an example does not have as many values as the shape.

    >>> reshape(jnp.zeros((2, 6)), (3, -1)).shape
    (2, 3, 2)
    """
    x, shape = jnp.asarray(x), tuple(shape)
    size, known = math.prod(x.shape[1:]), math.prod(side for side in shape if side != -1)
    unknown = shape.count(-1)
    if unknown > 1 or (size != known if not unknown else known <= 0 or size % known):
        raise ZooError(f"shape must hold the {size} values of {x.shape[1:]}, got {shape}.")
    return jnp.reshape(x, (x.shape[0], *(size // known if s == -1 else s for s in shape)))


def permute(x: Array, dims: Sequence[int]) -> Array:
    """The axes in another order: axis `i` of an example becomes what `dims[i]` was.

    Args:
        x: `[B, ...]`.
        dims: the axes 1, 2, … (0 is the batch), each once.

    Raises:
        ZooError: `dims` are not these axes.

    >>> permute(jnp.zeros((2, 3, 4)), (2, 1)).shape
    (2, 4, 3)
    """
    if sorted(dims) != list(range(1, x.ndim)):
        raise ZooError(f"dims must be the axes 1 to {x.ndim - 1} in some order, got {dims!r}.")
    return jnp.transpose(x, (0, *dims))


def repeat_vector(x: Array, n: int) -> Array:
    """A vector as each of `n` steps: `[B, C]` to `[B, n, C]`."""
    check_rank("x", x, 2, "[B, C]")
    return jnp.broadcast_to(x[:, None, :], (x.shape[0], n, x.shape[1]))


def zero_pad(x: Array, padding: Sequence[tuple[int, int]]) -> Array:
    """Zeros around the axes after the batch.

    Args:
        x: `[B, ..., C]`.
        padding: for each axis between the first and the last, how many before and after.

    Raises:
        ZooError: not a pair of counts for each axis.
    """
    _check_sides("padding", padding, x)
    return jnp.pad(x, ((0, 0), *padding, (0, 0)))


def crop(x: Array, cropping: Sequence[tuple[int, int]]) -> Array:
    """The axes after the batch cut at both ends.

    Args:
        x: `[B, ..., C]`.
        cropping: for each axis between the first and the last, how many before and after.

    Raises:
        ZooError: not a pair of counts for each axis, or nothing would be left of one.
    """
    _check_sides("cropping", cropping, x)
    if any(
        sum(sides) >= size and size for sides, size in zip(cropping, x.shape[1:-1], strict=True)
    ):
        raise ZooError(f"cropping must leave something of shape {x.shape}, got {cropping!r}.")
    inner = (
        slice(before, size - after)
        for (before, after), size in zip(cropping, x.shape[1:-1], strict=True)
    )
    return jnp.asarray(x)[(slice(None), *inner)]


def _check_sides(name: str, sides: Sequence[tuple[int, int]], x: Array) -> None:
    if len(sides) != x.ndim - 2 or any(len(both) != 2 or min(both) < 0 for both in sides):
        raise ZooError(
            f"{name} must be {x.ndim - 2} pairs of counts for x of shape {x.shape}, got {sides!r}."
        )


def upsample1d(x: Array, size: int = 2) -> Array:
    """Each step repeated `size` times: `[B, T, C]` to `[B, size · T, C]`."""
    check_rank("x", x, 3, "[B, T, C]")
    return jnp.repeat(x, size, axis=1)


def upsample2d(x: Array, size: int | tuple[int, int] = 2, interpolation: str = "nearest") -> Array:
    """An image made larger by whole factors.

    Args:
        x: `[B, H, W, C]`.
        size: factors for height and width.
        interpolation: "nearest" repeats pixels; "bilinear" and "bicubic" take pixels as the
            centres of their squares, and weights that fall outside the image are spread over
            the others.

    Returns:
        `[B, size · H, size · W, C]`.

    Raises:
        ZooError: wrong rank, or an unknown interpolation.
    """
    check_rank("x", x, 4, "[B, H, W, C]")
    height, width = pair("size", size)
    if interpolation not in _INTERPOLATIONS:
        raise ZooError(
            f"interpolation must be one of {', '.join(_INTERPOLATIONS)}, got {interpolation!r}."
        )
    if interpolation == "nearest":
        return jnp.repeat(jnp.repeat(x, height, axis=1), width, axis=2)
    shape = (x.shape[0], height * x.shape[1], width * x.shape[2], x.shape[3])
    return jax.image.resize(x, shape, _INTERPOLATIONS[interpolation])
