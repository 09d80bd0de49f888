"""Weights start as in Keras."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import kstest

from zoo import layers

RNGS = nnx.Rngs(0)


def check_uniform(weights: jax.Array, bound: float) -> None:
    """Spread evenly from −bound to bound, by the test of Kolmogorov and Smirnov."""
    values = np.asarray(weights).ravel()
    assert np.abs(values).max() <= bound
    assert kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (layers.Dense(20, 70, rngs=RNGS), 20, 70),
        (layers.Conv2D(4, 12, (3, 5), rngs=RNGS), 3 * 5 * 4, 3 * 5 * 12),
        # A filter of a group sees that group's channels; Keras counts all filters going out.
        (layers.Conv2D(8, 12, 3, groups=4, rngs=RNGS), 3 * 3 * 2, 3 * 3 * 12),
        # All gates are one matrix.
        (layers.SimpleRNN(20, 40, rngs=RNGS), 20, 40),
        (layers.LSTM(20, 10, rngs=RNGS), 20, 40),
        (layers.GRU(20, 10, rngs=RNGS), 20, 30),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nnx.Module) else "",
)
def test_kernels_are_glorot_uniform(layer, fan_in, fan_out):
    assert layer.kernel.dtype == jnp.float32
    check_uniform(layer.kernel[...], math.sqrt(6 / (fan_in + fan_out)))


def test_an_embedding_is_uniform():
    check_uniform(layers.Embedding(50, 20, rngs=RNGS).embeddings[...], 0.05)


def test_an_embedding_bag_is_normal():
    table = np.asarray(layers.EmbeddingBag(500, 20, stddev=0.3, rngs=RNGS).embeddings[...])
    # Five standard errors of the mean and of the deviation of 10,000 draws.
    assert abs(table.mean()) < 5 * 0.3 / 100
    assert abs(table.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * 10_000)
    assert 0.6 < np.abs(table).max() < 2


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_recurrent_kernels_are_orthogonal(kind):
    kernel = np.asarray(kind(3, 16, rngs=RNGS).recurrent_kernel[...])
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(16), atol=1e-5)
    assert np.abs(np.abs(kernel) - np.eye(*kernel.shape)).max() > 0.5  # and not the identity


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dense(3, 4, rngs=RNGS), (4,)),
        (layers.Conv2D(3, 4, 2, rngs=RNGS), (4,)),
        (layers.SimpleRNN(3, 4, rngs=RNGS), (4,)),
        (layers.LSTM(3, 4, unit_forget_bias=False, rngs=RNGS), (16,)),
        (layers.GRU(3, 4, rngs=RNGS), (2, 12)),
        (layers.GRU(3, 4, reset_after=False, rngs=RNGS), (12,)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nnx.Module) else "",
)
def test_biases_are_zero(layer, shape):
    np.testing.assert_array_equal(layer.bias[...], np.zeros(shape, np.float32))


def test_the_forget_gate_s_bias_is_one():
    """The second of the gates i, f, c, o."""
    bias = layers.LSTM(3, 4, rngs=RNGS).bias[...]
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 4))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(3, 4, use_bias=False, rngs=RNGS),
        layers.Conv2D(3, 4, 2, use_bias=False, rngs=RNGS),
        layers.SimpleRNN(3, 4, use_bias=False, rngs=RNGS),
        layers.LSTM(3, 4, use_bias=False, rngs=RNGS),
        layers.GRU(3, 4, use_bias=False, rngs=RNGS),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_without_a_bias_there_is_none(layer):
    assert layer.bias is None
    assert layer.params.bias is None


def test_the_seed_decides_and_no_two_weights_are_one_draw():
    def kernels(seed):
        rngs = nnx.Rngs(seed)
        pair = [layers.LSTM(4, 4, rngs=rngs) for _ in range(2)]
        return [
            np.asarray(w[...]) for layer in pair for w in (layer.kernel, layer.recurrent_kernel)
        ]

    first, again, other = kernels(0), kernels(0), kernels(1)
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, different)
    assert not np.array_equal(first[0], first[2])
    assert not np.array_equal(first[1], first[3])
