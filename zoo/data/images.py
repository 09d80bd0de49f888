"""Encoded images to arrays, in parallel."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from zoo.errors import ZooError, require


def decode_image(
    content: bytes, shape: tuple[int, int, int], name: str, *, resize: bool = False
) -> np.ndarray:
    """One encoded image (JPEG, PNG, …) as bytes `shape`: see `decode_images`.

    A photo is turned as its camera was held (EXIF orientation), as one sees it in a viewer.
    """
    image_module = require("PIL.Image", "data")
    height, width, channels = shape
    try:
        with image_module.open(io.BytesIO(content)) as image:
            upright = require("PIL.ImageOps", "data").exif_transpose(image)
            picture = _of_bytes(upright).convert("L" if channels == 1 else "RGB")
    except image_module.UnidentifiedImageError as error:  # its message is an address in memory
        raise ZooError(f"{name} is damaged: no image format that Pillow knows.") from error
    except Exception as error:  # a damaged image can fail in any way
        raise ZooError(f"{name} is damaged: {error}.") from error
    if resize and picture.size != (width, height):
        picture = picture.resize((width, height), image_module.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    if pixels.shape[:2] != shape[:2]:
        raise ZooError(f"{name} must have {shape[:2]} pixels, got {pixels.shape[:2]}.")
    return pixels.reshape(shape)


def _of_bytes(image: Any) -> Any:
    """An image whose numbers are bytes; Pillow's own conversion cuts grey of 16 bits at 255."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return require("PIL.Image", "data").fromarray(grey)
    if image.mode in ("I", "F"):
        raise ZooError("it has 32 bits a pixel, and must have 8 or 16 a channel")
    return image


def decode_images(
    images: Sequence[bytes],
    shape: tuple[int, int, int],
    where: str,
    *,
    names: Sequence[str] | None = None,
    resize: bool = False,
    progress: bool,
) -> np.ndarray:
    """Encoded images (JPEG, PNG, …) as bytes `[N, *shape]`.

    Args:
        images: a file's content each.
        shape: height, width and channels: 1 for grey, 3 for colours; either is made of the other.
        where: the images in words, for errors and the bar.
        names: what each image is called in an error; None means by its row.
        resize: whether images of another size are brought to this one, or are an error.
        progress: whether to show a bar at a terminal.

    Raises:
        ZooError: an image that cannot be decoded or has another size.
    """
    if len(shape) != 3 or min(shape) < 1 or shape[2] not in (1, 3):
        raise ZooError(f"shape must be (height, width, 1 or 3), got {shape!r}.")
    require("PIL.Image", "data")
    tqdm = require("tqdm", "data").tqdm
    x = np.empty((len(images), *shape), np.uint8)

    def decode(row: int) -> None:
        name = f"row {row}" if names is None else names[row]
        place = f"{where}: the image in {name}"
        x[row] = decode_image(images[row], shape, place, resize=resize)

    def decode_some(rows: range) -> int:
        for row in rows:
            decode(row)
        return len(rows)

    pieces = [range(i, min(i + 256, len(images))) for i in range(0, len(images), 256)]
    silent = None if progress else True  # None: silent unless at a terminal
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=len(images), desc=f"decoding {where}", unit="image", disable=silent) as bar,
    ):
        for decoded in pool.map(decode_some, pieces):
            bar.update(decoded)
    return x
