"""Several arrays made one.

Where masks are given, they are `[B, T]` for arrays `[B, T, C]` and True = keep, as in Keras 3.
"""

import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array

Masks = Sequence[Array | None] | None


def concatenate(xs: Sequence[Array], axis: int = -1) -> Array:
    """Arrays side by side along one axis; all others must agree.

    Raises:
        ZooError: the shapes differ elsewhere.
    """
    shapes = [x.shape for x in xs]
    rank = len(shapes[0])
    if not -rank <= axis < rank:
        raise ZooError(f"axis must be one of the {rank} axes, got {axis!r}.")
    others = {(*shape[: axis % rank], *shape[axis % rank + 1 :]) for shape in shapes}
    if len(others) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ZooError(f"xs must have one shape but for axis {axis}, got {shapes}.")
    return jnp.concatenate(list(xs), axis=axis)


def add(xs: Sequence[Array]) -> Array:
    """The sum of arrays that broadcast together (see `align`)."""
    return functools.reduce(jnp.add, align(xs))


def subtract(xs: Sequence[Array]) -> Array:
    """The first of two arrays minus the second."""
    if len(xs) != 2:
        raise ZooError(f"xs must be two arrays, got {len(xs)}.")
    return functools.reduce(jnp.subtract, align(xs))


def average(xs: Sequence[Array]) -> Array:
    """The mean of arrays that broadcast together."""
    return add(xs) / len(xs)


def multiply(xs: Sequence[Array], masks: Masks = None) -> Array:
    """The product of arrays that broadcast together.

    A masked step of one array counts as 1. Where every array has a mask, steps that all of them
    mask are 0.
    """
    xs = align(xs)
    masks = [None] * len(xs) if masks is None else masks
    kept = [
        x if mask is None else jnp.where(mask[..., None], x, jnp.ones_like(x))
        for x, mask in zip(xs, masks, strict=True)
    ]
    product = functools.reduce(jnp.multiply, kept)
    given = [mask for mask in masks if mask is not None]
    if len(given) < len(xs):
        return product
    any_kept = functools.reduce(jnp.logical_or, given)
    return jnp.where(any_kept[..., None], product, jnp.zeros_like(product))


def maximum(xs: Sequence[Array], masks: Masks = None) -> Array:
    """The largest of arrays that broadcast together; a masked step of one leaves it to the others.

    The arrays are taken in turn. Once one without a mask has come, the result so far has none.
    """
    return _extremum(jnp.maximum, xs, masks)


def minimum(xs: Sequence[Array], masks: Masks = None) -> Array:
    """The smallest, otherwise as `maximum`."""
    return _extremum(jnp.minimum, xs, masks)


def _extremum(choose: Callable[[Array, Array], Array], xs: Sequence[Array], masks: Masks) -> Array:
    xs = align(xs)
    masks = [None] * len(xs) if masks is None else masks
    result, result_mask = xs[0], masks[0]
    for x, mask in zip(xs[1:], masks[1:], strict=True):
        if mask is not None:
            x = jnp.where(mask[..., None], x, result)
        if result_mask is not None:
            result = jnp.where(result_mask[..., None], result, x)
        if mask is None or result_mask is None:
            result_mask = None
        else:
            result_mask = jnp.logical_or(result_mask, mask)
        result = choose(result, x)
    return result


def align(xs: Sequence[Array]) -> list[Array]:
    """The arrays with axes of size 1 after the batch, so that all have one rank.

    Raises:
        ZooError: there are none, or they do not broadcast together.
    """
    if not xs:
        raise ZooError("xs must be at least one array, got none.")
    rank = max(x.ndim for x in xs)
    aligned = [
        jnp.reshape(x, (x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:]))
        if x.ndim < rank
        else jnp.asarray(x)
        for x in xs
    ]
    try:
        jnp.broadcast_shapes(*(x.shape for x in aligned))
    except ValueError:
        raise ZooError(
            f"xs must have shapes that broadcast together, got {[x.shape for x in xs]}."
        ) from None
    return aligned


def dot(x: Array, y: Array, *, axes: int | tuple[int, int], normalize: bool = False) -> Array:
    """Products of two arrays, example by example, summed over one axis of each.

    `[B, ..., n, ...]` and `[B, ..., n, ...]` give the remaining axes of `x`, then those of `y`;
    two matrices `[B, n]` give `[B, 1]`.

    Args:
        x: `[B, ...]` with at least one more axis.
        y: likewise.
        axes: the axis of each that is summed over, one number for both or two.
        normalize: first divide by the length (the L2 norm) along that axis.

    Raises:
        ZooError: an axis is the batch or does not exist, or the two differ in size.
    """
    first, second = (axes, axes) if isinstance(axes, int) else axes
    for array, axis in ((x, first), (y, second)):
        if not -array.ndim <= axis < array.ndim or axis % array.ndim == 0:
            raise ZooError(
                f"axes must be axes after the batch of shapes {x.shape} and {y.shape}, got "
                f"{axes!r}."
            )
    first, second = first % x.ndim, second % y.ndim
    if x.shape[first] != y.shape[second]:
        raise ZooError(
            f"x and y must have one size along axes {first} and {second}, got shapes {x.shape} "
            f"and {y.shape}."
        )
    if normalize:
        x, y = _unit_length(x, first), _unit_length(y, second)
    product: Array = lax.dot_general(x, y, (((first,), (second,)), ((0,), (0,))))
    return product[:, None] if product.ndim == 1 else product


def _unit_length(x: Array, axis: int) -> Array:
    # Keras's bound keeps a vector of zeros a vector of zeros.
    squares = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x * lax.rsqrt(jnp.maximum(squares, 1e-12))
