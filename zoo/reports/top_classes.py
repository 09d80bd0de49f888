"""A picture of what a classifier says of some images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import ZooError
from zoo.reports.classification import check_classes
from zoo.reports.figures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def top_classes_figure(
    images: Sequence[np.ndarray],
    probabilities: np.ndarray,
    classes: Sequence[str],
    names: Sequence[str],
    *,
    title: str,
    top: int = 3,
) -> "Figure":
    """Each image with bars for its most probable classes.

    Args:
        images: bytes `[H, W, 3]` or `[H, W, 1]`, of any size each.
        probabilities: `[N, classes]`.
        classes: the names of the classes.
        names: of the images.
        title: the heading of all.
        top: how many classes to show of each.

    Raises:
        ZooError: no images, or numbers that do not fit together.
    """
    check_classes(classes)
    if not len(images) or not len(images) == len(names) == len(probabilities):
        raise ZooError(
            f"there must be a name and a row of probabilities for each image, got {len(images)} "
            f"images, {len(names)} names and {len(probabilities)} rows."
        )
    if probabilities.shape[1:] != (len(classes),):
        raise ZooError(
            f"probabilities must have {len(classes)} columns, one for each class, got shape "
            f"{probabilities.shape}."
        )
    top = min(top, len(classes))
    figure = new_figure(7.0, 1.9 * len(images) + 0.8)
    figure.suptitle(title, wrap=True, parse_math=False)
    rows = figure.subplots(len(images), 2, squeeze=False, width_ratios=(1, 2))
    for (left, right), image, row, name in zip(rows, images, probabilities, names, strict=True):
        left.imshow(image, cmap="gray" if image.shape[-1] == 1 else None)
        left.set_axis_off()
        left.set_title(name, fontsize=8, parse_math=False)
        best = np.argsort(row)[::-1][:top]
        places = np.arange(top)
        right.barh(places, row[best], color=COLOURS[0])
        right.set_yticks(places, [classes[i] for i in best], parse_math=False)
        right.invert_yaxis()
        right.set_xlim(0, 1.15)
        right.set_xticks([0, 0.5, 1])
        for place, probability in zip(places, row[best], strict=True):
            right.text(probability + 0.01, place, f"{probability:.1%}", va="center", fontsize=8)
    return figure
