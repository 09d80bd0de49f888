"""Layers about steps: which are there, and a layer for each of them."""

from collections.abc import Callable

import jax
from flax import nnx

from zoo import functional as F
from zoo.errors import ZooError
from zoo.layers.layer import Layer


class Masking(Layer):
    """Zeroes the steps that hold one value only; `compute_mask` says which these are.

    Args:
        mask_value: a step is masked when all its values equal this.
    """

    def __init__(self, mask_value: float = 0.0):
        self.mask_value = mask_value

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, C]`, kept."""
        return F.zero_masked(x, self.compute_mask(x))

    def compute_mask(self, x: jax.Array) -> jax.Array:
        """`[B, T, C]` to the mask `[B, T]` that a recurrent layer after this one takes."""
        return F.steps_other_than(x, self.mask_value)


class TimeDistributed(Layer):
    """A layer on every step of a sequence; see `zoo.functional.time_distributed`."""

    def __init__(self, layer: nnx.Module):
        if not callable(layer):
            raise ZooError(f"layer must be a layer or a model, got {type(layer).__name__}.")
        self.layer = layer

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, ...]` to `[B, T, ...]`."""
        function: Callable[[jax.Array], jax.Array] = self.layer
        return F.time_distributed(function, x)
