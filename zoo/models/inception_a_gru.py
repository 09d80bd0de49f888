"""The table that the report on Inception v3 and GRU calculates by hand."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.errors import ZooError, check_positive
from zoo.layers import (
    GRU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Reshape,
)
from zoo.models.images import check_image_config, check_images, sized_pixels
from zoo.models.registry import register_model


@dataclass(frozen=True)
class InceptionAGRUConfig:
    """The head ("flatten" as in the table, or "gru" over the positions) and sizes.

    Numbers of filters are `width` times a half to one and a half of it, as in the table, where
    it is 64. `units` is the width of the GRU.
    """

    input_shape: tuple[int, int, int] = (224, 224, 3)
    classes: int = 3
    head: Literal["flatten", "gru"] = "flatten"
    width: int = 64
    units: int = 64

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_positive(width=self.width, units=self.units)
        if self.head not in ("flatten", "gru"):
            raise ZooError(f"head must be 'flatten' or 'gru', got {self.head!r}.")
        if self.width % 4:
            raise ZooError(
                f"width must be a multiple of 4, for ¾ of it to be whole, got {self.width}."
            )
        if min(self.input_shape[:2]) < 3:
            raise ZooError(
                "input_shape must be at least 3 pixels high and wide for a 3×3 window, got "
                f"{self.input_shape}."
            )

    def preprocess(self, images: jax.Array) -> jax.Array:
        """Bytes `[B, H, W, C]` of any size as floats from 0 to 1 of the model's; floats as is."""
        if images.dtype != jnp.uint8:
            return images
        return sized_pixels(images, self.input_shape) / 255


@register_model("inception_a_gru", InceptionAGRUConfig)
class InceptionAGRU(nnx.Module):
    """A stem and one Inception-A block, then Flatten and Dense, or a GRU over the positions.

    | layer (each conv with BatchNorm and ReLU) | output for 224×224 | parameters |
    | --- | --- | --- |
    | conv 64, 3×3, stride 2, valid | 111, 111, 64 | 1,792 + 256 |
    | pool: mean of 3×3, stride 1, same | 111, 111, 64 | |
    | conv1 32, 1×1, on pool | 111, 111, 32 | 2,080 + 128 |
    | conv2 64, 1×1 → conv3 96, 1×1 → conv4 48, 3×3 | 111, 111, 48 | 51,920 + 832 |
    | conv5 64, 1×1 → conv6 64, 3×3 | 111, 111, 64 | 41,088 + 512 |
    | conv7 64, 1×1 | 111, 111, 64 | 4,160 + 256 |
    | concatenation of conv1, conv4, conv6, conv7 | 111, 111, 208 | |
    | Flatten, Dense 3 (logits) | 3 | 7,688,307 |

    The report's table names no inputs for its branches, and concatenates a conv8 that it never
    defines. This is our reading, that of an Inception-A block: four branches from the stem,
    conv6 padded so that the shapes agree, and conv7 in the place of conv8. BatchNorm's numbers
    are with its moving statistics. 7,791,331 parameters in all.

    With `head="gru"` the positions of the concatenation, row by row, are the steps of a GRU whose
    last state goes to the dense layer. Pixels are expected between 0 and 1.
    """

    def __init__(self, config: InceptionAGRUConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, channels = config.input_shape
        full = config.width
        half, most, more = full // 2, full // 4 * 3, full // 2 * 3
        self.stem = ConvBatchNormReLU(channels, full, 3, 2, "valid", rngs=rngs)
        self.pool = AveragePooling2D(3, 1, "same")
        self.conv1 = ConvBatchNormReLU(full, half, 1, rngs=rngs)
        self.conv2 = ConvBatchNormReLU(full, full, 1, rngs=rngs)
        self.conv3 = ConvBatchNormReLU(full, more, 1, rngs=rngs)
        self.conv4 = ConvBatchNormReLU(more, most, 3, rngs=rngs)
        self.conv5 = ConvBatchNormReLU(full, full, 1, rngs=rngs)
        self.conv6 = ConvBatchNormReLU(full, full, 3, rngs=rngs)
        self.conv7 = ConvBatchNormReLU(full, full, 1, rngs=rngs)
        self.concatenate = Concatenate()
        positions = (height - 1) // 2 * ((width - 1) // 2)
        features = half + most + 2 * full
        if config.head == "gru":
            self.sequence = Reshape((positions, features))
            self.gru = GRU(features, config.units, rngs=rngs)
            self.logits = Dense(config.units, config.classes, rngs=rngs)
        else:
            self.flatten = Flatten()
            self.logits = Dense(positions * features, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        check_images(x, self.config.input_shape, prepare="config.preprocess")
        x = self.stem(x)
        branches = [
            self.conv1(self.pool(x)),
            self.conv4(self.conv3(self.conv2(x))),
            self.conv6(self.conv5(x)),
            self.conv7(x),
        ]
        x = self.concatenate(branches)
        if self.config.head == "gru":
            return self.logits(self.gru(self.sequence(x)))
        return self.logits(self.flatten(x))


class ConvBatchNormReLU(nnx.Module):
    """Convolution, BatchNorm, ReLU."""

    def __init__(
        self,
        in_features: int,
        filters: int,
        size: int,
        strides: int = 1,
        padding: str = "same",
        *,
        rngs: nnx.Rngs,
    ):
        self.conv = Conv2D(in_features, filters, size, strides, padding, rngs=rngs)
        self.norm = BatchNormalization(filters)
        self.relu = Activation("relu")

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, in_features]` to `[B, H', W', filters]`."""
        return self.relu(self.norm(self.conv(x)))
