"""Features: what the encoder gives, computed once, and anew when what it depends on changes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.functional.cases import zoo_error
from zoo.data import Split
from zoo.layers import BatchNormalization, Dense
from zoo.training import cached_features


class Encoder(nnx.Module):
    def __init__(self, seed=0):
        self.dense = Dense(3, 4, rngs=nnx.Rngs(seed))
        self.norm = BatchNormalization(4)

    def __call__(self, x):
        return self.norm(self.dense(x))


@dataclass(frozen=True)
class Scale:
    by: float = 0.5

    def preprocess(self, x: jax.Array) -> jax.Array:
        return x.astype(jnp.float32) * self.by


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path))


def split(n=7):
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 9, (n, 3)).astype(np.uint8), np.arange(n, dtype=np.int32))


def features(encoder=None, data=None, scale=0.5, **options):
    return cached_features(
        encoder or Encoder(), data or split(), preprocess=Scale(scale).preprocess, **options
    )


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_every_example_once_in_evaluation_mode(batch_size):
    encoder, data = Encoder(), split()
    found = features(encoder, data, batch_size=batch_size)
    x = data.x * np.float32(0.5)
    expected = x @ np.asarray(encoder.dense.kernel[...]) / np.sqrt(1.001)
    assert found.x.dtype == np.float16
    np.testing.assert_allclose(found.x, expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(found.y, data.y)
    assert not encoder.norm.use_running_average  # left in training mode


def test_what_was_computed_is_read(monkeypatch):
    first = features()
    monkeypatch.setattr("zoo.training.features._in_batches", None)
    again = features(Encoder())
    np.testing.assert_array_equal(first.x, again.x)


def test_whatever_it_depends_on_makes_it_anew(tmp_path):
    other_statistics = Encoder()
    other_statistics.norm.moving_mean[...] = jnp.ones(4)
    other_epsilon = Encoder()
    other_epsilon.norm.epsilon = 0.5
    data = split()
    other_pixel = Split(data.x.copy(), data.y)
    other_pixel.x[3, 1] += 1
    variants = [
        features(),
        features(Encoder(1)),
        features(other_statistics),
        features(other_epsilon),
        features(scale=0.25),
        features(data=other_pixel),
    ]
    assert len(list(tmp_path.glob("features-*"))) == len(variants)
    for i, one in enumerate(variants):
        assert not any(np.array_equal(one.x, other.x) for other in variants[:i])


def test_refusals():
    with zoo_error("split must have at least one example, got none."):
        features(data=split(0))
    with zoo_error("batch_size must be a positive integer, got 0."):
        features(batch_size=0)
    with zoo_error("features must be finite and fit into 16 bits, got NaN or infinity."):
        features(scale=1e30)
    with pytest.raises(ValueError, match="must say what they do by their repr"):
        cached_features(Encoder(), split(), preprocess=lambda x: x)
