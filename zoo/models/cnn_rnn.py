"""The CNN-RNN for images with several labels."""

from dataclasses import dataclass
from typing import Literal, overload

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.errors import check_positive
from zoo.layers import LabelPathDecoder
from zoo.layers.label_paths import LabelSearch, PathProbabilities
from zoo.models.encoders import ENCODERS, check_encoder_config
from zoo.models.registry import register_model


@dataclass(frozen=True)
class CNNRNNConfig:
    """Sizes of the model and of its search.

    `encoder` is "small_cnn", or "inception_v3" without its top, which takes images as
    `zoo.models.inception_preprocess` prepares them and its weights as `InceptionEncoder` says.
    `max_labels` (None: all of them) bounds the paths that are searched, `beam_width` how many are
    kept. A beam may be wider than the label set, up to an exhaustive search
    (`zoo.functional.label_paths.full_width`); a wider one would stay empty and is an error.
    """

    input_shape: tuple[int, int, int] = (40, 40, 1)
    classes: int = 10
    encoder: str = "small_cnn"
    features: int = 128
    recurrent: Literal["wang_lstm", "lstm"] = "wang_lstm"
    units: int = 64
    embedding: int = 32
    dropout: float = 0.5
    max_labels: int | None = None
    beam_width: int = 3

    def __post_init__(self) -> None:
        check_encoder_config(self.encoder, self.input_shape, self.features, self.classes)
        check_positive(units=self.units, embedding=self.embedding, beam_width=self.beam_width)


@register_model("cnn_rnn", CNNRNNConfig)
class CNNRNN(nnx.Module):
    """Labels of an image as a path, each label given the image and the labels before it.

    With `I` the encoder's vector of the image and `k(t)` the label at step `t`:

    - `w(t) = U_l e_k(t)`, a row of the label embedding,
    - `o(t), r(t) = recurrent(r(t−1), w(t))`,
    - `x(t) = relu(U_o o(t) + U_I I)`, the image beside the path, not in it,
    - `s(t) = U_lᵀ x(t)`, scores tied to the label embedding, for `K` labels and END,
    - `P(path) = Π softmax(s(t))`, over the labels that are not yet in the path and END.

    Where the paper leaves a choice, this is ours:

    - The first step's input is not named: here it is the embedding of END, which is otherwise
      never fed back, so that a path begins and ends with the same symbol.
    - A label is not said to come at most once: here it cannot come again, in training and in
      search alike.
    - h is "projection" without a formula: here ReLU, its activation elsewhere.
    - The equations have no biases: here the recurrent layer has one (a forget gate that starts
      open), the projections and scores have none.
    - What δ is in the recurrent layer: see `zoo.functional.wang_lstm`. `recurrent="lstm"` is the
      standard layer in its place.
    - A path that ends leaves the beam, and its place in it, at once.
    - How labels are ranked for mean average precision: by the probability of being in a path, see
      `zoo.functional.beam_search`.
    - Dropout is on "all projection layers": here on `o(t)` and `I`.

    Called with images and paths it gives `log P(next token)` along the paths and the probability
    of each label, which is what `zoo.training.LabelPaths` trains. Called with images alone it
    searches and returns a logit a label, as every model here does: `sigmoid(logits)[k]` is the
    probability that label `k` is in the set. `search` gives the set itself.

    Source: Wang et al., 2016, https://arxiv.org/abs/1604.04573
    """

    def __init__(self, config: CNNRNNConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.encoder = ENCODERS[config.encoder](config.input_shape, config.features, rngs=rngs)
        self.decoder = LabelPathDecoder(
            config.features,
            config.classes,
            recurrent=config.recurrent,
            units=config.units,
            embedding=config.embedding,
            dropout=config.dropout,
            max_labels=config.classes if config.max_labels is None else config.max_labels,
            beam_width=config.beam_width,
            rngs=rngs,
        )

    @overload
    def __call__(self, x: jax.Array) -> jax.Array: ...
    @overload
    def __call__(self, x: jax.Array, path: jax.Array) -> PathProbabilities: ...
    def __call__(
        self, x: jax.Array, path: jax.Array | None = None
    ) -> jax.Array | PathProbabilities:
        """Images to label logits, or images and paths to probabilities of tokens and labels.

        Args:
            x: `[B, H, W, C]`.
            path: tokens `[B, L]`, label numbers with END (the number of classes) after the last.

        Returns:
            Logits `[B, classes]`; with a path `PathProbabilities`.
        """
        if path is not None:
            return self.decoder(self.encoder(x), path)
        # Where rounding leaves nothing to tell from 0 or 1, the logit is about ±16.
        p = jnp.clip(self.search(x).probabilities, 1e-7, 1 - 1e-7)
        return jnp.log(p) - jnp.log1p(-p)

    def search(self, x: jax.Array) -> LabelSearch:
        """The most probable label path of each image `[B, H, W, C]`."""
        return self.decoder(self.encoder(x))
