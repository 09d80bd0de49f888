"""Encoded images to arrays, in parallel."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from zoo.errors import ZooError, require


def decode_image(
    content: bytes, shape: tuple[int, int, int], name: str, *, resize: bool = False
) -> np.ndarray:
    """One encoded image (JPEG, PNG, …) as bytes `shape`: see `decode_images`."""
    image_module = require("PIL.Image", "data")
    height, width, channels = shape
    try:
        with image_module.open(io.BytesIO(content)) as image:
            picture = image.convert("L" if channels == 1 else "RGB")
    except image_module.UnidentifiedImageError as error:  # whose text has an object's address
        raise ZooError(f"{name} is damaged: it is in no format that Pillow knows.") from error
    except Exception as error:  # a damaged image can fail in any way
        raise ZooError(f"{name} is damaged: {error}.") from error
    if resize and picture.size != (width, height):
        picture = picture.resize((width, height), image_module.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    if pixels.shape[:2] != shape[:2]:
        raise ZooError(f"{name} must have {shape[:2]} pixels, got {pixels.shape[:2]}.")
    return pixels.reshape(shape)


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
