"""A batch that devices share: what has to be of all its rows inside `jax.shard_map`.

Where `jax.shard_map` runs over a mesh with an axis called `BATCH_AXIS`, each device has as many
rows of a batch as the others, and most functions need not know. Two kinds do, so that a batch cut
over devices gives what it gives on one: statistics of a batch are of the whole batch, and draws by
chance are made for the whole batch, of which a device takes those of its own rows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from zoo.functional._arrays import Array

BATCH_AXIS = "batch"


def batch_is_cut() -> bool:
    """Whether this is traced inside `jax.shard_map` over `BATCH_AXIS`."""
    return BATCH_AXIS in jax.sharding.get_abstract_mesh().manual_axes


def own_rows(whole: Array) -> Array:
    """Of `whole [B, ...]`, which all devices have, the rows of this one; without a cut, all."""
    if not batch_is_cut():
        return whole
    rows = whole.shape[0] // lax.axis_size(BATCH_AXIS)
    return lax.dynamic_slice_in_dim(whole, lax.axis_index(BATCH_AXIS) * rows, rows)


def drawn(draw: Callable[[tuple[int, ...]], Array], shape: tuple[int, ...]) -> Array:
    """`draw(shape)`; with a cut, `shape` is of this device's rows of one draw for all."""
    if not batch_is_cut():
        return draw(shape)
    return own_rows(draw((shape[0] * lax.axis_size(BATCH_AXIS), *shape[1:])))


def mean_and_variance(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Of the whole batch, `[C]` each, from those of this device's rows; without a cut, the same.

    `σ² = mean over the devices of (σ_d² + (μ_d − μ)²)`, from one exchange of both.
    """
    if not batch_is_cut():
        return mean, variance
    # As one array, for the devices wait for each other once for each.
    both = lax.all_gather(jnp.concatenate((mean, variance)), BATCH_AXIS)
    means, variances = jnp.split(both, 2, axis=1)
    mean = means.mean(axis=0)
    return mean, (variances + lax.square(means - mean[None])).mean(axis=0)
