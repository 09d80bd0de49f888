"""Scenes: images with several labels, composed in memory from a data set of single items."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.data.dataset import Dataset, Split
from zoo.errors import ZooError, check_positive, require

Strength = Literal["none", "medium", "strong"]

# How many times more likely an item's partner comes with it than any other item does.
_FACTORS: dict[str, float] = {"none": 1.0, "medium": 8.0, "strong": 100.0}


@dataclass(frozen=True)
class SceneConfig:
    """How scenes are composed.

    The canvas has `grid × grid` cells of `cell × cell` pixels, and each item lies somewhere in a
    cell of its own.
    """

    cell: int = 20
    grid: int = 2
    fewest: int = 2
    """Items in a scene, at least."""
    most: int = 4
    """Items in a scene, at most."""
    smallest: int = 16
    """Side of the smallest items in pixels; the largest fill their cell."""
    hidden: float = 0.1
    """Share of the items that are partly hidden."""
    hidden_part: float = 0.4
    """How much of such an item is hidden, by a grey bar from one of its sides."""

    def __post_init__(self) -> None:
        check_positive(
            cell=self.cell,
            grid=self.grid,
            fewest=self.fewest,
            most=self.most,
            smallest=self.smallest,
        )
        if not self.fewest <= self.most <= self.grid**2:
            raise ZooError(
                f"fewest and most must be in order and at most {self.grid**2}, the cells of the "
                f"canvas, got {self.fewest} and {self.most}."
            )
        if self.smallest > self.cell:
            raise ZooError(
                f"smallest must be at most cell={self.cell} pixels, got {self.smallest}."
            )
        for name in ("hidden", "hidden_part"):
            if not 0 <= getattr(self, name) <= 1:
                raise ZooError(f"{name} must be between 0 and 1, got {getattr(self, name)!r}.")


def cooccurrence_table(classes: int, strength: Strength) -> np.ndarray:
    """A table for `scenes`: each class has a partner, half the classes further on.

    `table[i, j]` is the factor by which an item of class `i` in a scene makes one of class `j`
    more likely to come next. "none" has 1 everywhere, "medium" 8 and "strong" 100 for partners.
    Of Fashion-MNIST, trousers go with shirts, pullovers with sneakers, coats with boots.

    >>> cooccurrence_table(4, "medium").tolist()[0]
    [1.0, 1.0, 8.0, 1.0]
    """
    check_positive(classes=classes)
    if strength not in _FACTORS:
        raise ZooError(f"strength must be one of {tuple(_FACTORS)}, got {strength!r}.")
    table = np.ones((classes, classes))
    for i in range(classes // 2):
        partner = i + classes // 2
        table[i, partner] = table[partner, i] = _FACTORS[strength]
    return table


def scenes(
    items: Dataset,
    cooccurrence: np.ndarray | Strength = "strong",
    *,
    train: int = 8000,
    test: int = 2000,
    seed: int = 0,
    config: SceneConfig = SceneConfig(),
) -> Dataset:
    """Images of several items each, with labels that come together as a table says.

    The number of items of a scene is drawn evenly between `fewest` and `most`, its first class
    evenly among all, and each further one among those that are not in it yet, class `j` with
    probability `∝ Π table[i, j]` over the classes `i` that are. Then an example of each class
    is drawn, shrunk to a random size, in part hidden or not, and laid into a cell. Training
    scenes are made of training items and test scenes of test items.

    Args:
        items: images with one label each, e.g. `load("fashion_mnist")`.
        cooccurrence: a table `[classes, classes]` of factors of at least 0, or one of those of
            `cooccurrence_table` by its strength.
        train: number of training scenes.
        test: number of test scenes.
        seed: another one gives other scenes.
        config: sizes.

    Returns:
        A data set with `y [N, classes]`, boolean.

    Raises:
        ZooError: items that are not images with one label each; a table of another shape or with
            negative factors, or one that leaves nothing to choose from; classes that have no
            items, or fewer than a scene has items.
    """
    if items.train.x.ndim != 4 or items.train.y.ndim != 1:
        raise ZooError(
            "items must be images [N, H, W, C] with one label each, [N], got "
            f"{items.name} with arrays of shape {items.train.x.shape} and {items.train.y.shape}."
        )
    classes = len(items.classes)
    if isinstance(cooccurrence, str):
        which, table = f"{cooccurrence} co-occurrence", cooccurrence_table(classes, cooccurrence)
    else:
        which, table = "a co-occurrence table of the caller's", np.asarray(cooccurrence)
    _check_table(table, items.classes)
    check_positive(train=train, test=test)
    if config.most > classes:
        raise ZooError(f"most must be at most {classes}, the number of classes: {config.most}.")
    splits = {}
    for number, (name, count) in enumerate((("train", train), ("test", test))):
        rng = np.random.default_rng((seed, number))
        y = _label_sets(rng, table, count, config, items.classes)
        splits[name] = Split(_compose(rng, getattr(items, name), y, config, name), y)
    return Dataset(
        f"scenes of {items.name}",
        f"{items.name} ({items.source}), {which}, seed {seed}",
        items.classes,
        splits["train"],
        splits["test"],
    )


def _check_table(table: np.ndarray, names: tuple[str, ...]) -> None:
    if table.shape != (len(names), len(names)):
        raise ZooError(
            f"cooccurrence must have shape {(len(names), len(names))} for {len(names)} classes, "
            f"got {table.shape}."
        )
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ZooError("cooccurrence must have finite factors of at least 0.")


def _label_sets(
    rng: np.random.Generator,
    table: np.ndarray,
    count: int,
    config: SceneConfig,
    names: tuple[str, ...],
) -> np.ndarray:
    """Which classes are in each scene, `[count, classes]`."""
    sizes = rng.integers(config.fewest, config.most + 1, count)
    chosen = np.zeros((count, len(names)), bool)
    weights = np.ones(chosen.shape)
    for drawn in range(config.most):
        open_ = np.flatnonzero(sizes > drawn)
        bounds = np.cumsum(np.where(chosen, 0, weights)[open_], axis=1)
        if not (bounds[:, -1] > 0).all():
            stuck = chosen[open_[np.argmin(bounds[:, -1])]]
            together = ", ".join(np.array(names)[stuck])
            raise ZooError(
                f"cooccurrence must leave some class for a scene with {together}, got only zeros: "
                "raise a factor, or lower most."
            )
        at = rng.random((len(open_), 1)) * bounds[:, -1:]
        new = np.argmax(bounds > at, axis=1)
        chosen[open_, new] = True
        weights[open_] *= table[new]
    return chosen


def _compose(
    rng: np.random.Generator, items: Split, y: np.ndarray, config: SceneConfig, name: str
) -> np.ndarray:
    """Scenes with the classes of `y`, `[N, grid · cell, grid · cell, C]`, bytes."""
    rows_of = [np.flatnonzero(items.y == label) for label in range(y.shape[1])]
    empty = [label for label, rows in enumerate(rows_of) if len(rows) == 0]
    if empty:
        raise ZooError(f"items must have {name} images of every class, got none of {empty}.")
    image = require("PIL.Image", "data")
    side = config.grid * config.cell
    x = np.zeros((len(y), side, side, items.x.shape[3]), np.uint8)
    for scene, labels in zip(x, y, strict=True):
        present = np.flatnonzero(labels)
        cells = rng.permutation(config.grid**2)[: len(present)]
        for label, cell in zip(present, cells, strict=True):
            size = int(rng.integers(config.smallest, config.cell + 1))
            item = items.x[rng.choice(rows_of[label])]
            picture = image.fromarray(item[..., 0] if item.shape[2] == 1 else item)
            small = np.asarray(picture.resize((size, size), image.Resampling.BOX))
            small = small.reshape(size, size, -1).copy()
            if rng.random() < config.hidden:
                _hide(rng, small, round(config.hidden_part * size))
            top, left = (
                start * config.cell + rng.integers(0, config.cell - size + 1)
                for start in divmod(int(cell), config.grid)
            )
            scene[top : top + size, left : left + size] = small
    return x


def _hide(rng: np.random.Generator, item: np.ndarray, part: int) -> None:
    """Lays a grey bar of `part` pixels over an item, from one of its four sides."""
    side = int(rng.integers(4))
    turned = np.rot90(item, side)  # a view, so that what is written there is in the item
    turned[:part] = 128
