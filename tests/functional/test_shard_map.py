"""Inside `jax.shard_map`: the batch cut over devices, the weights on all of them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import zoo.functional as F
from tests.functional.cases import LAYERS, Layer, sequences
from tests.functional.tolerances import assert_close
from zoo.functional.batch_axis import BATCH_AXIS
from zoo.functional.recurrence_ways import fastest_way


def check(run: Any, params: Any, *by_batch: Any) -> None:
    """Values and gradients on two devices are those of one."""
    devices = Mesh(np.array(jax.devices()[:2]), (BATCH_AXIS,))
    cut = PartitionSpec(BATCH_AXIS)
    specs = (PartitionSpec(), *(cut for _ in by_batch))
    cut_run = jax.shard_map(run, mesh=devices, in_specs=specs, out_specs=cut)

    def both(run: Any) -> Any:
        def loss(params: Any, x: Any, *others: Any) -> jax.Array:
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(run(params, x, *others)))

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, *by_batch)

    assert_close(both(cut_run), both(run))


@pytest.mark.parametrize("rows", [2, 32], ids=["by_rows", "by_units"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_recurrent_layers(layer: Layer, rows: int) -> None:
    """From zeros, which are on all devices alike until the first step."""
    rng = np.random.default_rng(1)
    params, x = layer.params(rng), sequences(rng, rows)
    assert fastest_way(params, x[: rows // 2], "tanh") == ("by_units" if rows == 32 else "by_rows")
    mask = jnp.asarray(rng.random(x.shape[:2]) < 0.7)

    def run(params: Any, x: Any, mask: Any) -> Any:
        return layer.sequence(params, x, None, mask=mask, **layer.options)

    check(run, params, x, mask)


@pytest.mark.parametrize("channels", [1, 3, 4], ids=["trained", "by_patches", "by_rows"])
def test_convolution(channels: int) -> None:
    rng = np.random.default_rng(2)
    params = F.ConvParams(jnp.asarray(rng.normal(size=(3, 3, channels, 2))), jnp.ones(2))
    check(
        partial(F.conv2d, padding="same"), params, jnp.asarray(rng.normal(size=(2, 5, 4, channels)))
    )


def test_batch_norm_has_the_statistics_of_the_whole_batch() -> None:
    rng = np.random.default_rng(3)
    params = F.BatchNormParams(jnp.asarray(rng.normal(size=3)), jnp.asarray(rng.normal(size=3)))
    stats = F.BatchNormStats(jnp.zeros(3), jnp.ones(3))
    # The two halves are far apart: their own statistics would be others.
    x = jnp.asarray(rng.normal(size=(6, 5, 3)) + np.repeat([0.0, 4.0], 3).reshape(6, 1, 1))

    def run(params: Any, x: Any) -> Any:
        y, new = F.batch_norm(params, stats, x, training=True)
        rows = jnp.ones((x.shape[0], 1))
        return y, rows * new.mean[None], rows * new.variance[None]

    check(run, params, x)


@pytest.mark.parametrize(
    "draw",
    [
        F.dropout,
        F.spatial_dropout,
        F.gaussian_noise,
    ],
    ids=lambda draw: draw.__name__,
)
def test_draws_are_those_of_the_whole_batch(draw: Any) -> None:
    """What is drawn for an example does not depend on how many devices there are."""
    x = jnp.asarray(np.random.default_rng(4).normal(size=(6, 5, 3)))
    check(lambda scale, x: scale * draw(jax.random.key(5), x, 0.4), jnp.asarray(2.0), x)
