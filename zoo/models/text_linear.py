"""A linear classifier of texts: what is hard to beat where texts are few."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.errors import ZooError, check_positive
from zoo.layers import Dense
from zoo.models.registry import register_model


@dataclass(frozen=True)
class TextLinearConfig:
    """Sizes of the model; `input_shape` is a text's vector, a weight for each piece."""

    input_shape: tuple[int] = (20_000,)
    classes: int = 3

    def __post_init__(self) -> None:
        if not isinstance(self.input_shape, tuple) or len(self.input_shape) != 1:
            raise ZooError(f"input_shape must be a tuple (pieces,), got {self.input_shape!r}.")
        check_positive(pieces=self.input_shape[0], classes=self.classes)


@register_model("text_linear", TextLinearConfig)
class TextLinear(nnx.Module):
    """Softmax regression: each piece of a text votes for each class, in proportion to its weight.

    | layer | output | parameters |
    | --- | --- | --- |
    | Dense 3 (logits) | 3 | 3 · pieces + 3 |

    A text is a vector of `zoo.data.TfidfEncoder`, so the order of its words is nothing. A text
    without known pieces is zeros and gives the bias.

    Source: Wang and Manning, 2012, https://aclanthology.org/P12-2018 (linear models of n-grams
    hold their own against networks on short texts)
    """

    def __init__(self, config: TextLinearConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.logits = Dense(config.input_shape[0], config.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Vectors `[B, pieces]` to logits `[B, classes]`."""
        if x.shape[1:] != self.config.input_shape or not jnp.issubdtype(x.dtype, jnp.floating):
            raise ZooError(
                f"x must be floating-point vectors of shape {('B', *self.config.input_shape)}, got "
                f"{x.dtype} of shape {x.shape}. Texts become such vectors by "
                "zoo.data.TfidfEncoder; another vocabulary needs a model created with another "
                "input_shape."
            )
        return self.logits(x)
