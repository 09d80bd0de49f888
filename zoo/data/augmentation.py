"""Random changes to batches of images and texts, pure functions of a key, in compiled programs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from zoo.data.text import PAD, UNKNOWN
from zoo.errors import ZooError, check_positive


def unit_range(x: jax.Array) -> jax.Array:
    """Bytes as floats between 0 and 1, `x / 255`; anything but bytes as it is.

    The rule behind it: an array of bytes is an image.
    """
    return x.astype(jnp.float32) / 255 if x.dtype == jnp.uint8 else x


def random_crop(key: jax.Array, images: jax.Array, *, padding: int) -> jax.Array:
    """Moves each image by up to `padding` pixels up or down and left or right.

    The image is surrounded by `padding` zeros and cut out again at a random place.

    Args:
        key: a JAX random key.
        images: `[B, H, W, C]`, any type.
        padding: at least 0.

    Returns:
        As `images`.
    """
    _check_images(images)
    if not isinstance(padding, int) or padding < 0:
        raise ZooError(f"padding must be an integer, at least 0, got {padding!r}.")
    border = (padding, padding)
    padded = jnp.pad(images, ((0, 0), border, border, (0, 0)))
    corners = jax.random.randint(key, (images.shape[0], 2), 0, 2 * padding + 1)

    def cut(image: jax.Array, corner: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), images.shape[1:])

    return jax.vmap(cut)(padded, corners)


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Mirrors each image left to right with probability ½.

    Args:
        key: a JAX random key.
        images: `[B, H, W, C]`, any type.

    Returns:
        As `images`.
    """
    _check_images(images)
    mirrored = jax.random.bernoulli(key, shape=(images.shape[0], 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def cutout(key: jax.Array, images: jax.Array, *, size: int) -> jax.Array:
    """Blackens a square of `size` pixels around a random pixel of each image.

    At the border of the image the square is cut off.

    Args:
        key: a JAX random key.
        images: `[B, H, W, C]`, any type.
        size: the square's side, at least 1.

    Returns:
        As `images`.

    Source: DeVries and Taylor, 2017, https://arxiv.org/abs/1708.04552
    """
    _check_images(images)
    check_positive(size=size)
    row_key, column_key = jax.random.split(key)
    count, height, width, _ = images.shape

    def covered(key: jax.Array, length: int) -> jax.Array:
        start = jax.random.randint(key, (count, 1), 0, length) - size // 2
        positions = jnp.arange(length).reshape(1, length)
        return (positions >= start) & (positions < start + size)

    square = covered(row_key, height)[:, :, None] & covered(column_key, width)[:, None, :]
    return jnp.where(square[..., None], jnp.zeros_like(images), images)


def drop_words(key: jax.Array, ids: jax.Array, *, rate: float) -> jax.Array:
    """Makes each piece of a text unknown with probability `rate`; padding stays padding.

    Args:
        key: a JAX random key.
        ids: `[B, T]`, integers, as from `TextEncoder`.
        rate: at least 0 and less than 1.

    Returns:
        As `ids`.

    Source: "word dropout" of Iyyer et al., 2015, https://aclanthology.org/P15-1162
    """
    _check_texts(ids, "[B, T]", rate)
    dropped = jax.random.bernoulli(key, rate, ids.shape) & (ids != PAD)
    return jnp.where(dropped, jnp.asarray(UNKNOWN, ids.dtype), ids)


def drop_pieces(key: jax.Array, ids: jax.Array, *, rate: float) -> jax.Array:
    """Leaves each id of a text's bags out with probability `rate`: it becomes padding.

    Args:
        key: a JAX random key.
        ids: `[B, T, n]`, integers, as from `NGramEncoder`.
        rate: at least 0 and less than 1.

    Returns:
        As `ids`.
    """
    _check_texts(ids, "[B, T, n]", rate)
    return jnp.where(jax.random.bernoulli(key, rate, ids.shape), jnp.asarray(PAD, ids.dtype), ids)


def in_copies(
    augment: Callable[[jax.Array, jax.Array], jax.Array], copies: int
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """An augmentation that gives `copies` versions of each example instead of one.

    Args:
        augment: `(key, batch [B, ...]) -> [B, ...]`.
        copies: at least 1.

    Returns:
        `(key, batch [B, ...]) -> [copies · B, ...]`: a version of the whole batch after
        the other, each drawn with a key of its own.

    Source: "batch augmentation" of Hoffer et al., 2020, https://arxiv.org/abs/1901.09335
    """
    check_positive(copies=copies)
    return partial(_copies, augment, copies)  # unlike a function in here, it can be pickled


def _copies(
    augment: Callable[[jax.Array, jax.Array], jax.Array],
    copies: int,
    key: jax.Array,
    batch: jax.Array,
) -> jax.Array:
    versions = [augment(one_key, batch) for one_key in jax.random.split(key, copies)]
    return jnp.concatenate(versions)


def in_sequence(
    *augments: Callable[[jax.Array, jax.Array], jax.Array],
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """An augmentation that does several, one after the other, each with a key of its own.

    Args:
        augments: at least one, `(key, batch [B, ...]) -> [B, ...]`.
    """
    if not augments:
        raise ZooError("augments must have at least one augmentation, got none.")
    return partial(_sequence, *augments)  # unlike a function in here, it can be pickled


def _sequence(*augments_key_batch: Any) -> jax.Array:
    *augments, key, batch = augments_key_batch
    for augment, one_key in zip(augments, jax.random.split(key, len(augments)), strict=True):
        batch = augment(one_key, batch)
    return batch


def _check_images(images: jax.Array) -> None:
    if images.ndim != 4:
        raise ZooError(f"images must have shape [B, H, W, C], got shape {images.shape}.")


def _check_texts(ids: jax.Array, shape: str, rate: float) -> None:
    axes = shape.count(",") + 1
    if ids.ndim != axes or not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ZooError(f"ids must be integers of shape {shape}, got {ids.dtype} of {ids.shape}.")
    if not 0 <= rate < 1:
        raise ZooError(f"rate must be at least 0 and less than 1, got {rate!r}.")
