"""The plain CNN of the study on CIFAR-10: convolutions, poolings, dense layers."""

import math
from dataclasses import dataclass
from typing import Literal

import jax
from flax import nnx

from zoo.errors import ZooError, check_positive
from zoo.layers import (
    AveragePooling2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    Rescaling,
)
from zoo.models.images import check_image_config, check_images
from zoo.models.registry import register_model


@dataclass(frozen=True)
class CIFAR10CNNConfig:
    """Sizes of the model; the defaults are the report's reference.

    A block is convolutions with its number of filters, and a pooling; there is a block for each
    entry of `filters`. `convolutions` says how many layers each has, or all of them. The first
    layer sees `(x − pixel_mean) / pixel_deviation`.
    """

    input_shape: tuple[int, int, int] = (32, 32, 3)
    filters: tuple[int, ...] = (32, 64, 128)
    convolutions: int | tuple[int, ...] = 1
    kernel_size: int = 3
    pooling: Literal["max", "average"] = "max"
    hidden: int = 128
    block_dropout: float = 0.0
    dropout: float = 0.0
    pixel_mean: float = 0.0
    pixel_deviation: float = 1.0
    classes: int = 10

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        if not isinstance(self.filters, tuple) or not self.filters:
            raise ZooError(
                f"filters must be a tuple of numbers, one a block, got {self.filters!r}."
            )
        for filters in self.filters:
            check_positive(filters=filters)
        for convolutions in self.layers:
            check_positive(convolutions=convolutions)
        if len(self.layers) != len(self.filters):
            raise ZooError(
                f"convolutions must be one number, or one for each of the {len(self.filters)} "
                f"blocks, got {self.convolutions!r}."
            )
        check_positive(kernel_size=self.kernel_size, hidden=self.hidden)
        for name, value in (
            ("pixel_mean", self.pixel_mean),
            ("pixel_deviation", self.pixel_deviation),
        ):
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ZooError(f"{name} must be a finite number, got {value!r}.")
        if self.pixel_deviation <= 0:
            raise ZooError(f"pixel_deviation must be more than 0, got {self.pixel_deviation!r}.")
        if self.pooling not in ("max", "average"):
            raise ZooError(f"pooling must be 'max' or 'average', got {self.pooling!r}.")

    @property
    def layers(self) -> tuple[int, ...]:
        """How many convolutions each block has."""
        if isinstance(self.convolutions, tuple):
            return self.convolutions
        return (self.convolutions,) * len(self.filters)


@register_model("cifar10_cnn", CIFAR10CNNConfig)
class CIFAR10CNN(nnx.Module):
    """Blocks of convolution and pooling, then two dense layers.

    | layer | output | parameters |
    | --- | --- | --- |
    | Conv 32, 3×3, relu, same; MaxPool 2×2 | 16, 16, 32 | 896 |
    | Conv 64, 3×3, relu, same; MaxPool 2×2 | 8, 8, 64 | 18,496 |
    | Conv 128, 3×3, relu, same; MaxPool 2×2 | 4, 4, 128 | 73,856 |
    | Flatten; Dense 128, relu; Dropout | 128 | 262,272 |
    | Dense 10 (logits) | 10 | 1,290 |

    356,810 parameters in all. Pixels are expected between 0 and 1; without BatchNorm it pays to
    centre them (`pixel_mean`), since what all pixels share would be most of every gradient. An odd
    row or column is pooled by itself.
    """

    def __init__(self, config: CIFAR10CNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, channels = config.input_shape
        self.rescale = Rescaling(
            1 / config.pixel_deviation, -config.pixel_mean / config.pixel_deviation
        )
        blocks = []
        for filters, layers in zip(config.filters, config.layers, strict=True):
            blocks.append(_Block(channels, filters, layers, config, rngs=rngs))
            height, width, channels = -(-height // 2), -(-width // 2), filters
        self.blocks = nnx.List(blocks)
        self.flatten = Flatten()
        self.hidden = Dense(height * width * channels, config.hidden, activation="relu", rngs=rngs)
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.logits = Dense(config.hidden, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        check_images(x, self.config.input_shape)
        x = self.rescale(x)
        for block in self.blocks:
            x = block(x)
        return self.logits(self.dropout(self.hidden(self.flatten(x))))


class _Block(nnx.Module):
    def __init__(
        self,
        in_features: int,
        filters: int,
        layers: int,
        config: CIFAR10CNNConfig,
        *,
        rngs: nnx.Rngs,
    ):
        widths = [in_features] + [filters] * (layers - 1)
        self.convolutions = nnx.List(
            Conv2D(
                width,
                filters,
                config.kernel_size,
                padding="same",
                activation="relu",
                rngs=rngs,
            )
            for width in widths
        )
        pooling = MaxPooling2D if config.pooling == "max" else AveragePooling2D
        self.pool = pooling(2, padding="same")
        self.dropout = Dropout(config.block_dropout, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        *convolutions, last = self.convolutions
        for convolution in convolutions:
            x = convolution(x)
        return self.dropout(last.max_pooled(self.pool, x))
