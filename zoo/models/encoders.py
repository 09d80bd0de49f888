"""Encoders: from images to one vector each, for models that put something else on top."""

from collections.abc import Callable

import jax
from flax import nnx

from zoo.errors import ZooError, check_positive, unknown_name
from zoo.layers import Conv2D, Dense, Flatten, MaxPooling2D
from zoo.models.images import check_image_config, check_images

Encoder = Callable[[jax.Array], jax.Array]


class SmallCNN(nnx.Module):
    """Three times a convolution and a pooling, then one dense layer.

    | layer | output for 40×40 and 128 features |
    | --- | --- |
    | Conv 16, 3×3, relu, same; MaxPool 2×2 | 20, 20, 16 |
    | Conv 32, 3×3, relu, same; MaxPool 2×2 | 10, 10, 32 |
    | Conv 32, 3×3, relu, same; MaxPool 2×2 | 5, 5, 32 |
    | Flatten; Dense, relu | 128 |
    """

    def __init__(self, input_shape: tuple[int, int, int], features: int, *, rngs: nnx.Rngs):
        height, width, channels = input_shape
        if min(height, width) < 8:
            raise ZooError(
                f"input_shape must be at least 8 pixels high and wide for three poolings, got "
                f"{input_shape}."
            )
        self.input_shape = input_shape
        self.conv_1 = Conv2D(channels, 16, 3, padding="same", activation="relu", rngs=rngs)
        self.conv_2 = Conv2D(16, 32, 3, padding="same", activation="relu", rngs=rngs)
        self.conv_3 = Conv2D(32, 32, 3, padding="same", activation="relu", rngs=rngs)
        self.pool_1, self.pool_2, self.pool_3 = (MaxPooling2D(2) for _ in range(3))
        self.flatten = Flatten()
        flat = height // 8 * (width // 8) * 32
        self.features = Dense(flat, features, activation="relu", rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to vectors `[B, features]`."""
        check_images(x, self.input_shape)
        x = self.pool_1(self.conv_1(x))
        x = self.pool_2(self.conv_2(x))
        x = self.pool_3(self.conv_3(x))
        return self.features(self.flatten(x))


ENCODERS: dict[str, Callable[..., nnx.Module]] = {"small_cnn": SmallCNN}


def check_encoder_config(
    encoder: str, input_shape: tuple[int, int, int], features: int, classes: int
) -> None:
    """Raises unless there is such an encoder and it can be given these sizes."""
    if encoder not in ENCODERS:
        raise unknown_name("encoder", encoder, ENCODERS)
    check_image_config(input_shape, classes)
    check_positive(features=features)
