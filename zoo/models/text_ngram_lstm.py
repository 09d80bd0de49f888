"""An LSTM over words that are told by their characters, for languages learned from few texts."""

from dataclasses import dataclass

import jax
from flax import nnx

from zoo.errors import ZooError, check_positive
from zoo.layers import (
    LSTM,
    Activation,
    Add,
    Bidirectional,
    Dense,
    Dropout,
    EmbeddingBag,
    Flatten,
    GlobalMaxPooling1D,
    Rescaling,
    Slice,
)
from zoo.models.registry import register_model
from zoo.models.text import check_bags


@dataclass(frozen=True)
class TextNGramLSTMConfig:
    """Sizes of the model; `input_shape` is words a text and ids a word."""

    input_shape: tuple[int, int] = (50, 20)
    vocabulary: int = 10_000
    embedding: int = 64
    units: int = 64
    stddev: float = 0.1
    wide_scale: float = 2.0
    embedding_dropout: float = 0.3
    dropout: float = 0.5
    classes: int = 3

    def __post_init__(self) -> None:
        if not isinstance(self.input_shape, tuple) or len(self.input_shape) != 2:
            raise ZooError(
                f"input_shape must be a tuple (words, ids a word), got {self.input_shape!r}."
            )
        words, ids = self.input_shape
        check_positive(
            words=words,
            ids=ids,
            vocabulary=self.vocabulary,
            embedding=self.embedding,
            units=self.units,
            classes=self.classes,
        )


@register_model("text_ngram_lstm", TextNGramLSTMConfig)
class TextNGramLSTM(nnx.Module):
    """A deep path, a BiLSTM over words as bags of n-grams, and a wide one, each piece's own vote.

    | layer | output |
    | --- | --- |
    | EmbeddingBag of a word's first id (its own) + EmbeddingBag of its n-grams | T, 64 |
    | Dropout 0.3 | T, 64 |
    | BiLSTM 64, every output, relu; the largest of each feature over the words | 128 |
    | Dropout 0.5; Dense 3 | 3 |
    | the wide path: EmbeddingBag 3 of all words + EmbeddingBag 3 of all n-grams | 3 |
    | the deep path + 2 · the wide path (logits) | 3 |

    From few texts much of what can be learned is which pieces speak for which class, and only the
    rest is their order. The wide path is a linear classifier of that, so its table starts at zero;
    its factor makes it learn four times as fast as the deep path, in the steps of plain gradient
    descent. Words that are all padding are masked. A text without words gives the bias.

    Source: Cheng et al., 2016, https://arxiv.org/abs/1606.07792 (a wide and a deep path, trained
    together)
    """

    def __init__(self, config: TextNGramLSTMConfig, *, rngs: nnx.Rngs):
        self.config = config
        width, units = config.embedding, config.units
        self.word, self.grams = Slice(0, 1), Slice(1)
        self.bag = EmbeddingBag(config.vocabulary, width, stddev=config.stddev, rngs=rngs)
        self.add = Add()
        self.embedding_dropout = Dropout(config.embedding_dropout, rngs=rngs)
        self.recurrent = Bidirectional(
            LSTM(width, units, return_sequences=True, rngs=rngs),
            LSTM(width, units, return_sequences=True, rngs=rngs),
        )
        self.positive = Activation("relu")  # so that padding, which is 0, is never the largest
        self.largest, self.flatten = GlobalMaxPooling1D(), Flatten()
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.logits = Dense(2 * units, config.classes, rngs=rngs)
        self.wide = EmbeddingBag(config.vocabulary, config.classes, stddev=0.0, rngs=rngs)
        self.scale = Rescaling(config.wide_scale)

    @property
    def input_dtype(self) -> str:
        """What the numbers of an example are."""
        return "int32"

    def __call__(self, x: jax.Array) -> jax.Array:
        """Ids `[B, T, n]` to logits `[B, classes]`."""
        check_bags(x, self.config.input_shape)
        words, grams = self.word(x), self.grams(x)
        bags = self.embedding_dropout(self.add([self.bag(words), self.bag(grams)]))
        states = self.recurrent(bags, mask=self.bag.compute_mask(x))
        found = self.logits(self.dropout(self.largest(self.positive(states))))
        # The whole text's bags have the size of one word's, however long it is.
        votes = self.add([self.wide(self.flatten(words)), self.wide(self.flatten(grams))])
        return self.add([found, self.scale(votes)])
