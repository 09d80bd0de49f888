"""The pictures of a run."""

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers import OURS, title_of
from benchmarks.report import floors
from benchmarks.results import Results, Spread
from zoo.errors import require
from zoo.reports.figures import COLOURS, MARKERS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _look(participants: list[str], name: str) -> dict[str, Any]:
    i = participants.index(name)
    return {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}


def speed_figure(results: Results) -> "Figure":
    """Each participant's time over ours: a dot for the median, a line between the quartiles."""
    participants = results.participants("models", "layers")
    rows = [
        (case, measure)
        for case in results.of_group("models", "layers")
        for measure in case.measures
        if case.entries[OURS].median(measure) is not None
    ]
    figure = new_figure(8.5, 1.6 + 0.3 * max(len(rows), 3))
    axes: Axes = figure.subplots()
    for y, (case, measure) in enumerate(rows):
        ours = case.entries[OURS].median(measure) or 1.0
        for name, entry in case.entries.items():
            if not entry.samples.get(measure):
                continue
            spread = Spread.of(entry.samples[measure])
            look = _look(participants, name)
            quartiles = [spread.first_quartile / ours, spread.third_quartile / ours]
            axes.plot(quartiles, [y, y], color=look["color"], linewidth=2, alpha=0.5)
            axes.plot(spread.median / ours, y, linestyle="", markersize=6, **look)
    axes.axvline(1, color="grey", linewidth=1, zorder=0)
    _logarithmic(axes)
    axes.set_yticks(
        range(len(rows)),
        [f"{case.case} ({case.batch}), {measure}" for case, measure in rows],
        parse_math=False,
    )
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_xlabel("time over zoo's: right of the line is slower than zoo")
    axes.grid(axis="x", alpha=0.3)
    handles = [
        axes.plot([], [], linestyle="", label=title_of(name), **_look(participants, name))[0]
        for name in participants
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def roofline_figure(results: Results) -> "Figure":
    """Our operations a second over operations a byte, under the two measured ceilings.

    Full marks are forward passes, hollow ones have the backward pass too.
    """
    figure = new_figure(9, 5.5)
    axes: Axes = figure.subplots()
    points = [
        (case, measure, case.work[measure]["flops"] / case.work[measure]["bytes"], median)
        for case, measure, _, median in floors(results)
        if case.work[measure]["flops"] and case.group != "scaling"
    ]
    flops, bytes_ = results.ceilings["flops"], results.ceilings["bytes"]
    intensities = [flops / bytes_, *(intensity for _, _, intensity, _ in points)]
    reach = np.geomspace(min(intensities) / 4, max(intensities) * 2, 200)
    axes.plot(reach, np.minimum(flops, reach * bytes_) / 1e9, color="black")
    by_case = list(dict.fromkeys(case.case for case, *_ in points))
    for case, measure, intensity, median in points:
        i = by_case.index(case.case)
        look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)]}
        look["marker"] = MARKERS[i // len(COLOURS) % len(MARKERS)]
        forward = measure in ("predict", "forward")
        axes.plot(
            intensity,
            case.work[measure]["flops"] / (median / 1e3) / 1e9,
            linestyle="",
            markerfacecolor=look["color"] if forward else "none",
            label=case.case if measure == case.measures[0] else None,
            **look,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations for a byte that has to be moved")
    axes.set_ylabel("Gflop/s")
    axes.grid(alpha=0.3)
    if by_case:
        figure.legend(loc="outside right upper", fontsize=7, title="full: forward pass alone")
    return figure


def scaling_figure(results: Results) -> "Figure":
    """Time over the length of a sequence and the size of a batch; grey lines are proportional."""
    participants = results.participants("scaling")
    figure = new_figure(10, 4.6)
    for axes, axis in zip(figure.subplots(1, 2), ("T", "B"), strict=True):
        cases = [case for case in results.of_group("scaling") if case.size and case.size[0] == axis]
        for name in participants:
            for measure, style in (("forward", "-"), ("gradient", "--")):
                found = [
                    (case.size[1], median)
                    for case in cases
                    if case.size
                    and name in case.entries
                    and (median := case.entries[name].median(measure)) is not None
                ]
                if not found:
                    continue
                sizes, medians = zip(*sorted(found), strict=True)
                look = _look(participants, name)
                axes.plot(
                    sizes,
                    medians,
                    style,
                    label=f"{title_of(name)}, {measure}",
                    markersize=4,
                    **look,
                )
                if name == OURS:
                    line = [medians[-1] * size / sizes[-1] for size in sizes]
                    label = "proportional" if measure == "forward" else None
                    axes.plot(sizes, line, color="grey", linewidth=0.8, zorder=0, label=label)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(_plain())
        axes.yaxis.set_major_formatter(_plain())
        axes.set_xlabel("steps T" if axis == "T" else "batch B")
        axes.set_ylabel("ms")
        axes.grid(alpha=0.3)
    lines, labels = figure.axes[0].get_legend_handles_labels()
    if lines:
        figure.legend(lines, labels, loc="outside lower center", ncols=4)
    return figure


def _logarithmic(axes: "Axes") -> None:
    """Across, with a tick at each of 1, 2 and 5, or where that is too many, at each 10."""
    ticker = require("matplotlib.ticker", "reports")
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axes.xaxis.set_major_formatter(_plain())
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())


def _plain() -> Any:
    return require("matplotlib.ticker", "reports").FormatStrFormatter("%g")
