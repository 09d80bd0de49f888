"""Pictures of results: confusion matrices and learning curves.

Drawn on figures of their own with Matplotlib's Agg canvas: no window is opened, and pyplot's
list of open figures is not touched.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from zoo.errors import ZooError, require
from zoo.reports.classification import check_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Mapping[str, Sequence[float]]

# Told apart with every kind of colour blindness (Okabe & Ito 2008, "Color Universal Design").
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v")
DOTS_PER_INCH = 150


def confusion_matrix_figure(matrix: ArrayLike, classes: Sequence[str], *, title: str) -> "Figure":
    """A confusion matrix: in each cell the count and its percentage of the true class (row).

    Args:
        matrix: counts `[classes, classes]`, rows true and columns predicted, as from
            `confusion_matrix`.
        classes: the names of the classes.
        title: the heading.

    Raises:
        ZooError: the matrix is not one of counts for these classes.
    """
    counts = _check_counts(matrix, classes)
    support = counts.sum(axis=1, keepdims=True)
    shares = 100 * counts / np.maximum(support, 1)

    # Cells of one size, whatever their number, and room for the longest name beside them.
    cells, names = 0.68 * len(classes), 0.08 * max(map(len, classes))
    figure = new_figure(max(cells + names + 1.9, 5.5), max(cells + 0.75 * names + 1.4, 4.5))
    axes = figure.subplots()
    # Blues runs evenly from light to dark, so it can be read without seeing colour.
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_title(title, wrap=True, parse_math=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    ticks = range(len(classes))
    axes.set_xticks(
        ticks, classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False
    )
    axes.set_yticks(ticks, classes, parse_math=False)
    for (i, j), count in np.ndenumerate(counts):
        axes.text(
            j,
            i,
            f"{count}\n{shares[i, j]:.1f} %" if count else "0",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shares[i, j] > 50 else "black" if count else "grey",
        )
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("% of the true class")
    return figure


def _check_counts(matrix: ArrayLike, classes: Sequence[str]) -> np.ndarray:
    check_classes(classes)
    counts = np.asarray(matrix)
    if counts.shape != (len(classes), len(classes)):
        raise ZooError(
            f"matrix must have shape {(len(classes), len(classes))} for {len(classes)} classes, "
            f"got {counts.shape}."
        )
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ZooError(
            "matrix must hold counts (integers from 0 on), got "
            f"dtype {counts.dtype}, smallest {counts.min()}."
        )
    return counts


def learning_curves_figure(
    curves: Mapping[str, Sequence[History]], *, title: str, held_out: str = "validation"
) -> "Figure":
    """Loss and accuracy over the epochs, side by side: training dashed, held-out data solid.

    A line is the mean over the seeds, the band around it reaches from the lowest seed to the
    highest. Where seeds stopped early, both are over those that got as far as the epoch. What
    is not finite is a gap.

    Args:
        curves: label (e.g. "CNN") to one history a seed. A history maps the column names
            `epoch`, `loss`, `accuracy`, and with validation `val_loss`, `val_accuracy`, to
            their values over the epochs; other columns are left alone.
        title: the heading.
        held_out: what the validation columns were measured on, for the legend, e.g. "test".

    Raises:
        ZooError: no curves, a label without seeds, a column that is missing or of another
            length than `epoch`.
    """
    _check_curves(curves)
    # As many columns in the legend as the longest label allows; each has a label's two lines.
    columns = min(max(int(10 / (0.08 * max(map(len, curves)) + 2)), 1), len(curves))
    figure = new_figure(10, 4.2 + 0.4 * -(-len(curves) // columns))
    figure.suptitle(title, wrap=True, parse_math=False)
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for i, (label, histories) in enumerate(curves.items()):
            look: dict[str, Any] = {
                "color": COLOURS[i % len(COLOURS)],
                "marker": MARKERS[i % len(MARKERS)],
            }
            dashed = {**look, "linestyle": "--", "markerfacecolor": "white"}
            _draw(axes, histories, metric, f"{label}, training", dashed)
            _draw(axes, histories, f"val_{metric}", f"{label}, {held_out}", look)
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
    lines, labels = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(lines, labels, loc="outside lower center", ncols=columns)
    if any(len(histories) > 1 for histories in curves.values()):
        legend.set_title("mean over seeds, lowest to highest shaded")
    return figure


def _check_curves(curves: Mapping[str, Sequence[History]]) -> None:
    if not curves:
        raise ZooError("curves must have at least one label, got none.")
    for label, histories in curves.items():
        if not histories:
            raise ZooError(f"curves[{label!r}] must have the history of at least one seed.")
        for seed, history in enumerate(histories):
            missing = {"epoch", "loss", "accuracy"} - set(history)
            if missing:
                raise ZooError(
                    f"curves[{label!r}][{seed}] must have the columns epoch, loss and accuracy, "
                    f"got {sorted(history)}."
                )
            for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
                if name in history and len(history[name]) != len(history["epoch"]):
                    raise ZooError(
                        f"curves[{label!r}][{seed}][{name!r}] must have one value for each of "
                        f"the {len(history['epoch'])} epochs, got {len(history[name])}."
                    )


def _draw(
    axes: "Axes", histories: Sequence[History], column: str, label: str, look: dict[str, Any]
) -> None:
    """Draws one column over all seeds that have it; nothing if none has."""
    by_epoch: dict[float, list[float]] = {}
    for history in histories:
        for epoch, value in zip(history["epoch"], history.get(column, ()), strict=False):
            by_epoch.setdefault(epoch, []).append(value if np.isfinite(value) else np.nan)
    if not by_epoch:
        return
    epochs = sorted(by_epoch)
    values = [by_epoch[epoch] for epoch in epochs]
    axes.plot(
        epochs,
        [np.mean(seeds) for seeds in values],
        label=label,
        markersize=4,
        markevery=-(-len(epochs) // 12),
        **look,
    )
    if len(histories) > 1:
        low, high = map(np.min, values), map(np.max, values)
        axes.fill_between(
            epochs, list(low), list(high), color=look["color"], alpha=0.15, linewidth=0
        )


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of its own, sized in inches, whose layout leaves room for every label."""
    layout = require("matplotlib.layout_engine", "reports").ConstrainedLayoutEngine(
        w_pad=0.1, h_pad=0.1, wspace=0.02
    )
    figure: Figure = require("matplotlib.figure", "reports").Figure(
        figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout
    )
    require("matplotlib.backends.backend_agg", "reports").FigureCanvasAgg(figure)
    return figure
