"""A forest plot: many differences with their intervals, one below the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.reports.figures import COLOURS, new_figure
from zoo.reports.findings import SIGNIFICANT
from zoo.reports.statistics import PairedDifference

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forest_figure(
    differences: Mapping[str, PairedDifference],
    *,
    title: str,
    measure: str,
    reported: Mapping[str, float] | None = None,
) -> "Figure":
    """Differences as dots on lines that are their intervals, from top to bottom.

    A filled dot is a significant difference (p < 0.05), a hollow one is not; a difference of a
    single seed has no line. A cross is what a report has for it.

    Args:
        differences: label, such as "CRNN − CNN", to the difference.
        title: the heading.
        measure: what the differences are of, with its unit.
        reported: label to the report's difference, for those that it has.

    Raises:
        ZooError: no differences, or a reported one that is not among them.
    """
    reported = reported or {}
    if not differences:
        raise ZooError("differences must have at least one entry, got none.")
    unknown = sorted(set(reported) - set(differences))
    if unknown:
        raise ZooError(f"reported must have labels of differences, got {unknown}.")
    figure = new_figure(9, 2.2 + 0.3 * len(differences))
    figure.suptitle(title, wrap=True, parse_math=False)
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=0.8)
    for row, (label, difference) in enumerate(differences.items()):
        interval = difference.interval
        sure = difference.p_value < SIGNIFICANT
        axes.errorbar(
            interval.mean,
            row,
            xerr=interval.half_width if interval.n > 1 else None,
            fmt="o",
            capsize=3,
            color=COLOURS[0],
            markerfacecolor=COLOURS[0] if sure else "white",
        )
        if label in reported:
            axes.plot(reported[label], row, "x", color=COLOURS[1])
    # Empty ones: the legend shows what a dot and a cross mean, whichever of them there are.
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "color": COLOURS[0]}
    axes.plot([], [], label="p < 0.05", **dot)
    axes.plot([], [], label="not significant", markerfacecolor="white", **dot)
    if reported:
        axes.plot([], [], "x", color=COLOURS[1], label="the report")
    axes.set_yticks(range(len(differences)), list(differences), parse_math=False)
    axes.set_ylim(len(differences) - 0.4, -0.6)  # the first on top
    axes.set_xlabel(measure)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    return figure
