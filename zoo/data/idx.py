"""IDX files, the format in which MNIST and Fashion-MNIST were published."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from zoo.data.catalogue import ImageDataset
from zoo.data.dataset import Split
from zoo.errors import ZooError

_STEMS = {"train": "train", "test": "t10k"}


def find_idx(folder: Path) -> dict[str, tuple[Path, Path]] | None:
    """The files of images and labels of each split, or None where none of them is there.

    Raises:
        ZooError: some of the four are there and some are not.
    """
    names = {
        split: (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        for split, stem in _STEMS.items()
    }
    wanted = [name for pair in names.values() for name in pair]
    found = {name: file for name in wanted if (file := _plain_or_gzip(folder / name)) is not None}
    if not found:
        return None
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ZooError(
            f"{folder} must have {', '.join(wanted)} (or the same with .gz), got no "
            f"{', '.join(missing)}. Install the files anew."
        )
    return {split: (found[images], found[labels]) for split, (images, labels) in names.items()}


def _plain_or_gzip(path: Path) -> Path | None:
    compressed = path.with_name(path.name + ".gz")
    return next((p for p in (path, compressed) if p.is_file()), None)


def read_idx_split(dataset: ImageDataset, images: Path, labels: Path) -> Split:
    """A split from its two files.

    Raises:
        ZooError: a file is damaged, or the two do not fit together or the data set.
    """
    x = read_idx(images, axes=3)[..., None]
    y = read_idx(labels, axes=1).astype(np.int32)
    if x.shape[1:] != dataset.shape or len(x) != len(y) or len(y) == 0:
        raise ZooError(
            f"{images} must hold images of {dataset.shape[:2]} pixels, as many as {labels} has "
            f"labels, got {len(x)} of {x.shape[1:3]} and {len(y)} labels. Install the files anew."
        )
    if y.max() >= len(dataset.classes):
        raise ZooError(
            f"{labels} must hold labels from 0 to {len(dataset.classes) - 1}, got {y.max()}. "
            "Install the file anew."
        )
    return Split(x, y)


def read_idx(path: Path, *, axes: int) -> np.ndarray:
    """An array of bytes: two zeros, the type (8, unsigned bytes), the number of axes, each
    axis's length as a big-endian 32-bit number, and the values, the last axis fastest.

    Raises:
        ZooError: the file cannot be read, is not of this form, or is longer or shorter than
            it says.

    Source: http://yann.lecun.com/exdb/mnist
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ZooError(f"{path} is damaged: {error}. Install the file anew.") from error
    start = 4 + 4 * axes
    magic = bytes((0, 0, 8, axes))
    if len(content) < start or content[:4] != magic:
        raise ZooError(
            f"{path} must be an IDX file of bytes with {axes} axes (starting with {magic.hex()}), "
            f"got {content[:4].hex() or 'an empty file'}. Install the file anew."
        )
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if len(content) - start != math.prod(shape):
        raise ZooError(
            f"{path} is damaged: it must hold {math.prod(shape):,} bytes of values for its shape "
            f"{tuple(shape)}, got {len(content) - start:,}. Install the file anew."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
