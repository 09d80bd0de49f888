"""Inception v3 as an encoder that stays as it is, and a GRU that learns."""

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.errors import check_positive
from zoo.layers import GRU, Dense, Reshape
from zoo.models.images import check_image_config, check_images
from zoo.models.inception_v3 import (
    TAPS,
    InceptionBlocks,
    InceptionV3,
    check_inception_size,
    check_taps,
    inception_preprocess,
)
from zoo.models.registry import register_model
from zoo.models.weights import set_weights, weights_of


@dataclass(frozen=True)
class InceptionGRUConfig:
    """Sizes, and which blocks of Inception v3 are used and which of them learn.

    The encoder ends with the block `frozen_until`; the blocks after it, up to `until`, belong to
    the head and learn with it. By default there are none.
    """

    input_shape: tuple[int, int, int] = (299, 299, 3)
    classes: int = 3
    units: int = 128
    until: str = TAPS[-1]
    frozen_until: str = TAPS[-1]

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_positive(units=self.units)
        check_inception_size(self.input_shape)
        check_taps(self.frozen_until, self.until)

    def preprocess(self, images: jax.Array) -> jax.Array:
        """See `zoo.models.inception_preprocess`."""
        return inception_preprocess(images, self.input_shape)


@register_model("inception_gru", InceptionGRUConfig)
class InceptionGRU(nnx.Module):
    """Inception v3, its feature map as a sequence, a GRU, a dense layer.

    | layer | output for 299×299 | parameters |
    | --- | --- | --- |
    | `encoder`: Inception v3 without its top | 8, 8, 2048 | 21,802,784 |
    | positions row by row as 64 steps | 64, 2048 | |
    | GRU 128, last state | 128 | 836,352 |
    | Dense 3 (logits) | 3 | 387 |

    All but the encoder is `head`, a module of its own: what the encoder makes of an image does
    not change while the head learns, so `zoo.training.cached_features` computes it once, and
    `fit` trains the head on that. `take_encoder` takes the weights of an `inception_v3`. Images
    are prepared by `config.preprocess`.
    """

    def __init__(self, config: InceptionGRUConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.encoder = InceptionBlocks(config.input_shape[-1], until=config.frozen_until, rngs=rngs)
        self.head = InceptionGRUHead(config, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`."""
        check_images(x, self.config.input_shape, prepare="config.preprocess")
        return self.head(self.encoder(x))

    def take_encoder(self, source: InceptionV3) -> None:
        """Copies the weights of a whole Inception v3 into the encoder and the blocks that learn."""
        weights = weights_of(source)
        for part in (self.encoder, self.head.blocks):
            set_weights(part, {name: weights[name] for name in weights_of(part)})


class InceptionGRUHead(nnx.Module):
    """What learns of an `InceptionGRU`: the blocks after the frozen ones, GRU and dense layer.

    Called with the encoder's feature maps; those of 16 bits, as they are cached, become 32.
    """

    def __init__(self, config: InceptionGRUConfig, *, rngs: nnx.Rngs):
        self.config = config
        channels, shape = _outlines(config)
        self.blocks = InceptionBlocks(
            channels, after=config.frozen_until, until=config.until, rngs=rngs
        )
        self.sequence = Reshape((prod(shape[:2]), shape[2]))
        self.gru = GRU(shape[2], config.units, rngs=rngs)
        self.logits = Dense(config.units, config.classes, rngs=rngs)

    def __call__(self, features: jax.Array) -> jax.Array:
        """Feature maps `[B, H', W', C']` to logits `[B, classes]`."""
        features = features.astype(jnp.float32)
        return self.logits(self.gru(self.sequence(self.blocks(features))))


def _outlines(config: InceptionGRUConfig) -> tuple[int, tuple[int, ...]]:
    """Channels of the frozen blocks, and shape of the feature map; nothing is computed."""

    def taps(x: jax.Array) -> dict[str, jax.Array]:
        blocks: Any = InceptionBlocks(x.shape[-1], until=config.until, rngs=nnx.Rngs(0))
        blocks.eval()
        found: dict[str, jax.Array] = blocks.taps(x)
        return found

    image = jax.ShapeDtypeStruct((1, *config.input_shape), jnp.float32)
    shapes = jax.eval_shape(taps, image)
    return shapes[config.frozen_until].shape[-1], shapes[config.until].shape[1:]
