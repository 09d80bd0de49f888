"""From results to tables and a page."""

from collections.abc import Iterable

import numpy as np

from benchmarks.peers import OURS, title_of
from benchmarks.results import CaseResult, Entry, Results, Spread
from benchmarks.roofline import floor_seconds
from benchmarks.targets import comparisons
from zoo.reports import Table
from zoo.reports.tables import Cell

NO_TIME = "–"
# A machine with less than this in use has nothing else to do.
QUIET = 0.1


def _milliseconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _cell(entry: Entry | None, measure: str) -> str:
    """Median with its quartiles, or why there is none in a word."""
    if entry is None or entry.status in ("missing", "unsupported"):
        return NO_TIME
    samples = entry.samples.get(measure)
    if not samples:
        return entry.status if entry.status != "measured" else NO_TIME
    spread = Spread.of(samples)
    quartiles = map(_milliseconds, (spread.first_quartile, spread.third_quartile))
    return f"{_milliseconds(spread.median)} ({' to '.join(quartiles)})"


def _ratio(value: float | None) -> str:
    return NO_TIME if value is None else f"{value:.2f}"


def speed_table(results: Results, *groups: str) -> Table:
    """Milliseconds of a step: median and quartiles, and ours over the best peer's."""
    participants = results.participants(*groups) or [OURS]
    rows: list[list[Cell]] = []
    for case in results.of_group(*groups):
        for measure in case.measures:
            best = case.best_peer(measure)
            rows.append(
                [
                    f"{case.case} ({case.batch})",
                    measure,
                    *(_cell(case.entries.get(name), measure) for name in participants),
                    NO_TIME if best is None else title_of(best[0]),
                    _ratio(case.ratio(measure)),
                ]
            )
    header = ("case (batch)", "ms of", *map(title_of, participants), "best peer", "zoo ÷ best peer")
    return Table(header, rows)


def target_table(results: Results) -> Table:
    """What was to be reached, what was, and where it was not, how far the floor is."""
    floor_of = {(case.case, measure): floor for case, measure, floor, _ in floors(results)}
    rows: list[list[Cell]] = []
    for found in comparisons(results):
        floor = floor_of.get((found.case.case, found.measure))
        rows.append(
            [
                f"{found.case.case} ({found.case.batch})",
                found.measure,
                _milliseconds(found.ours),
                "one seed" if found.against == OURS else title_of(found.against),
                _milliseconds(found.theirs),
                _ratio(found.ratio),
                f"{found.target:.2f}",
                "yes" if found.reached else "no",
                NO_TIME if floor is None else _milliseconds(floor),
                NO_TIME if floor is None else f"{found.ours / floor:.1f}",
            ]
        )
    header = (
        *("case (batch)", "ms of", "zoo", "against", "theirs", "zoo ÷ theirs", "to reach"),
        *("reached", "floor, ms", "zoo ÷ floor"),
    )
    return Table(header, rows)


def start_table(results: Results) -> Table:
    """Seconds until the first training step is done, and the peak of the process's memory."""
    rows: list[list[Cell]] = []
    for case in results.of_group("models"):
        for name, entry in case.entries.items():
            if "first step" not in entry.start:
                continue
            start, about = entry.start, entry.about
            peak, before = about.get("peak bytes"), about.get("resident bytes after import")
            device = about.get("device peak bytes")
            rows.append(
                [
                    case.case,
                    title_of(name),
                    f"{sum(start.values()):.1f}",
                    *(f"{start[part]:.1f}" for part in ("import", "build", "first step")),
                    None if peak is None else f"{peak / 1e6:.0f}",
                    None if peak is None or before is None else f"{(peak - before) / 1e6:.0f}",
                    None if device is None else f"{device / 1e6:.0f}",
                ]
            )
    header = (
        "case",
        "participant",
        "s to first step",
        "import",
        "build",
        "first step",
        "peak MB",
        "of it after import",
        "on the device, MB",
    )
    return Table(header, rows)


def compile_table(results: Results) -> Table:
    """Trace, lower, compile and run apart, for whoever is on JAX."""
    rows: list[list[Cell]] = []
    for case in results.of_group("models", "layers"):
        for measure in case.measures:
            for name, entry in case.entries.items():
                parts, median = entry.compiling.get(measure), entry.median(measure)
                if parts and median is not None:
                    seconds = (f"{parts.get(part, 0.0):.2f}" for part in PARTS)
                    rows.append(
                        [case.case, measure, title_of(name), *seconds, _milliseconds(median)]
                    )
    return Table(("case", "what", "participant", *(f"{p}, s" for p in PARTS), "run, ms"), rows)


PARTS = ("trace", "lower", "compile")


def floor_table(results: Results) -> Table:
    """What a step must do at least, how long that takes at the measured rates, and our share."""
    rows: list[list[Cell]] = []
    for case, measure, floor, median in floors(results):
        work = case.work[measure]
        rows.append(
            [
                f"{case.case} ({case.batch})",
                measure,
                f"{work['flops'] / 1e6:,.1f}",
                f"{work['bytes'] / 1e6:,.1f}",
                _milliseconds(floor),
                _milliseconds(median),
                f"{floor / median:.0%}",
            ]
        )
    header = ("case (batch)", "what", "Mflop", "MB", "floor, ms", "zoo, ms", "floor ÷ zoo")
    return Table(header, rows)


def floors(results: Results) -> Iterable[tuple[CaseResult, str, float, float]]:
    """Case, measure, the floor and our median, both in milliseconds."""
    if not results.ceilings:
        return
    for case in results.cases.values():
        for measure, work in case.work.items():
            ours = case.entries.get(OURS)
            median = None if ours is None else ours.median(measure)
            if median is not None:
                yield case, measure, 1e3 * floor_seconds(work, results.ceilings), median


def scaling_table(results: Results) -> Table:
    """Milliseconds as a sequence or a batch grows, and a step's or an example's share of it."""
    participants = results.participants("scaling")
    rows: list[list[Cell]] = []
    for case in results.of_group("scaling"):
        assert case.size is not None
        axis, size = case.size
        for measure in case.measures:
            median = case.entries[OURS].median(measure)
            share = None if median is None else f"{1e3 * median / size:.3g}"
            cells = [_cell(case.entries.get(name), measure) for name in participants]
            rows.append([f"{axis} = {size}", measure, *cells, share])
    header = ("size", "ms of", *map(title_of, participants), "zoo, µs ÷ size")
    return Table(header, rows)


def growth_sentences(results: Results) -> str:
    """Whether time grows as the length and the batch do, from the ends of each sweep."""
    sentences: list[str] = []
    for axis, name in (("T", "steps"), ("B", "rows")):
        cases = [c for c in results.of_group("scaling") if c.size is not None and c.size[0] == axis]
        ends = [
            (case.size[1], [case.entries[OURS].median(measure) for measure in case.measures])
            for case in sorted(cases, key=lambda case: case.size[1] if case.size else 0)
            if case.size is not None
        ]
        if len(ends) < 2 or None in (*ends[0][1], *ends[-1][1]):
            continue
        (low, first), (high, last) = ends[0], ends[-1]
        times = (f"{b / a:.3g}" for a, b in zip(first, last, strict=True) if a and b)
        sentences.append(
            f"From {low:,} to {high:,} {name}, {high / low:.3g} times as many, zoo's forward pass "
            f"took {' and its gradient '.join(times)} times as long."
        )
    return " ".join(sentences)


def seeds_sentence(results: Results) -> str:
    """Five seeds against one."""
    found = [
        (one, five)
        for case in results.of_group("seeds")
        if (one := case.entries[OURS].median("one seed")) is not None
        and (five := case.entries[OURS].median("five seeds")) is not None
    ]
    return "\n".join(
        f"Five seeds of mnist_lstm at once took {five / one:.2f} times as long as one: {five:.1f} "
        f"against {one:.1f} ms for a step of them all, starting and compiling included."
        for one, five in found
    )


def notes(results: Results) -> list[str]:
    """What is behind each dash: one line for each reason."""
    lines: dict[str, list[str]] = {}
    for case in results.cases.values():
        for name, entry in case.entries.items():
            title = title_of(name)
            if entry.status == "missing":
                lines.setdefault(f"{title} is not installed: `{entry.note}`", [])
            elif entry.status != "measured":
                words = {"unsupported": "cannot", "disagrees": "disagrees", "crashed": "crashed"}
                reason = f"{title} {words[entry.status]}: {entry.note}"
                lines.setdefault(reason, []).append(case.case)
    return [
        f"{reason} ({', '.join(cases)})" if cases else reason for reason, cases in lines.items()
    ]


def machine(results: Results) -> str:
    """What everything was measured on, with versions, threads and device."""
    about = results.environment
    versions: dict[str, str] = {}
    for case in results.cases.values():
        for entry in case.entries.values():
            versions |= entry.about.get("versions", {})
    rates = results.ceilings
    reached = (
        f" A matrix product reaches {rates['flops'] / 1e9:.0f} Gflop/s, a sweep through memory "
        f"{rates['bytes'] / 1e9:.1f} GB/s."
        if rates
        else ""
    )
    return (
        f"Measured on {about['cpu']}, {results.threads} of {about['cores']} cores, device "
        f"{results.device}, Python {about['python']}, "
        f"{', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}.{reached}"
    )


def disturbance(results: Results) -> str:
    """A sentence where other programs used the machine, empty where they did not."""
    shares = [case.others for case in results.cases.values() if case.others is not None]
    if not shares or max(shares) < QUIET:
        return ""
    return (
        f"**Other programs used up to {max(shares):.0%} of the machine before a case (half of the "
        f"time {float(np.median(shares)):.0%} or more): trust the ratios, not the times.**"
    )


def commands(results: Results) -> list[str]:
    """The commands behind the cases, in the order in which they were first given, with minutes."""
    seconds: dict[str, float] = {}
    for case in results.cases.values():
        if case.command:
            seconds[case.command] = seconds.get(case.command, 0.0) + case.seconds
    width = max(map(len, seconds), default=0)
    return [f"{line:<{width}}  # {took / 60:.1f} minutes" for line, took in seconds.items()]


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [
        "```sh\n" + "\n".join(commands(results)) + "\n```",
        machine(results),
        *filter(None, [disturbance(results)]),
    ]
    if target_table(results).rows:
        parts += ["### What was to be reached", target_table(results).markdown()]
    if results.of_group("models"):
        parts += [
            "### Models",
            "![Times of all participants, relative to ours](speed.png)",
            speed_table(results, "models").markdown(),
            "### Time to first step, and memory",
            start_table(results).markdown(),
        ]
    if results.of_group("layers"):
        parts += ["### Layers", speed_table(results, "layers").markdown()]
    if results.of_group("scaling"):
        parts += [
            "### As sequence and batch grow",
            "![Time over the length of a sequence and over the size of a batch](scaling.png)",
            *filter(None, [growth_sentences(results)]),
            scaling_table(results).markdown(),
        ]
    if seeds_sentence(results):
        parts += ["### Several seeds", seeds_sentence(results)]
    if floor_table(results).rows:
        parts += [
            "### How far from what the machine can do",
            "![Operations a second over operations a byte](roofline.png)",
            floor_table(results).markdown(),
        ]
    if compile_table(results).rows:
        parts += ["### Trace, compile and run", compile_table(results).markdown()]
    if notes(results):
        parts += ["### Dashes", "\n".join(f"- {line}" for line in notes(results))]
    return "\n\n".join(parts) + "\n"


def text(results: Results) -> str:
    """What is printed at the end of a run."""
    parts = [
        speed_table(results, group).text()
        for group in ("models", "layers")
        if results.of_group(group)
    ]
    if results.of_group("scaling"):
        parts += [scaling_table(results).text(), growth_sentences(results)]
    if target_table(results).rows:
        parts.append(target_table(results).text())
    parts += [seeds_sentence(results), disturbance(results), "\n".join(notes(results))]
    return "\n\n".join(filter(None, parts))
