"""A single layer as a model, so that a layer is measured the way a model is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from flax import nnx

from zoo import layers


@dataclass(frozen=True)
class LayerConfig:
    """The shape of one example."""

    input_shape: tuple[int, ...]


class RecurrentModel(nnx.Module):
    """A recurrent layer, one direction or both: every output, or with a mask the last one.

    Frameworks agree on the last output of a masked sequence and not on the outputs of its
    padding, so that is what can be held against each other.
    """

    def __init__(
        self,
        kind: str,
        *,
        steps: int,
        features: int,
        units: int,
        activation: str = "tanh",
        masked: bool = False,
        both: bool = False,
        rngs: nnx.Rngs,
    ):
        self.config = LayerConfig((steps, features))
        one: Any = partial(
            getattr(layers, kind),
            features,
            units,
            activation=activation,
            return_sequences=not masked,
            rngs=rngs,
        )
        self.masking = layers.Masking() if masked else None
        self.layer = layers.Bidirectional(one(), one()) if both else one()

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, features]` to `[B, T, units]`, or with a mask `[B, units]`."""
        if self.masking is None:
            return self.layer(x)
        mask = self.masking.compute_mask(x)
        return self.layer(self.masking(x), mask=mask)


class ConvolutionModel(nnx.Module):
    """A 3×3 convolution with relu."""

    def __init__(self, size: int, channels: int, filters: int, *, padding: str, rngs: nnx.Rngs):
        self.config = LayerConfig((size, size, channels))
        self.layer = layers.Conv2D(
            channels, filters, 3, padding=padding, activation="relu", rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to `[B, H', W', filters]`."""
        return self.layer(x)


def recurrent(kind: str, **options: Any) -> Callable[..., nnx.Module]:
    """A function of `rngs` that makes a `RecurrentModel`."""
    return partial(RecurrentModel, kind, **options)


def convolution(
    size: int, channels: int, filters: int, *, padding: str = "same"
) -> Callable[..., nnx.Module]:
    """A function of `rngs` that makes a `ConvolutionModel`."""
    return partial(ConvolutionModel, size, channels, filters, padding=padding)
