"""Labels of an image told apart one by one: what the CNN-RNN is measured against."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.errors import check_positive
from zoo.layers import Dense, Dropout
from zoo.models.encoders import ENCODERS, check_encoder_config
from zoo.models.registry import register_model


@dataclass(frozen=True)
class MultilabelCNNConfig:
    """Sizes of the model; `encoder` as in `CNNRNNConfig`."""

    input_shape: tuple[int, int, int] = (40, 40, 1)
    classes: int = 10
    encoder: str = "small_cnn"
    features: int = 128
    hidden: int = 225
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_encoder_config(self.encoder, self.input_shape, self.features, self.classes)
        check_positive(hidden=self.hidden)


@register_model("multilabel_cnn", MultilabelCNNConfig)
class MultilabelCNN(nnx.Module):
    """An encoder, a hidden layer, and an independent sigmoid for each label.

    `P(label k | image) = sigmoid(logits)[k]`, trained with binary cross-entropy. A hidden layer
    stands where the CNN-RNN has its recurrent one, so that the two can be given equally many
    weights; it lets a label's probability depend on all that is in the image, but the labels
    are still told apart one by one.
    """

    def __init__(self, config: MultilabelCNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.encoder = ENCODERS[config.encoder](config.input_shape, config.features, rngs=rngs)
        self.hidden = Dense(config.features, config.hidden, activation="relu", rngs=rngs)
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.logits = Dense(config.hidden, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        return self.logits(self.dropout(self.hidden(self.encoder(x))))
