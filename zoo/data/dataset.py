"""What a data set is: splits of NumPy arrays with class names."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zoo.errors import ZooError, require


class DatasetUnavailable(ZooError):  # noqa: N818 (it is a state of the world, not a mistake)
    """No source of a data set answered; the message has each place tried and why it failed."""


class Split(NamedTuple):
    """Examples and their labels.

    Images are `x [N, H, W, C]`, bytes, channels last (C is 1 for grey ones); texts are `x [N]`,
    strings, or as `TextEncoder` encodes them, `x [N, T]`, int32; labels are
    `y [N]`, int32, positions in the data set's class names. Where an example can have several
    labels, `y [N, classes]`, boolean: whether it has each of them.
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A data set by name.

    Args:
        name: as `load` takes it.
        source: where it came from, in words.
        classes: the names of the classes; a label is a position in it.
        train: to learn from.
        test: to measure on.
        validation: to choose by, where the data set has such a split.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    validation: Split | None = None


def hold_out(split: Split, fraction: float, *, seed: int) -> tuple[Split, Split]:
    """Takes a random share of each class out of a split, for validation.

    Args:
        split: what to divide.
        fraction: the share to hold out, between 0 and 1.
        seed: another one holds out other examples.

    Returns:
        What is left, and what was held out.

    Raises:
        ZooError: the fraction, or a class with too few examples to divide.
    """
    if not 0 < fraction < 1:
        raise ZooError(f"fraction must be between 0 and 1, got {fraction!r}.")
    train_test_split = require("sklearn.model_selection", "data").train_test_split
    try:
        left, out = train_test_split(
            np.arange(len(split.y)), test_size=fraction, random_state=seed, stratify=split.y
        )
    except ValueError as error:
        raise ZooError(f"split cannot be divided by fraction={fraction}: {error}") from error
    left, out = np.sort(left), np.sort(out)
    return Split(split.x[left], split.y[left]), Split(split.x[out], split.y[out])
