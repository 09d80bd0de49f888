"""Layers without a window or a memory: Dense, Embedding, EmbeddingBag, Activation."""

import jax
import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo.errors import check_positive
from zoo.layers.layer import Layer

# Weights are float32, as in Keras and Flax, where JAX_ENABLE_X64 is set too.
glorot_uniform = jax.nn.initializers.glorot_uniform(dtype=jnp.float32)
zeros = jax.nn.initializers.constant(0.0, dtype=jnp.float32)


class Dense(Layer):
    """`activation(x · kernel + bias)` on the last axis; see `zoo.functional.dense`.

    Args:
        in_features: width of the last axis of the input.
        units: width of the last axis of the output.
        activation: a name that `zoo.functional.activation` knows.
        use_bias: whether there is a bias.
        rngs: the kernel is drawn from the stream `params`: Glorot uniform; the bias is zero.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        activation: str | None = None,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        check_positive(in_features=in_features, units=units)
        F.activation(activation)
        self.units, self.activation, self.use_bias = units, activation, use_bias
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (in_features, units)))
        self.bias = nnx.Param(zeros(rngs.params(), (units,))) if use_bias else None

    @property
    def params(self) -> F.DenseParams:
        """The weights as the function takes them."""
        return F.DenseParams(self.kernel[...], None if self.bias is None else self.bias[...])

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., in_features]` to `[..., units]`."""
        return F.activation(self.activation)(F.dense(self.params, x))


class Embedding(Layer):
    """A learned vector for each id; see `zoo.functional.embedding`.

    Args:
        input_dim: number of ids (the vocabulary).
        output_dim: width of a vector.
        mask_zero: whether id 0 is padding; see `compute_mask`.
        rngs: the table is drawn from the stream `params`: uniform between −0.05 and 0.05.
    """

    def __init__(self, input_dim: int, output_dim: int, *, mask_zero: bool = False, rngs: nnx.Rngs):
        check_positive(input_dim=input_dim, output_dim=output_dim)
        self.input_dim, self.output_dim, self.mask_zero = input_dim, output_dim, mask_zero
        self.embeddings = nnx.Param(
            jax.random.uniform(rngs.params(), (input_dim, output_dim), jnp.float32, -0.05, 0.05)
        )

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Integers `[...]` to `[..., output_dim]`."""
        return F.embedding(self.embeddings[...], ids)

    def compute_mask(self, ids: jax.Array) -> jax.Array | None:
        """With `mask_zero`, what a recurrent layer after this one takes as `mask`: `ids ≠ 0`."""
        return ids != 0 if self.mask_zero else None


class EmbeddingBag(Layer):
    """One vector for several ids, such as a word's n-grams; see `zoo.functional.embedding_bag`.

    Args:
        input_dim: number of ids (the vocabulary); id 0 is padding.
        output_dim: width of a vector.
        stddev: the table is drawn from the stream `params`: normal, of this standard deviation.
        rngs: see there.
    """

    def __init__(self, input_dim: int, output_dim: int, *, stddev: float = 0.05, rngs: nnx.Rngs):
        check_positive(input_dim=input_dim, output_dim=output_dim)
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings = nnx.Param(
            stddev * jax.random.normal(rngs.params(), (input_dim, output_dim), jnp.float32)
        )

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Integers `[..., n]` to `[..., output_dim]`."""
        return F.embedding_bag(self.embeddings[...], ids)

    def compute_mask(self, ids: jax.Array) -> jax.Array:
        """What a recurrent layer after this one takes as `mask`: whether any id of a bag is ≠ 0."""
        return jnp.any(ids != 0, axis=-1)


class Activation(Layer):
    """A named activation as a layer of its own; see `zoo.functional.activation`."""

    def __init__(self, activation: str):
        F.activation(activation)
        self.activation = activation

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept."""
        return F.activation(self.activation)(x)
