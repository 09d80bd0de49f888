"""SimpleRNN, LSTM and GRU classifiers of texts."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
from flax import nnx

from zoo.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, Recurrent, SimpleRNN
from zoo.models.registry import register_model
from zoo.models.text import check_ids, check_text_config


@dataclass(frozen=True)
class TextRecurrentConfig:
    """Sizes of the models; the defaults are the report's best LSTM's.

    `mask` is whether padding is left out; without it, as in the report, a row that is padded on
    the right ends in padding, and so does all that a forward layer keeps of it.
    """

    input_shape: tuple[int] = (100,)
    vocabulary: int = 3000
    embedding: int = 128
    units: int = 64
    layers: int = 1
    bidirectional: bool = True
    mask: bool = False
    dropout: float = 0.5
    classes: int = 3

    def __post_init__(self) -> None:
        check_text_config(
            self.input_shape,
            vocabulary=self.vocabulary,
            embedding=self.embedding,
            units=self.units,
            layers=self.layers,
            classes=self.classes,
        )


class TextRecurrent(nnx.Module):
    """What the three share: Embedding, recurrent layers, Dropout, Dense.

    | layer | output, with T = 100 ids a row | parameters |
    | --- | --- | --- |
    | Embedding 3,000 × 128 | T, 128 | 384,000 |
    | all recurrent layers but the last, both directions | T, 2 · 64 | |
    | the last one: [last forward state, last backward state] | 2 · 64 | 98,816 (one LSTM) |
    | Dropout 0.5; Dense 3 (logits) | 3 | 387 |

    Id 0 is padding. All layers but the last return sequences. A row of nothing but padding is
    legal: with the mask its features are zeros, and its logits the bias.
    """

    layer: ClassVar[Any]

    def __init__(self, config: TextRecurrentConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embedding = Embedding(
            config.vocabulary, config.embedding, mask_zero=config.mask, rngs=rngs
        )
        width, stack = config.embedding, []
        for i in range(config.layers):
            sequences = i < config.layers - 1
            stack.append(self._recurrent(width, sequences, rngs))
            width = config.units * (2 if config.bidirectional else 1)
        self.recurrent = nnx.List(stack)
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.logits = Dense(width, config.classes, rngs=rngs)

    def _recurrent(self, width: int, sequences: bool, rngs: nnx.Rngs) -> Bidirectional | Recurrent:
        def one() -> Recurrent:
            made: Recurrent = self.layer(
                width, self.config.units, return_sequences=sequences, rngs=rngs
            )
            return made

        return Bidirectional(one(), one()) if self.config.bidirectional else one()

    @property
    def input_dtype(self) -> str:
        """What the numbers of an example are."""
        return "int32"

    def __call__(self, x: jax.Array) -> jax.Array:
        """Ids `[B, T]` to logits `[B, classes]`."""
        check_ids(x, self.config.input_shape[0])
        mask = self.embedding.compute_mask(x)
        x = self.embedding(x)
        for layer in self.recurrent:
            x = layer(x, mask=mask)
        return self.logits(self.dropout(x))


@register_model("text_rnn", TextRecurrentConfig)
class TextRNN(TextRecurrent):
    """`TextRecurrent` with SimpleRNN layers."""

    layer = SimpleRNN


@register_model("text_lstm", TextRecurrentConfig)
class TextLSTM(TextRecurrent):
    """`TextRecurrent` with LSTM layers."""

    layer = LSTM


@register_model("text_gru", TextRecurrentConfig)
class TextGRU(TextRecurrent):
    """`TextRecurrent` with GRU layers."""

    layer = GRU
