"""Layers that are random in training and do nothing in evaluation."""

import jax
from flax import nnx

from zoo import functional as F
from zoo.errors import ZooError
from zoo.layers.layer import Layer


class Dropout(Layer):
    """Zeroes a share of the values in training, and nothing in evaluation.

    Args:
        rate: the share, at least 0 and less than 1.
        rngs: the stream `dropout` gives each call in training a new key.
    """

    def __init__(self, rate: float, *, rngs: nnx.Rngs):
        if not 0 <= rate < 1:
            raise ZooError(f"rate must be at least 0 and less than 1, got {rate!r}.")
        self.rate = rate
        self.deterministic = False  # the name that model.train() and model.eval() set
        self.rngs = rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept; see `zoo.functional.dropout`."""
        if self.deterministic or self.rate == 0:
            return x
        return F.dropout(self.rngs(), x, self.rate)


class SpatialDropout(Layer):
    """Zeroes a share of the channels in training; see `zoo.functional.spatial_dropout`.

    Args:
        rate: the share, at least 0 and less than 1.
        rngs: the stream `dropout` gives each call in training a new key.
    """

    def __init__(self, rate: float, *, rngs: nnx.Rngs):
        if not 0 <= rate < 1:
            raise ZooError(f"rate must be at least 0 and less than 1, got {rate!r}.")
        self.rate = rate
        self.deterministic = False  # the name that model.train() and model.eval() set
        self.rngs = rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ..., C]`, kept."""
        if self.deterministic or self.rate == 0:
            return x
        return F.spatial_dropout(self.rngs(), x, self.rate)


class SpatialDropout1D(SpatialDropout):
    """`SpatialDropout` of sequences `[B, T, C]`."""


class SpatialDropout2D(SpatialDropout):
    """`SpatialDropout` of images `[B, H, W, C]`."""


class GaussianNoise(Layer):
    """Adds normal noise in training; see `zoo.functional.gaussian_noise`.

    Args:
        stddev: standard deviation of the noise.
        rngs: the stream `dropout` gives each call in training a new key.
    """

    def __init__(self, stddev: float, *, rngs: nnx.Rngs):
        if stddev < 0:
            raise ZooError(f"stddev must not be negative, got {stddev!r}.")
        self.stddev = stddev
        self.deterministic = False  # the name that model.train() and model.eval() set
        self.rngs = rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept."""
        if self.deterministic or self.stddev == 0:
            return x
        return F.gaussian_noise(self.rngs(), x, self.stddev)
