"""Dense products and table look-ups: the layers that are one matrix."""

from typing import NamedTuple

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis, check_rank, check_vector


class DenseParams(NamedTuple):
    """`kernel [in, out]` and `bias [out]` (or None)."""

    kernel: Array
    bias: Array | None = None


def dense(params: DenseParams, x: Array) -> Array:
    """The affine map `y = x · kernel + bias` on the last axis.

    Args:
        params: kernel `[in, out]`, bias `[out]` or None.
        x: `[..., in]`.

    Returns:
        `[..., out]`.

    Raises:
        ZooError: the last axis of `x` is not `in`, or the bias is not `[out]`.

    >>> dense(DenseParams(jnp.eye(2), jnp.array([1.0, 2.0])), jnp.zeros((1, 2))).tolist()
    [[1.0, 2.0]]
    """
    check_rank("kernel", params.kernel, 2, "[in, out]")
    if x.ndim < 1 or x.shape[-1] != params.kernel.shape[0]:
        raise ZooError(
            f"x must have shape [..., {params.kernel.shape[0]}] for a kernel of shape "
            f"{params.kernel.shape}, got shape {x.shape}."
        )
    check_vector("bias", params.bias, params.kernel.shape[1])
    y = jnp.matmul(x, params.kernel)
    return y if params.bias is None else y + along_last_axis(params.bias, y.ndim)


def embedding(table: Array, ids: Array) -> Array:
    """Rows of `table` by number: `y[...] = table[ids[...]]`.

    An id outside `0 … vocabulary − 1` cannot raise inside a compiled program; its row is
    NaN, so that the mistake shows in the loss instead of training on another word's row.

    Args:
        table: `[vocabulary, dim]`.
        ids: integers `[...]`.

    Returns:
        `[..., dim]`.

    Raises:
        ZooError: `ids` are not integers, or `table` is not a matrix.
    """
    check_rank("table", table, 2, "[vocabulary, dim]")
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ZooError(f"ids must be integers, got dtype {ids.dtype}.")
    return (
        jnp.asarray(table).at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
    )


def embedding_bag(table: Array, ids: Array) -> Array:
    """The rows of `table` for several ids added up: `y = Σ table[id] / √n` over the ids ≠ 0.

    `n` is the number of ids ≠ 0; id 0 is padding, and a bag of nothing else gives zeros. The root
    keeps the size of a sum of independent rows, however many they are.

    Args:
        table: `[vocabulary, dim]`.
        ids: integers `[..., n]`; as in `embedding` an id outside the table gives NaN.

    Returns:
        `[..., dim]`.

    Raises:
        ZooError: as `embedding`, or ids without an axis.

    Source: Bojanowski et al., 2017, https://arxiv.org/abs/1607.04606 (words as bags of their
    character n-grams)

    >>> embedding_bag(jnp.ones((5, 1)), jnp.array([[1, 2, 3, 4], [2, 0, 0, 0]])).tolist()
    [[2.0], [1.0]]
    """
    if ids.ndim < 1:
        raise ZooError(f"ids must have shape [..., n], got shape {ids.shape}.")
    rows = embedding(table, ids)
    keep = (ids != 0)[..., None]
    total = jnp.sum(jnp.where(keep, rows, jnp.zeros_like(rows)), axis=-2)
    return total / jnp.sqrt(jnp.maximum(jnp.sum(keep.astype(rows.dtype), axis=-2), 1))
