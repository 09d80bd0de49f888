"""What a run found out, as data that a file can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

Status = Literal["measured", "missing", "unsupported", "disagrees", "crashed"]


class Spread(NamedTuple):
    """Milliseconds of a step over the samples of all rounds."""

    low: float
    first_quartile: float
    median: float
    third_quartile: float
    high: float

    @staticmethod
    def of(samples: Sequence[float]) -> "Spread":
        """The spread of some samples."""
        return Spread(*map(float, np.quantile(samples, (0, 0.25, 0.5, 0.75, 1))))


@dataclass
class Entry:
    """One participant in one case.

    Args:
        status: "measured"; or why there are no times, which `note` says in words.
        samples: milliseconds of a step, one value a round, for each measure.
        start: seconds to import the library, to build the model, and of the first step.
        compiling: seconds of tracing, lowering and compiling for each measure, where known.
        error: difference from our outputs (and input gradient), ‖theirs − ours‖ / ‖ours‖; of losses
            the largest relative one.
        about: versions, device, threads, memory.
    """

    status: Status = "measured"
    note: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)
    compiling: dict[str, dict[str, float]] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def note_compiling(self, measure: str, seconds: Mapping[str, float]) -> None:
        """Keeps what compiling took, unless it was done, and noted, before."""
        if "compile" in seconds:
            self.compiling.setdefault(measure, dict(seconds))

    def median(self, measure: str) -> float | None:
        """Milliseconds of a step, or None where there are none."""
        samples = self.samples.get(measure)
        return Spread.of(samples).median if samples else None


@dataclass
class CaseResult:
    """All participants of one case, which were timed in turns.

    Args:
        case: its name.
        group: its group.
        batch: examples in a step.
        measures: what was timed.
        entries: by participant; ours is "zoo".
        work: operations and bytes of a step for each measure, see `benchmarks.roofline`.
        size: the place in a sweep.
        command: what was run.
        others: share of the machine that other programs used just before, or None.
        seconds: what all of it took, starting and compiling included.
    """

    case: str
    group: str
    batch: int
    measures: Sequence[str]
    entries: dict[str, Entry] = field(default_factory=dict)
    work: dict[str, dict[str, float]] = field(default_factory=dict)
    size: Sequence[Any] | None = None
    command: str = ""
    others: float | None = None
    seconds: float = 0.0

    def best_peer(self, measure: str) -> tuple[str, float] | None:
        """The fastest peer and its median, or None where no peer was measured."""
        medians = {
            name: median
            for name, entry in self.entries.items()
            if name != "zoo" and (median := entry.median(measure)) is not None
        }
        best = min(medians, key=lambda name: medians[name], default=None)
        return None if best is None else (best, medians[best])

    def ratio(self, measure: str) -> float | None:
        """Our median over the best peer's; below 1 is faster."""
        ours, best = self.entries["zoo"].median(measure), self.best_peer(measure)
        return None if ours is None or best is None else ours / best[1]

    @staticmethod
    def of(data: Mapping[str, Any]) -> "CaseResult":
        """The result that was written as JSON."""
        entries = {name: Entry(**entry) for name, entry in data["entries"].items()}
        return CaseResult(**{**data, "entries": entries})


@dataclass
class Results:
    """All cases that are in a folder, and what they were measured on.

    Args:
        environment: the machine and the software, as `zoo.reports.environment` gives them.
        device: "cpu", "gpu" or "tpu".
        threads: cores for each participant.
        ceilings: rates of the machine, see `benchmarks.roofline`; empty until measured.
        cases: by name.
    """

    environment: dict[str, Any]
    device: str
    threads: int
    ceilings: dict[str, float] = field(default_factory=dict)
    cases: dict[str, CaseResult] = field(default_factory=dict)

    def participants(self, *groups: str) -> list[str]:
        """Who has an entry in the cases of these groups, ours first."""
        found = {
            name: None
            for case in self.cases.values()
            if case.group in groups
            for name in case.entries
        }
        return list(found)

    def of_group(self, *groups: str) -> list[CaseResult]:
        """The cases of these groups."""
        return [case for case in self.cases.values() if case.group in groups]

    @staticmethod
    def of(data: Mapping[str, Any]) -> "Results":
        """The results that were written as JSON."""
        cases = {name: CaseResult.of(case) for name, case in data["cases"].items()}
        return Results(**{**data, "cases": cases})
