"""Pictures of sets of labels: images with their labels, and which labels come together."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import ZooError
from zoo.reports.classification import check_classes
from zoo.reports.figures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def labelled_images_figure(
    images: np.ndarray,
    y_true: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    classes: Sequence[str],
    *,
    title: str,
    columns: int = 4,
) -> "Figure":
    """A grid of images, below each its labels and what each model says.

    A set that is right is in one colour and with a tick, one that is wrong in another, with
    what is missing and what is too much.

    Args:
        images: bytes `[N, H, W, C]`, grey (C = 1) or in colours.
        y_true: boolean `[N, K]`.
        predictions: name of a model to what it says, boolean `[N, K]`.
        classes: the names of the labels.
        title: the heading.
        columns: images side by side.
    """
    check_classes(classes)
    if not len(images):
        raise ZooError("images must have at least one image, got none.")
    for name, sets in {"y_true": y_true, **predictions}.items():
        if sets.shape != (len(images), len(classes)):
            raise ZooError(
                f"{name} must have shape {(len(images), len(classes))}, a row for each image, "
                f"got {sets.shape}."
            )
    rows = -(-len(images) // columns)
    figure = new_figure(3.2 * columns, (2.4 + 0.35 * len(predictions)) * rows + 0.6)
    figure.suptitle(title, wrap=True, parse_math=False)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for i, (image, axes) in enumerate(zip(images, grid, strict=False)):
        grey = image.shape[-1] == 1
        axes.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None)
        axes.set_title(_names(y_true[i], classes, ", "), fontsize=8, wrap=True, parse_math=False)
        for line, (model, sets) in enumerate(predictions.items()):
            right = bool((sets[i] == y_true[i]).all())
            missing = _names(y_true[i] & ~sets[i], classes, " −", first="−")
            extra = _names(sets[i] & ~y_true[i], classes, " +", first="+")
            axes.text(
                0.5,
                -0.04 - 0.11 * line,
                f"{model}: {'✓' if right else f'{missing} {extra}'.strip()}",
                transform=axes.transAxes,
                ha="center",
                va="top",
                fontsize=7,
                color=COLOURS[2] if right else COLOURS[1],
                parse_math=False,
            )
    return figure


def _names(chosen: np.ndarray, classes: Sequence[str], between: str, first: str = "") -> str:
    names = [name for name, here in zip(classes, chosen, strict=True) if here]
    return first + between.join(names) if names else ""


def cooccurrence_figure(
    matrices: Mapping[str, np.ndarray], classes: Sequence[str], *, title: str
) -> "Figure":
    """Matrices of `cooccurrence` side by side, on one scale of colours.

    Args:
        matrices: heading to `[K, K]`, the share of the images with the row's label that have the
            column's too. NaN is left white.
        classes: the names of the labels.
        title: the heading of all.
    """
    check_classes(classes)
    if not matrices:
        raise ZooError("matrices must have at least one, got none.")
    size = 0.42 * len(classes)
    names = 0.08 * max(map(len, classes))
    figure = new_figure((size + 0.4) * len(matrices) + names + 1.2, size + names + 1.2)
    figure.suptitle(title, wrap=True, parse_math=False)
    panels = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    ticks = range(len(classes))
    for axes, (heading, matrix) in zip(panels, matrices.items(), strict=True):
        if matrix.shape != (len(classes), len(classes)):
            raise ZooError(
                f"matrices[{heading!r}] must have shape {(len(classes), len(classes))}, got "
                f"{matrix.shape}."
            )
        shares = np.where(np.eye(len(classes), dtype=bool), np.nan, matrix)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_title(heading, parse_math=False)
        axes.set_xticks(
            ticks, classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False
        )
        axes.set_yticks(ticks, classes, parse_math=False)
        for (i, j), share in np.ndenumerate(shares):
            if np.isfinite(share):
                colour = "white" if share > 0.5 else "black"
                axes.text(
                    j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour
                )
    bar = figure.colorbar(image, ax=panels, shrink=0.8)
    bar.set_label("share with the column's label too")
    return figure
