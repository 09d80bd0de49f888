"""Your own images: a folder with one sub-folder for each class."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.data.dataset import Dataset, Split, hold_out
from zoo.data.images import decode_image
from zoo.errors import ZooError, require, unknown_name

_log = logging.getLogger("zoo")


def load_folder(
    folder: str | os.PathLike[str],
    shape: tuple[int, int, int],
    *,
    test: float = 0.2,
    seed: int = 0,
    progress: bool = True,
) -> Dataset:
    """Images of `folder/<class>/<image>` as a data set; the sub-folders' names are the classes.

    Every image is brought to one size; grey, transparent and coloured ones are made of each
    other as `shape` asks. One that cannot be decoded is named in a warning and left out. Files
    and folders whose names begin with a dot are no images.

    Args:
        folder: has a sub-folder for each class.
        shape: height, width and channels (1 or 3) of the images in the data set.
        test: the share of each class that is held out as the test split.
        seed: another one holds out other images.
        progress: whether to show a bar at a terminal.

    Raises:
        ZooError: no such folder, fewer than two classes, a class without an image that can be
            decoded, or with too few to hold some out.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ZooError(f"folder must have a sub-folder for each class, got no folder {folder}.")
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and _visible(path))
    if len(classes) < 2:
        raise ZooError(
            f"{folder} must have at least two sub-folders, one for each class, got {len(classes)}."
        )
    files = [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).iterdir())
        if path.is_file() and _visible(path)
    ]
    images, labels, left_out = [], [], []
    bar = require("tqdm", "data").tqdm
    for path, label in bar(files, desc=f"decoding {folder}", disable=None if progress else True):
        try:
            images.append(decode_image(path.read_bytes(), shape, str(path), resize=True))
            labels.append(label)
        except ZooError as error:
            left_out.append(str(error))
    for message in left_out:
        _log.warning("Left out: %s", message)
    counts = np.bincount(np.array(labels, int), minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if empty:
        raise ZooError(
            f"each class of {folder} must have an image that can be decoded, got none for "
            f"{', '.join(empty)}."
        )
    every = Split(np.stack(images), np.array(labels, np.int32))
    train, held_out = hold_out(every, test, seed=seed)
    return Dataset(folder.name, f"the folder {folder.name}", tuple(classes), train, held_out)


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")


def choose_classes(data: Dataset, names: Sequence[str]) -> Dataset:
    """Only the examples of some classes; labels are positions in `names`.

    Raises:
        ZooError: fewer than two names, a name twice, or one that is no class; the message offers
            near ones.
    """
    if len(names) < 2 or len(set(names)) != len(names):
        raise ZooError(f"classes must be at least two different names, got {', '.join(names)}.")
    for name in names:
        if name not in data.classes:
            raise unknown_name(f"class of {data.name}", name, data.classes)
    new = np.full(len(data.classes), -1, np.int32)
    new[[data.classes.index(name) for name in names]] = np.arange(len(names))

    def chosen(split: Split) -> Split:
        labels = new[split.y]
        return Split(split.x[labels >= 0], labels[labels >= 0])

    return replace(
        data,
        classes=tuple(names),
        train=chosen(data.train),
        test=chosen(data.test),
        validation=data.validation and chosen(data.validation),
    )
