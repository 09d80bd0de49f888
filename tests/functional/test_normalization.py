"""Batch normalisation against loops over channels."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional.cases import cast, zoo_error
from tests.functional.tolerances import TOLERANCES, assert_close, assert_same
from zoo.errors import ZooError

SHAPES = [(5, 3), (4, 6, 3), (2, 4, 5, 3)]


def some(shape: tuple[int, ...]) -> tuple[F.BatchNormParams, F.BatchNormStats, Any]:
    rng = np.random.default_rng(1)
    params = F.BatchNormParams(jnp.asarray(rng.normal(size=3)), jnp.asarray(rng.normal(size=3)))
    stats = F.BatchNormStats(
        jnp.asarray(rng.normal(size=3)), jnp.asarray(rng.uniform(0.5, 2, size=3))
    )
    return params, stats, jnp.asarray(rng.normal([1, -2, 3], [0.5, 1, 2], (*shape[:-1], 3)))


def expected(
    params: Any, stats: Any, x: Any, training: bool, momentum: float, epsilon: float
) -> tuple[Any, Any]:
    x = np.asarray(x, np.float64)
    y = np.zeros(x.shape)
    mean, variance = (np.array(value, np.float64) for value in stats)
    new_mean, new_variance = mean.copy(), variance.copy()
    for channel in range(x.shape[-1]):
        values = [float(value) for value in x[..., channel].flat]
        m, v = mean[channel], variance[channel]
        if training:
            m = sum(values) / len(values)
            v = sum((value - m) ** 2 for value in values) / len(values)  # biased
            new_mean[channel] = momentum * mean[channel] + (1 - momentum) * m
            new_variance[channel] = momentum * variance[channel] + (1 - momentum) * v
        gamma = 1 if params.gamma is None else float(params.gamma[channel])
        beta = 0 if params.beta is None else float(params.beta[channel])
        y[..., channel] = gamma * (x[..., channel] - m) / np.sqrt(v + epsilon) + beta
    return y, F.BatchNormStats(new_mean, new_variance)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["training", "moving"])
@pytest.mark.parametrize("gamma", [True, False], ids=["gamma", "no_gamma"])
@pytest.mark.parametrize("beta", [True, False], ids=["beta", "no_beta"])
def test_batch_norm(shape: tuple[int, ...], training: bool, gamma: bool, beta: bool) -> None:
    params, stats, x = some(shape)
    params = F.BatchNormParams(params.gamma if gamma else None, params.beta if beta else None)
    actual = F.batch_norm(params, stats, x, training=training, momentum=0.7, epsilon=0.02)
    assert_close(actual, expected(params, stats, x, training, 0.7, 0.02))


@pytest.mark.parametrize("training", [True, False], ids=["training", "moving"])
def test_defaults_are_those_of_keras(training: bool) -> None:
    params, stats, x = some((5, 3))
    actual = F.batch_norm(params, stats, x, training=training)
    assert_close(actual, expected(params, stats, x, training, 0.99, 0.001))


def test_moving_statistics_are_left_alone_outside_training() -> None:
    params, stats, x = some((5, 3))
    _, after = F.batch_norm(params, stats, x, training=False)
    assert_same(after, stats)


@pytest.mark.parametrize("training", [True, False], ids=["training", "moving"])
def test_bfloat16_images_with_float32_weights(training: bool) -> None:
    """Far from zero and of many values, where statistics in bfloat16 would be lost."""
    params, stats, _ = cast(some((5, 3)), jnp.float32)
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.normal(20, 1, (4, 16, 16, 3)), jnp.bfloat16)
    stats = stats._replace(mean=stats.mean + 20)
    y, after = F.batch_norm(params, stats, x, training=training, momentum=0.5)
    expected_y, expected_stats = expected(params, stats, x, training, 0.5, 0.001)
    assert y.dtype == jnp.bfloat16
    assert after.mean.dtype == after.variance.dtype == jnp.float32
    one_rounding = 2.0**-8
    np.testing.assert_allclose(np.asarray(y, np.float64), expected_y, rtol=one_rounding, atol=1e-4)
    for actual, wanted in zip(after, expected_stats, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=TOLERANCES["float32"])


def test_variance_of_large_values_does_not_cancel() -> None:
    """`mean(x²) − mean(x)²` would lose every digit here."""
    params, stats, _ = cast(some((5, 3)), jnp.float32)
    x = jnp.asarray(np.random.default_rng(3).normal(4096, 1, (200, 3)), jnp.float32)
    actual = F.batch_norm(params, stats, x, training=True, momentum=0.0)
    wanted = expected(params, stats, x, True, 0.0, 0.001)
    np.testing.assert_allclose(actual[1].variance, wanted[1].variance, rtol=1e-4)
    np.testing.assert_allclose(actual[0], wanted[0], atol=2e-3)  # the rounding of the mean


def test_constant_channel() -> None:
    params, stats, x = some((5, 3))
    y, after = F.batch_norm(params, stats, jnp.ones_like(x), training=True, momentum=0.0)
    assert_close(y, np.broadcast_to(np.asarray(params.beta), (5, 3)))
    assert_close(after, F.BatchNormStats(np.ones(3), np.zeros(3)))


@pytest.mark.parametrize("shape", [(5, 4), (3,), (5, 1)], ids=str)
def test_channels_must_fit(shape: tuple[int, ...]) -> None:
    params, stats, _ = some((5, 3))
    with zoo_error(
        f"x must have shape [B, ..., 3] for statistics of shape (3,), got shape {shape}."
    ):
        F.batch_norm(params, stats, jnp.ones(shape), training=True)


@pytest.mark.parametrize("training", [True, False], ids=["training", "moving"])
@pytest.mark.parametrize("name", ["gamma", "beta", "variance"])
@pytest.mark.parametrize("shape", [(1,), (4,)], ids=str)
def test_every_vector_must_fit(name: str, shape: tuple[int, ...], training: bool) -> None:
    params, stats, x = some((5, 3))
    if name == "variance":
        stats = stats._replace(variance=jnp.ones(shape))
    else:
        params = params._replace(**{name: jnp.ones(shape)})
    with pytest.raises(ZooError, match=name):
        F.batch_norm(params, stats, x, training=training)
