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
    axes.set_xscale("log")
    axes.set_yticks(
        range(len(rows)),
        [f"{case.case} ({case.batch}), {measure}" for case, measure in rows],
        parse_math=False,
    )
    axes.invert_yaxis()
    axes.set_xlabel("time over zoo's: right of the line is slower than zoo")
    axes.xaxis.set_major_formatter(_plain())
    axes.grid(axis="x", alpha=0.3)
    handles = [
        axes.plot([], [], linestyle="", label=title_of(name), **_look(participants, name))[0]
        for name in participants
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def roofline_figure(results: Results) -> "Figure":
    """Our operations a second over operations a byte, under the two measured ceilings."""
    figure = new_figure(8, 5.5)
    axes: Axes = figure.subplots()
    points = [
        (case, measure, case.work[measure]["flops"] / case.work[measure]["bytes"], median)
        for case, measure, _, median in floors(results)
        if case.work[measure]["flops"] and case.group != "scaling"
    ]
    intensities = [intensity for _, _, intensity, _ in points] or [1.0]
    reach = np.geomspace(min(intensities) / 2, max(*intensities, 100.0) * 2, 100)
    flops, bytes_ = results.ceilings["flops"], results.ceilings["bytes"]
    axes.plot(reach, np.minimum(flops, reach * bytes_) / 1e9, color="black")
    by_case = list(dict.fromkeys(case.case for case, *_ in points))
    for i, name in enumerate(by_case):
        mine = [point for point in points if point[0].case == name]
        axes.plot(
            [intensity for _, _, intensity, _ in mine],
            [case.work[m]["flops"] / (median / 1e3) / 1e9 for case, m, _, median in mine],
            linestyle="",
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i // len(COLOURS) % len(MARKERS)],
            label=name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations for a byte that has to be moved")
    axes.set_ylabel("Gflop/s")
    axes.grid(alpha=0.3)
    if by_case:
        figure.legend(loc="outside right upper", fontsize=7)
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
                    axes.plot(sizes, line, color="grey", linewidth=0.8, zorder=0)
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


def _plain() -> Any:
    return require("matplotlib.ticker", "reports").FormatStrFormatter("%g")
