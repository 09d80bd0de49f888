"""What models of texts share: the check of their input."""

import jax
import jax.numpy as jnp

from zoo.errors import ZooError, check_positive


def check_text_config(input_shape: tuple[int, ...], **sizes: int) -> None:
    """Raises unless `input_shape` is (length,) and all sizes are positive."""
    if not isinstance(input_shape, tuple) or len(input_shape) != 1:
        raise ZooError(f"input_shape must be a tuple (length,), got {input_shape!r}.")
    check_positive(length=input_shape[0], **sizes)


def check_ids(x: jax.Array, length: int) -> None:
    """Raises unless `x` is a batch of rows of `length` ids."""
    if x.ndim != 2 or x.shape[1] != length or not jnp.issubdtype(x.dtype, jnp.integer):
        raise ZooError(
            f"x must be integer ids of shape ('B', {length}), got {x.dtype} of shape {x.shape}. "
            "Texts become ids by zoo.data.TextEncoder; another length needs a model created with "
            "another input_shape."
        )


def check_bags(x: jax.Array, shape: tuple[int, int]) -> None:
    """Raises unless `x` is a batch of texts of `shape`: words, and ids a word."""
    if x.shape[1:] != shape or not jnp.issubdtype(x.dtype, jnp.integer):
        raise ZooError(
            f"x must be integer ids of shape {('B', *shape)}, got {x.dtype} of shape {x.shape}. "
            "Texts become such ids by zoo.data.NGramEncoder; other sizes need a model created with "
            "another input_shape."
        )
