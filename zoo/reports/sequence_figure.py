"""A picture of the sequences that models read, and of what in them counts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zoo.errors import ZooError
from zoo.reports.figures import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Sequences(NamedTuple):
    """What a model read, `values [N, T]`, and how much each step counts, `influence [T]`."""

    values: np.ndarray
    influence: np.ndarray


def sequences_figure(
    read: Mapping[str, Sequences], names: Sequence[str], *, title: str, influence: str
) -> "Figure":
    """A column for each model: all sequences as rows of colours, the first as a line, influence.

    Colours are scaled for each model by itself. Influence has a logarithmic axis, cut off at a
    millionth of the model's largest.

    Args:
        read: label to what that model read.
        names: what each of the N sequences is of.
        title: the heading.
        influence: what it is, for its axis.

    Raises:
        ZooError: nothing was read, or shapes that do not fit.
    """
    if not read:
        raise ZooError("read must have at least one label, got none.")
    for label, (values, counts) in read.items():
        if values.shape != (len(names), len(counts)):
            raise ZooError(
                f"read[{label!r}] must have values [N, T] and influence [T] for {len(names)} "
                f"names, got shapes {values.shape} and {counts.shape}."
            )
    figure = new_figure(6 * len(read), 6.5)
    figure.suptitle(title, wrap=True, parse_math=False)
    rows = figure.subplots(3, len(read), squeeze=False, sharex="col", height_ratios=(2, 1, 1))
    for column, (label, (values, counts)) in enumerate(read.items()):
        picture, line, curve = rows[:, column]
        limit = max(float(np.abs(values).max()), 1e-12)
        image = picture.imshow(
            values, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
        )
        picture.set_title(label, parse_math=False)
        picture.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
        figure.colorbar(image, ax=picture, shrink=0.8)
        line.plot(values[0], color=COLOURS[0], linewidth=0.6)
        line.set_ylabel(names[0], parse_math=False)
        top = max(float(counts.max()), 1e-12)
        curve.semilogy(np.maximum(counts, top * 1e-6), color=COLOURS[1], linewidth=0.6)
        curve.set_ylim(top * 1e-6, top * 2)
        curve.set_ylabel(influence, wrap=True)
        curve.set_xlabel("step")
    return figure
