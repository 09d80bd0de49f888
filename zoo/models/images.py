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


def check_images(
    x: jax.Array, input_shape: tuple[int, int, int], *, prepare: str = "zoo.data.unit_range"
) -> None:
    """Raises unless `x` is a floating-point batch of images of the model's shape.

    `prepare` is what makes bytes into that.
    """
    if x.shape[1:] != input_shape or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ZooError(
            f"x must be floating-point images of shape {('B', *input_shape)}, got {x.dtype} of "
            f"shape {x.shape}. Bytes become floats by {prepare}; another size needs a model "
            "created with another input_shape."
        )


def sized_pixels(images: jax.Array, input_shape: tuple[int, int, int]) -> jax.Array:
    """Bytes `[B, H, W, C]` as floats from 0 to 255, in the size and channels of `input_shape`.

    Sizes are changed by linear interpolation, grey pixels repeated for each channel; a fourth
    channel beside three colours is how opaque a pixel is, and is left out.
    """
    channels = input_shape[2]
    if images.ndim != 4 or images.shape[3] not in {1, channels, 4 if channels == 3 else channels}:
        raise ZooError(
            f"images must have shape [B, H, W, {channels}] (or 1 channel, or RGBA for RGB), got "
            f"shape {images.shape}."
        )
    images = images[..., :channels].astype(jnp.float32)
    batch, height, width, _ = images.shape
    if (height, width) != input_shape[:2]:
        shape = (batch, *input_shape[:2], images.shape[3])
        images = jax.image.resize(images, shape, "linear")
    return jnp.broadcast_to(images, (batch, *input_shape))
