"""Array helpers shared by the pure functions."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError

Array: TypeAlias = jax.Array
Tree = TypeVar("Tree")

# A product of so many numbers or fewer is small, see `product_over_rows`.
SMALL_RESULT = 64 * 64


def along_last_axis(vector: Array, rank: int) -> Array:
    """`vector [C]` as `[1, …, 1, C]`, so that it broadcasts by shape and never by rank."""
    return jnp.reshape(vector, (1,) * (rank - 1) + vector.shape)


def at_least_float32(x: Array) -> Array:
    """`x`, or its values as float32 where its type is narrower: what sums are carried in."""
    return x if x.dtype.itemsize >= 4 else lax.convert_element_type(x, jnp.float32)


def rows_of_all_steps(a: Array) -> Array:
    """`[T, B, F]` as `[T · B, F]`: a product over two axes at once is half as fast on a CPU."""
    return jnp.reshape(a, (a.shape[0] * a.shape[1], a.shape[2]))


def product_over_rows(a: Array, b: Array) -> Array:
    """`aᵀ · b [F, G]` of `a [N, F]` and `b [N, G]`, such as the gradient by a layer's weights.

    XLA's CPU compiler leaves a product that runs along both first axes to Eigen, and one whose left
    side was turned before to YNNPACK, which is the faster unless the result is small. Microseconds
    on one core of an AMD EPYC (in brackets two), vectors of 512 bits, jax 0.10.2, float32:

    | N, F, G | as it is | turned |
    | --- | --- | --- |
    | 448, 128, 512 | 340 (192) | **276 (167)** |
    | 1600, 128, 256 | 607 (357) | **498 (278)** |
    | 3584, 128, 384 | 1929 (1250) | **1684 (897)** |
    | 3200, 64, 64 | 239 (193) | **144 (159)** |
    | 3200, 32, 96 | 153 (**79**) | **111** (102) |
    | 3200, 32, 32 | 95 (**45**) | **46** (59) |

    With small ones turned as well, a training step of text_rnn took 2.7 instead of 2.5 ms.
    """
    if a.shape[1] * b.shape[1] <= SMALL_RESULT:
        return a.T @ b
    # The barrier keeps XLA from putting the turning back into the product.
    return lax.optimization_barrier(a.T) @ b


def side_by_side(blocks: Sequence[Array], axis: int, over: Array) -> Array:
    """Blocks along an axis, as `jnp.concatenate` has them.

    Written one after the other over an array of the whole's shape that nobody needs any more.
    Joined, XLA's CPU compiler would go number by number: a fifth of a training step of a small
    LSTM. Over zeros, XLA makes the first block and the zeros beside it one padded array: by a
    profile 5.5 instead of 1.6 microseconds for `[16, 512]`.
    """
    if len(blocks) == 1:
        return blocks[0]
    size = blocks[0].shape[axis]
    for k, block in enumerate(blocks):
        over = lax.dynamic_update_slice_in_dim(over, block, k * size, axis)
    return over


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
