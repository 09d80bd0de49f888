"""Rows of MNIST through an LSTM."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.errors import check_positive
from zoo.layers import LSTM, Dense, Reshape
from zoo.models.images import check_image_config, check_images
from zoo.models.registry import register_model


@dataclass(frozen=True)
class MNISTLSTMConfig:
    """Sizes of the model; the defaults are the report's."""

    input_shape: tuple[int, int, int] = (28, 28, 1)
    units: int = 128
    classes: int = 10

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_positive(units=self.units)


@register_model("mnist_lstm", MNISTLSTMConfig)
class MNISTLSTM(nnx.Module):
    """One LSTM over the rows of an image, and a dense layer on its last output.

    | layer | output | parameters |
    | --- | --- | --- |
    | rows of 28 pixels as 28 steps | 28, 28 | |
    | LSTM 128, last output | 128 | 80,384 |
    | Dense 10 (logits) | 10 | 1,290 |

    81,674 parameters in all. Pixels are expected between 0 and 1. The report's cell adds a
    constant 1.0 to the forget gate; here, as in Keras, it is the initial value of that bias.
    """

    def __init__(self, config: MNISTLSTMConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, channels = config.input_shape
        self.rows = Reshape((height, width * channels))
        self.lstm = LSTM(width * channels, config.units, rngs=rngs)
        self.logits = Dense(config.units, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        check_images(x, self.config.input_shape)
        return self.logits(self.lstm(self.rows(x)))
