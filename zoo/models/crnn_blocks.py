"""What the three families of the ECRNN study share: their CNN, their RNN, their checks."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.errors import ZooError, check_positive, unknown_name
from zoo.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Dense,
    Flatten,
    MaxPooling2D,
    Recurrent,
    Reshape,
    SimpleRNN,
)
from zoo.models.images import check_image_config, check_images

CELLS: dict[str, type[LSTM | GRU | SimpleRNN]] = {"lstm": LSTM, "gru": GRU, "simple_rnn": SimpleRNN}
GIVEN = ("sequence", "zeros", "shuffled")


@dataclass(frozen=True)
class ConvConfig:
    """Sizes of the CNN; the defaults are the report's.

    `momentum` is that of BatchNorm's moving statistics. The report does not say it and Keras has
    0.99, with which a run of a few hundred steps ends with statistics of its beginning.
    """

    input_shape: tuple[int, int, int] = (32, 32, 3)
    filters: tuple[int, ...] = (32, 64, 128, 256)
    classes: int = 10
    momentum: float = 0.99

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_sizes("filters", self.filters)
        if not 0 <= self.momentum < 1:
            raise ZooError(f"momentum must be at least 0 and less than 1, got {self.momentum!r}.")

    @property
    def features(self) -> int:
        """How many numbers the CNN makes of an image; the report's 1,024."""
        height, width, _ = self.input_shape
        side = 2 ** len(self.filters)
        return prod((-(-height // side), -(-width // side), self.filters[-1]))


@dataclass(frozen=True)
class RecurrentConfig(ConvConfig):
    """Sizes of a CNN and of the RNN on top of it; the defaults are the report's table.

    `units` has one entry for each recurrent layer: `(16, 16)` is what the report calls 16-16.
    `given` is for controls: what the RNN is given is the sequence itself, zeros in its place, so
    that nothing of the image is left, or the sequence in another order, the same for all images.
    """

    cell: Literal["lstm", "gru", "simple_rnn"] = "lstm"
    units: tuple[int, ...] = (16,)
    bidirectional: bool = True
    given: Literal["sequence", "zeros", "shuffled"] = "sequence"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes("units", self.units)
        if self.cell not in CELLS:
            raise unknown_name("cell", self.cell, CELLS)
        if self.given not in GIVEN:
            raise unknown_name("given", self.given, GIVEN)
        check_switch("bidirectional", self.bidirectional)


def check_sizes(name: str, sizes: tuple[int, ...]) -> None:
    """Raises unless `sizes` is a tuple of at least one positive integer."""
    if not isinstance(sizes, tuple) or not sizes:
        raise ZooError(f"{name} must be a tuple with a size for each layer, got {sizes!r}.")
    for i, size in enumerate(sizes):
        check_positive(**{f"{name}[{i}]": size})


def check_switch(name: str, value: bool) -> None:
    """Raises unless `value` is True or False."""
    if not isinstance(value, bool):
        raise ZooError(f"{name} must be True or False, got {value!r}.")


class ConvFeatures(nnx.Module):
    """Blocks of Conv 3×3 same with relu, BatchNorm and MaxPool 2×2, then Flatten.

    An odd row or column is pooled by itself, so that images of any size go through.
    """

    def __init__(self, config: ConvConfig, *, rngs: nnx.Rngs):
        self.input_shape = config.input_shape
        channels = (config.input_shape[2], *config.filters)
        self.blocks = nnx.List(
            _ConvBlock(before, after, config.momentum, rngs=rngs)
            for before, after in pairwise(channels)
        )
        self.flatten = Flatten()

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to features `[B, n]`, row by row, channels fastest."""
        check_images(x, self.input_shape)
        for block in self.blocks:
            x = block(x)
        return self.flatten(x)


class _ConvBlock(nnx.Module):
    def __init__(self, in_features: int, filters: int, momentum: float, *, rngs: nnx.Rngs):
        self.conv = Conv2D(in_features, filters, 3, padding="same", activation="relu", rngs=rngs)
        self.norm = BatchNormalization(filters, momentum=momentum)
        self.pool = MaxPooling2D(2, padding="same")

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.pool(self.norm(self.conv(x)))


def encoder_decoder_widths(features: int) -> tuple[int, int, int, int]:
    """To a quarter of the features and back, by halves: the report's 512, 256, 512, 1,024."""
    half, quarter = max(features // 2, 1), max(features // 4, 1)
    return half, quarter, half, features


class DenseBlocks(nnx.Module):
    """Blocks of Dense with relu and BatchNorm on a CNN's features: ECRNN's encoder and decoder."""

    def __init__(self, config: ConvConfig, widths: tuple[int, ...], *, rngs: nnx.Rngs):
        self.blocks = nnx.List(
            _DenseBlock(before, after, config.momentum, rngs=rngs)
            for before, after in pairwise((config.features, *widths))
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Features `[B, n]` to `[B, widths[-1]]`."""
        for block in self.blocks:
            x = block(x)
        return x


class _DenseBlock(nnx.Module):
    def __init__(self, in_features: int, units: int, momentum: float, *, rngs: nnx.Rngs):
        self.dense = Dense(in_features, units, activation="relu", rngs=rngs)
        self.norm = BatchNormalization(units, momentum=momentum)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.dense(x))


class RecurrentLayers(nnx.Module):
    """Features as a sequence of numbers, and recurrent layers over it, one after the other.

    The last layer gives its last output, a bidirectional one those of both directions side by
    side.
    """

    def __init__(self, config: RecurrentConfig, *, rngs: nnx.Rngs):
        self.given = config.given
        self.reshape = Reshape((config.features, 1))
        self.layers: nnx.List[Any] = nnx.List()
        directions = 2 if config.bidirectional else 1
        width = 1
        for i, units in enumerate(config.units):
            made: list[Recurrent] = [
                CELLS[config.cell](
                    width, units, return_sequences=i < len(config.units) - 1, rngs=rngs
                )
                for _ in range(directions)
            ]
            self.layers.append(Bidirectional(*made) if config.bidirectional else made[0])
            width = directions * units
        self.out_features = width

    def sequence(self, features: jax.Array) -> jax.Array:
        """Features `[B, n]` to what the first layer is given, `[B, n, 1]`."""
        x = self.reshape(features)
        if self.given == "zeros":
            return jnp.zeros_like(x)
        if self.given == "shuffled":
            return x[:, np.random.default_rng(0).permutation(x.shape[1])]
        return x

    def __call__(self, sequence: jax.Array) -> jax.Array:
        """`[B, T, 1]` to `[B, out_features]`."""
        x = sequence
        for layer in self.layers:
            x = layer(x)
        return x
