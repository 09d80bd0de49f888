"""The recurrent half of the study of RNN against CNN on Fashion-MNIST."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.errors import check_positive
from zoo.layers import LSTM, Dense, Reshape
from zoo.models.images import check_image_config, check_images
from zoo.models.registry import register_model


@dataclass(frozen=True)
class FashionMNISTLSTMConfig:
    """Sizes of the model; the defaults are the report's."""

    input_shape: tuple[int, int, int] = (28, 28, 1)
    units: int = 128
    hidden: int = 32
    classes: int = 10

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_positive(units=self.units, hidden=self.hidden)


@register_model("fashion_mnist_lstm", FashionMNISTLSTMConfig)
class FashionMNISTLSTM(nnx.Module):
    """Two LSTM layers over the rows of an image.

    | layer | output | parameters |
    | --- | --- | --- |
    | rows of 28 pixels as 28 steps | 28, 28 | |
    | LSTM 128, relu, every output | 28, 128 | 80,384 |
    | LSTM 128, relu, last output | 128 | 131,584 |
    | Dense 32, relu | 32 | 4,128 |
    | Dense 10 (logits) | 10 | 330 |

    216,426 parameters in all. Pixels are expected between 0 and 1. The relu stands where an
    LSTM usually has tanh (candidate and cell); the gates keep their sigmoid, as in Keras.
    """

    def __init__(self, config: FashionMNISTLSTMConfig, *, rngs: nnx.Rngs):
        self.config = config
        height, width, channels = config.input_shape
        self.rows = Reshape((height, width * channels))
        units = config.units
        self.lstm_1 = LSTM(
            width * channels, units, activation="relu", return_sequences=True, rngs=rngs
        )
        self.lstm_2 = LSTM(units, units, activation="relu", rngs=rngs)
        self.hidden = Dense(units, config.hidden, activation="relu", rngs=rngs)
        self.logits = Dense(config.hidden, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        check_images(x, self.config.input_shape)
        x = self.lstm_1(self.rows(x))
        x = self.lstm_2(x)
        return self.logits(self.hidden(x))
