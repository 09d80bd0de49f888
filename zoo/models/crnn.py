"""A CNN whose features an RNN reads one by one."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.layers import BatchNormalization, Dense
from zoo.models.crnn_blocks import ConvFeatures, RecurrentConfig, RecurrentLayers, check_switch
from zoo.models.registry import register_model


@dataclass(frozen=True)
class CRNNConfig(RecurrentConfig):
    """Sizes of the model; the defaults are the report's.

    `batch_norm` puts a BatchNorm between the features and the RNN. The report's model has none;
    its ECRNN has one there, so that this tells what that alone is worth.
    """

    batch_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_switch("batch_norm", self.batch_norm)


@register_model("crnn", CRNNConfig)
class CRNN(nnx.Module):
    """The features of a CNN as a sequence of numbers, and an RNN over it.

    | layer | output | parameters |
    | --- | --- | --- |
    | the convolutions of `ecrnn_cnn` | 1,024 | 390,336 |
    | Reshape | 1,024, 1 | |
    | BiLSTM 16, last outputs | 32 | 2,304 |
    | Dense 10 (logits) | 10 | 330 |

    392,970 parameters with BatchNorm's moving statistics. Pixels are expected between 0 and 1.

    Where the report leaves a choice, this is ours: the order of the features is that of
    flattening, row by row with the channels fastest, so that neighbours in the sequence are
    channels of one place; a bidirectional layer gives the last output of each direction, side
    by side; of two recurrent layers the first gives the second all of its outputs. The cells
    are Keras's. What is said of the CNN in `ecrnn_cnn` holds here.
    """

    def __init__(self, config: CRNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.features = ConvFeatures(config, rngs=rngs)
        self.norm = (
            BatchNormalization(config.features, momentum=config.momentum)
            if config.batch_norm
            else None
        )
        self.recurrent = RecurrentLayers(config, rngs=rngs)
        self.logits = Dense(self.recurrent.out_features, config.classes, rngs=rngs)

    def sequence(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to what the RNN is given, `[B, T, 1]`."""
        x = self.features(x)
        return self.recurrent.sequence(x if self.norm is None else self.norm(x))

    def classify(self, sequence: jax.Array) -> jax.Array:
        """What the RNN is given, `[B, T, 1]`, to logits `[B, classes]`."""
        return self.logits(self.recurrent(sequence))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        return self.classify(self.sequence(x))
