"""What models of images share: the check of their input."""

import jax
import jax.numpy as jnp

from zoo.errors import ZooError, check_positive


def check_image_config(input_shape: tuple[int, ...], classes: int) -> None:
    """Raises unless `input_shape` is (height, width, channels) and there are classes."""
    if not isinstance(input_shape, tuple) or len(input_shape) != 3:
        raise ZooError(
            f"input_shape must be a tuple (height, width, channels), got {input_shape!r}."
        )
    height, width, channels = input_shape
    check_positive(height=height, width=width, channels=channels, classes=classes)


def check_images(x: jax.Array, input_shape: tuple[int, int, int]) -> None:
    """Raises unless `x` is a floating-point batch of images of the model's shape."""
    if x.shape[1:] != input_shape or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ZooError(
            f"x must be floating-point images of shape {('B', *input_shape)}, got {x.dtype} of "
            f"shape {x.shape}. Bytes become floats by zoo.data.unit_range; another size needs "
            "a model created with another input_shape."
        )


def rows_as_steps(x: jax.Array) -> jax.Array:
    """Images `[B, H, W, C]` as sequences `[B, H, W·C]`: one row of pixels a step, top first."""
    batch, height, width, channels = x.shape
    return jnp.reshape(x, (batch, height, width * channels))
