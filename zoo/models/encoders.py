"""Encoders: from images to one vector each, for models that put something else on top."""

from collections.abc import Callable

import jax
from flax import nnx

from zoo.errors import check_positive, unknown_name
from zoo.layers import Activation, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D
from zoo.models.images import check_image_config, check_images
from zoo.models.inception_v3 import InceptionV3, InceptionV3Config, check_inception_size


class SmallCNN(nnx.Module):
    """Three blocks of convolution, pooling, normalisation and ReLU, then one dense layer.

    | layer | output for 40×40 and 128 features |
    | --- | --- |
    | Conv 16, 3×3, same; MaxPool 2×2; BatchNorm; relu | 20, 20, 16 |
    | Conv 32, 3×3, same; MaxPool 2×2; BatchNorm; relu | 10, 10, 32 |
    | Conv 32, 3×3, same; MaxPool 2×2; BatchNorm; relu | 5, 5, 32 |
    | Flatten; Dense, relu | 128 |

    Pooling comes before the normalisation, which so has a quarter of the values to work on; an
    odd row or column is pooled by itself.
    """

    def __init__(self, input_shape: tuple[int, int, int], features: int, *, rngs: nnx.Rngs):
        height, width, channels = input_shape
        self.input_shape = input_shape
        self.block_1 = _Block(channels, 16, rngs=rngs)
        self.block_2 = _Block(16, 32, rngs=rngs)
        self.block_3 = _Block(32, 32, rngs=rngs)
        self.flatten = Flatten()
        flat = -(-height // 8) * -(-width // 8) * 32
        self.features = Dense(flat, features, activation="relu", rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to vectors `[B, features]`."""
        check_images(x, self.input_shape)
        x = self.block_3(self.block_2(self.block_1(x)))
        return self.features(self.flatten(x))


class _Block(nnx.Module):
    def __init__(self, in_features: int, filters: int, *, rngs: nnx.Rngs):
        self.conv = Conv2D(in_features, filters, 3, padding="same", use_bias=False, rngs=rngs)
        self.pool = MaxPooling2D(2, padding="same")
        self.norm = BatchNormalization(filters)
        self.relu = Activation("relu")

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.relu(self.norm(self.pool(self.conv(x))))


class InceptionEncoder(nnx.Module):
    """Inception v3 without its top, the mean over its feature map, then one dense layer.

    `inception` is an `inception_v3` of the registry, so that `zoo.keras.load_weights(
    encoder.inception, path)` reads Keras's file of it. Images are those of its
    `config.preprocess`.
    """

    def __init__(self, input_shape: tuple[int, int, int], features: int, *, rngs: nnx.Rngs):
        config = InceptionV3Config(input_shape, include_top=False, pooling="avg")
        self.inception = InceptionV3(config, rngs=rngs)
        self.features = Dense(self.inception.channels, features, activation="relu", rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to vectors `[B, features]`."""
        return self.features(self.inception(x))


ENCODERS: dict[str, Callable[..., nnx.Module]] = {
    "small_cnn": SmallCNN,
    "inception_v3": InceptionEncoder,
}


def check_encoder_config(
    encoder: str, input_shape: tuple[int, int, int], features: int, classes: int
) -> None:
    """Raises unless there is such an encoder and it can be given these sizes."""
    if encoder not in ENCODERS:
        raise unknown_name("encoder", encoder, ENCODERS)
    check_image_config(input_shape, classes)
    check_positive(features=features)
    if encoder == "inception_v3":
        check_inception_size(input_shape)
