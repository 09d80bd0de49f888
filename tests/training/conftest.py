"""A data set that can be learnt, and models small enough to compile in a moment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.data import Split
from zoo.layers import BatchNormalization, Dense, Dropout, Flatten


class Tiny(nnx.Module):
    """Dropout and BatchNorm are there for their state: random counters and moving statistics."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.flatten = Flatten()
        self.hidden = Dense(16, 8, activation="relu", rngs=rngs)
        self.norm = BatchNormalization(8, momentum=0.9)
        self.dropout = Dropout(0.1, rngs=rngs)
        self.logits = Dense(8, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.logits(self.dropout(self.norm(self.hidden(self.flatten(x)))))


def blobs(examples: int, seed: int) -> Split:
    """Three kinds of 4×4 images: bright on the left, on the right, or in the middle row."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, examples).astype(np.int32)
    x = rng.integers(0, 120, (examples, 4, 4, 1)).astype(np.uint8)
    x[y == 0, :, :2] += 100
    x[y == 1, :, 2:] += 100
    x[y == 2, 1:3] += 100
    return Split(x, y)


@pytest.fixture(scope="session")
def train() -> Split:
    return blobs(90, seed=0)


@pytest.fixture(scope="session")
def validation() -> Split:
    return blobs(37, seed=1)


@pytest.fixture
def model() -> Tiny:
    return Tiny(rngs=nnx.Rngs(0))


def noise(key: jax.Array, x: jax.Array) -> jax.Array:
    """An augmentation that shows whether keys are used as they should be."""
    return jnp.where(jax.random.bernoulli(key, 0.05, x.shape), jnp.zeros_like(x), x)
