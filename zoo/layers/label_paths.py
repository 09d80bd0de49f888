"""The recurrent half of the CNN-RNN: label paths for vectors of images."""

from typing import Literal, NamedTuple, overload

import jax
import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo.errors import ZooError, check_positive
from zoo.functional.label_paths import LabelSearch as LabelSearch
from zoo.functional.label_paths import check_search
from zoo.layers.core import Dense, Embedding, glorot_uniform
from zoo.layers.layer import Layer
from zoo.layers.noise import Dropout
from zoo.layers.recurrent import LSTM
from zoo.layers.wang_lstm import WangLSTM

_RECURRENT = {"wang_lstm": WangLSTM, "lstm": LSTM}


class PathProbabilities(NamedTuple):
    """What a model of paths says of given ones.

    `log_p [B, L + 1, K + 1]` is `log P(next token)`, row `t` after `t` labels; `labels [B, K]` says
    of each label how probable it is to be in the set, whatever the path, as a search finds it.
    """

    log_p: jax.Array
    labels: jax.Array


class LabelPathDecoder(Layer):
    """Labels as a path, each given the image and the labels before it.

    With `I` the vector of an image and `k(t)` the token at step `t`, first END:
    `w(t) = U_l e_k(t)`; `o(t), r(t) = recurrent(r(t−1), w(t))`; `x(t) = relu(U_o o(t) + U_I I)`;
    `s(t) = U_lᵀ x(t)`, scores tied to the label embedding; and a softmax over the labels that are
    not yet in the path, and END. See `zoo.functional.label_paths`.

    Args:
        features: width of an image's vector.
        labels: how many there are.
        recurrent: "wang_lstm" or "lstm".
        units: width of the recurrent layer.
        embedding: width of a label's vector, and of `x(t)`.
        dropout: share of the values of `o(t)` and `I` that is dropped in training, along given
            paths; a search alone drops none, and the one beside given paths has their `I`.
        max_labels: longest path of a search.
        beam_width: paths that a search keeps.
        rngs: the streams `params` and `dropout`.
    """

    def __init__(
        self,
        features: int,
        labels: int,
        *,
        recurrent: Literal["wang_lstm", "lstm"] = "wang_lstm",
        units: int,
        embedding: int,
        dropout: float,
        max_labels: int,
        beam_width: int,
        rngs: nnx.Rngs,
    ):
        check_positive(features=features, labels=labels, units=units, embedding=embedding)
        check_positive(max_labels=max_labels, beam_width=beam_width)
        check_search(labels, max_labels, beam_width)
        if recurrent not in _RECURRENT:
            raise ZooError(f"recurrent must be one of {tuple(_RECURRENT)}, got {recurrent!r}.")
        self.number, self.units = labels, units
        self.max_labels, self.beam_width = max_labels, beam_width
        self.labels = Embedding(labels + 1, embedding, rngs=rngs)
        # The table is the last layer too, and drawn like one: from ±0.05 it would start slowly.
        table = self.labels.embeddings
        table[...] = glorot_uniform(rngs.params(), table.shape)
        self.recurrent = _RECURRENT[recurrent](embedding, units, return_sequences=True, rngs=rngs)
        self.dropout_image = Dropout(dropout, rngs=rngs)
        self.dropout_path = Dropout(dropout, rngs=rngs)
        self.project_image = Dense(features, embedding, use_bias=False, rngs=rngs)
        self.project_path = Dense(units, embedding, use_bias=False, rngs=rngs)

    @overload
    def __call__(self, image: jax.Array) -> LabelSearch: ...
    @overload
    def __call__(self, image: jax.Array, path: jax.Array) -> PathProbabilities: ...
    def __call__(
        self, image: jax.Array, path: jax.Array | None = None
    ) -> PathProbabilities | LabelSearch:
        """Searches, or scores the tokens of given paths.

        Args:
            image: `[B, features]`.
            path: tokens `[B, L]`, label numbers with END (the number of labels) after the last.

        Returns:
            With a path `PathProbabilities`, differentiable both; without one a `LabelSearch`.
            A compiled program makes no search where it does not use what it finds.
        """
        if path is None:
            return self._search(self.project_image(image))
        start = jnp.full_like(path[:, :1], self.number)
        outputs = self.recurrent(self.labels(jnp.concatenate((start, path), axis=1)))
        projected = self.project_image(self.dropout_image(image))
        scores = self._scores(self.dropout_path(outputs), projected)
        return PathProbabilities(
            F.path_log_probabilities(scores, path), self._search(projected).probabilities
        )

    def _search(self, image: jax.Array) -> LabelSearch:
        def step(state: F.LSTMState, tokens: jax.Array) -> tuple[F.LSTMState, jax.Array]:
            # The layer over sequences of one token, an example for each path of the beam.
            words = self.labels(tokens.reshape(-1, 1))
            flat = F.LSTMState(*(leaf.reshape(-1, self.units) for leaf in state))
            outputs, flat = self.recurrent.function(
                self.recurrent.params, words, flat, mask=None, reverse=False
            )
            shape = (*tokens.shape, self.units)
            state = F.LSTMState(*(leaf.reshape(shape) for leaf in flat))
            return state, self._scores(outputs.reshape(shape), image)

        zeros = jnp.zeros((image.shape[0], self.units), image.dtype)
        return F.beam_search(
            step,
            F.LSTMState(zeros, zeros),
            labels=self.number,
            max_labels=self.max_labels,
            width=self.beam_width,
        )

    def _scores(self, outputs: jax.Array, image: jax.Array) -> jax.Array:
        """`[B, T, units]` and the projected image `[B, embedding]` to `[B, T, labels + 1]`."""
        x = F.activation("relu")(self.project_path(outputs) + image[:, None])
        return F.dense(F.DenseParams(self.labels.embeddings[...].T), x)
