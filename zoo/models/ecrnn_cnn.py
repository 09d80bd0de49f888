"""The CNN that CRNN and ECRNN are measured against."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.layers import Dense
from zoo.models.crnn_blocks import (
    ConvConfig,
    ConvFeatures,
    DenseBlocks,
    check_switch,
    encoder_decoder_widths,
)
from zoo.models.registry import register_model


@dataclass(frozen=True)
class ECRNNCNNConfig(ConvConfig):
    """Sizes of the model; the defaults are the report's.

    `encoder_decoder` puts ECRNN's dense layers before the classifier. The report's model has
    none; this tells what they are worth without an RNN.
    """

    encoder_decoder: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_switch("encoder_decoder", self.encoder_decoder)


@register_model("ecrnn_cnn", ECRNNCNNConfig)
class ECRNNCNN(nnx.Module):
    """Four convolutions and a dense classifier.

    | layer | output | parameters |
    | --- | --- | --- |
    | Conv 32, 3×3, same, relu; BatchNorm; MaxPool 2×2 | 16, 16, 32 | 896 + 128 |
    | Conv 64, 3×3, same, relu; BatchNorm; MaxPool 2×2 | 8, 8, 64 | 18,496 + 256 |
    | Conv 128, 3×3, same, relu; BatchNorm; MaxPool 2×2 | 4, 4, 128 | 73,856 + 512 |
    | Conv 256, 3×3, same, relu; BatchNorm; MaxPool 2×2 | 2, 2, 256 | 295,168 + 1,024 |
    | Flatten | 1,024 | |
    | Dense 10 (logits) | 10 | 10,250 |

    400,586 parameters with BatchNorm's moving statistics. Pixels are expected between 0 and 1.

    Where the report leaves a choice, this is ours: it names no activation, here relu in every
    convolution, before the BatchNorm; "a dense classifier" is one dense layer. An odd row or
    column is pooled by itself, so that images of any size go through.
    """

    def __init__(self, config: ECRNNCNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.features = ConvFeatures(config, rngs=rngs)
        widths = encoder_decoder_widths(config.features) if config.encoder_decoder else ()
        self.dense = DenseBlocks(config, widths, rngs=rngs)
        self.logits = Dense(config.features, config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        return self.logits(self.dense(self.features(x)))
