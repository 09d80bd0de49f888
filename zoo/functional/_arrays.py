"""Array helpers shared by the pure functions."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError

Array: TypeAlias = jax.Array
Tree = TypeVar("Tree")


def along_last_axis(vector: Array, rank: int) -> Array:
    """`vector [C]` as `[1, …, 1, C]`, so that it broadcasts by shape and never by rank."""
    return jnp.reshape(vector, (1,) * (rank - 1) + vector.shape)


def at_least_float32(x: Array) -> Array:
    """`x`, or its values as float32 where its type is narrower: what sums are carried in."""
    return x if x.dtype.itemsize >= 4 else lax.convert_element_type(x, jnp.float32)


def rows_of_all_steps(a: Array) -> Array:
    """`[T, B, F]` as `[T · B, F]`: a product over two axes at once is half as fast on a CPU."""
    return jnp.reshape(a, (a.shape[0] * a.shape[1], a.shape[2]))


def side_by_side(blocks: Sequence[Array], axis: int) -> Array:
    """Blocks of one shape along an axis, as `jnp.concatenate` has them.

    Written one after the other into one array. Joined, XLA's CPU compiler would go number by
    number: a fifth of a training step of a small LSTM.
    """
    if len(blocks) == 1:
        return blocks[0]
    shape, size = list(blocks[0].shape), blocks[0].shape[axis]
    shape[axis] *= len(blocks)
    whole = jnp.zeros(shape, blocks[0].dtype)
    for k, block in enumerate(blocks):
        whole = lax.dynamic_update_slice_in_dim(whole, block, k * size, axis)
    return whole


def varying_alike(arrays: Tree) -> Tree:
    """The arrays, inside `jax.shard_map` all of them varying over the axes that any varies over.

    A loop's state has to be as varied at its start as after a step, but starts as zeros, and its
    weights are on all devices alike. Elsewhere nothing varies, and they are what they were.
    """
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return arrays

    def axes_of(leaf: Array) -> frozenset[str]:
        return frozenset(jax.typeof(leaf).manual_axis_type.varying)

    axes = frozenset[str]().union(*map(axes_of, jax.tree.leaves(arrays)))

    def vary(leaf: Array) -> Array:
        missing = tuple(axes - axes_of(leaf))
        return lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(vary, arrays)


def pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    """A height and a width from one positive integer or two."""
    both = (value, value) if isinstance(value, int) else value
    if not isinstance(both, tuple | list) or len(both) != 2 or not all(map(_is_positive, both)):
        raise ZooError(f"{name} must be a positive integer or a pair of them, got {value!r}.")
    return both[0], both[1]


def _is_positive(side: object) -> bool:
    return isinstance(side, int) and side >= 1


def check_rank(name: str, x: Array, rank: int, axes: str) -> None:
    """Raises unless `x` has `rank` axes; `axes` names them in the message."""
    if x.ndim != rank:
        raise ZooError(f"{name} must have shape {axes} ({rank} axes), got shape {x.shape}.")


def check_one_type(x: Array, kernel: Array) -> None:
    """Raises unless both have one type: a convolution promotes neither."""
    types = jnp.result_type(x), jnp.result_type(kernel)
    if types[0] != types[1]:
        raise ZooError(f"x must be {types[1]} for a kernel of that type, got {types[0]}.")


def check_vector(name: str, vector: Array | None, width: int) -> None:
    """Raises unless `vector` is None or has shape `[width]`; of one number, it would broadcast."""
    if vector is not None and vector.shape != (width,):
        raise ZooError(f"{name} must have shape ({width},), got shape {vector.shape}.")
