"""ECRNN: an encoder and a decoder between a CNN and an RNN."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.layers import Dense
from zoo.models.crnn_blocks import (
    ConvFeatures,
    DenseBlocks,
    RecurrentConfig,
    RecurrentLayers,
    check_sizes,
    encoder_decoder_widths,
)
from zoo.models.registry import register_model


@dataclass(frozen=True)
class ECRNNConfig(RecurrentConfig):
    """Sizes of the model; the defaults are the report's.

    `dense` has the widths of the dense layers between CNN and RNN but for the last, which is as
    wide as there are features. None means a half, a quarter and a half of the features: the
    report's 512, 256 and 512 for its 1,024.
    """

    dense: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dense is not None:
            check_sizes("dense", self.dense)

    @property
    def widths(self) -> tuple[int, ...]:
        """The width of each dense layer between CNN and RNN."""
        n = self.features
        return encoder_decoder_widths(n) if self.dense is None else (*self.dense, n)


@register_model("ecrnn", ECRNNConfig)
class ECRNN(nnx.Module):
    """A CNN's features through a dense encoder and decoder, and an RNN over what comes out.

    | layer | output | parameters |
    | --- | --- | --- |
    | the convolutions of `ecrnn_cnn` | 1,024 | 390,336 |
    | encoder: Dense 512, relu; BatchNorm | 512 | 524,800 + 2,048 |
    | encoder: Dense 256, relu; BatchNorm | 256 | 131,328 + 1,024 |
    | decoder: Dense 512, relu; BatchNorm | 512 | 131,584 + 2,048 |
    | decoder: Dense 1,024, relu; BatchNorm | 1,024 | 525,312 + 4,096 |
    | Reshape | 1,024, 1 | |
    | BiLSTM 16, last outputs | 32 | 2,304 |
    | Dense 10 (logits) | 10 | 330 |

    1,715,210 parameters with BatchNorm's moving statistics. Pixels are expected between 0 and 1.

    Where the report leaves a choice, this is ours: it names no activation, here relu in every
    dense layer but the last of all, before the BatchNorm as in the convolutions; encoder and
    decoder are trained with the rest, towards the classes and not towards the features that
    went in; the softmax of the report's last row is the loss's, the model returns logits. With
    images of another size the dense layers keep their proportions to the number of features.
    What is said of the RNN in `crnn` and of the CNN in `ecrnn_cnn` holds here.
    """

    def __init__(self, config: ECRNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.features = ConvFeatures(config, rngs=rngs)
        self.dense = DenseBlocks(config, config.widths, rngs=rngs)
        self.recurrent = RecurrentLayers(config, rngs=rngs)
        self.logits = Dense(self.recurrent.out_features, config.classes, rngs=rngs)

    def sequence(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to what the RNN is given, `[B, T, 1]`."""
        return self.recurrent.sequence(self.dense(self.features(x)))

    def classify(self, sequence: jax.Array) -> jax.Array:
        """What the RNN is given, `[B, T, 1]`, to logits `[B, classes]`."""
        return self.logits(self.recurrent(sequence))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        return self.classify(self.sequence(x))
