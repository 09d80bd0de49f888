"""The convolutional half of the study of RNN against CNN on Fashion-MNIST."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.errors import ZooError, check_positive
from zoo.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from zoo.models.images import check_image_config, check_images
from zoo.models.registry import register_model


@dataclass(frozen=True)
class FashionMNISTCNNConfig:
    """Sizes of the model; the defaults are the report's."""

    input_shape: tuple[int, int, int] = (28, 28, 1)
    filters: int = 32
    units: int = 128
    hidden: int = 32
    dropout: float = 0.2
    classes: int = 10

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_positive(filters=self.filters, units=self.units, hidden=self.hidden)
        if min(self.input_shape[:2]) < 4:
            raise ZooError(
                "input_shape must be at least 4 pixels high and wide for a 3×3 window and a "
                f"2×2 pooling, got {self.input_shape}."
            )


@register_model("fashion_mnist_cnn", FashionMNISTCNNConfig)
class FashionMNISTCNN(nnx.Module):
    """One convolution, one pooling, three dense layers.

    | layer | output | parameters |
    | --- | --- | --- |
    | Conv 32, 3×3, relu, valid | 26, 26, 32 | 320 |
    | MaxPool 2×2 | 13, 13, 32 | |
    | Flatten | 5,408 | |
    | Dense 128, relu; Dropout 0.2 | 128 | 692,352 |
    | Dense 32, relu; Dropout 0.2 | 32 | 4,128 |
    | Dense 10 (logits) | 10 | 330 |

    697,130 parameters in all. Pixels are expected between 0 and 1.
    """

    def __init__(self, config: FashionMNISTCNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, channels = config.input_shape
        flat = (height - 2) // 2 * ((width - 2) // 2) * config.filters
        self.conv = Conv2D(channels, config.filters, 3, activation="relu", rngs=rngs)
        self.pool = MaxPooling2D(2)
        self.flatten = Flatten()
        self.dense_1 = Dense(flat, config.units, activation="relu", rngs=rngs)
        self.dropout_1 = Dropout(config.dropout, rngs=rngs)
        self.dense_2 = Dense(config.units, config.hidden, activation="relu", rngs=rngs)
        self.dropout_2 = Dropout(config.dropout, rngs=rngs)
        self.logits = Dense(config.hidden, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        check_images(x, self.config.input_shape)
        x = self.flatten(self.conv.max_pooled(self.pool, x))
        x = self.dropout_1(self.dense_1(x))
        x = self.dropout_2(self.dense_2(x))
        return self.logits(x)
