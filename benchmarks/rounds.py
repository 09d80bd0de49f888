"""Participants timed in turns: each in a process of its own, ours and the peers' alternating.

A machine that grows slower or faster does so for all of them; what is compared comes from the
same minutes.
"""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.cases import ALL_MEASURES, Case, measures_of
from benchmarks.peers import OURS, missing
from benchmarks.preparation import write_material
from benchmarks.results import CaseResult, Entry
from benchmarks.roofline import work_of
from zoo.errors import ZooError

ROOT = Path(__file__).parents[1]

# How far a peer's first outputs and gradients may be from ours, ‖theirs − ours‖ / ‖ours‖: float32
# and sums in another order over up to a thousand steps. It is not the largest difference: of
# four million inputs of a relu one may lie so near zero that the order of a sum decides its sign,
# and with it a whole term of the gradient. Losses are compared after steps of Adam, whose first
# steps are as large for a tiny gradient as for a large one; and PyTorch has two biases in each
# recurrent layer, which both learn.
OUTPUT_TOLERANCE, LOSS_TOLERANCE = 1e-3, 1e-2
CHECKED_STEPS = 3
# A library that has hung, not one that is slow.
PATIENCE = 900.0
SEED_STEPS = 1000


@dataclass(frozen=True)
class Settings:
    """How a run measures.

    Args:
        device: "cpu", "gpu" or "tpu".
        threads: cores that each participant may use.
        measures: what is timed, of the cases that have it.
        rounds: how often each participant has its turn.
        seconds: how long a turn lasts about.
        seed_steps: steps a seed in the group `seeds`, which has `seed_rounds` rounds.
    """

    device: str = "cpu"
    threads: int = 1
    measures: tuple[str, ...] = ALL_MEASURES
    rounds: int = 7
    seconds: float = 0.3
    seed_steps: int = SEED_STEPS
    seed_rounds: int = 2


QUICK: Mapping[str, Any] = {"rounds": 2, "seconds": 0.02, "seed_steps": 10, "seed_rounds": 1}


class FailedError(Exception):
    """A participant could not do what was asked."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class Process:
    """A fresh interpreter with one participant in it."""

    def __init__(self, participant: str, folder: Path, settings: Settings):
        self.participant = participant
        self._errors = folder / f"{participant}.log"
        command = [sys.executable, "-m", "benchmarks.worker"]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*command, participant, str(folder), settings.device, str(settings.threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=environment_of(settings),
            )

    def ask(self, do: str, **options: Any) -> Mapping[str, Any]:
        """One request and its answer.

        Raises:
            FailedError: the participant could not, has died, or does not answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **options}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE):
                raise FailedError("Hung", f"no answer to {do!r} within {PATIENCE:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        answer = json.loads(line)
        if "error" in answer:
            raise FailedError(answer["kind"], answer["error"])
        found: Mapping[str, Any] = answer["answer"]
        return found

    def _died(self) -> FailedError:
        code = self._process.wait()
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return FailedError("Died", f"its process ended with exit code {code}{last}")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables of a participant's process: threads, device, and no cache of programs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("JAX_COMPILATION_CACHE_DIR", "JAX_PLATFORMS")
    }
    threads = str(settings.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    kept |= dict.fromkeys(names, threads)
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    if settings.device == "cpu":
        kept |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return kept


def used_by_others(seconds: float) -> float | None:
    """The share of all cores that is in use while nothing of ours runs; None where not known."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] == before[1]:
        return None
    return 1 - (after[0] - before[0]) / (after[1] - before[1])


def _ticks() -> tuple[int, int] | None:
    """Idle and all ticks of all cores since the machine started."""
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        return None
    ticks = [int(word) for word in first.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def check_device(settings: Settings) -> None:
    """Raises a ZooError unless JAX has the device."""
    if settings.device == "cpu":
        return
    with tempfile.TemporaryDirectory() as folder, Process(OURS, Path(folder), settings) as process:
        try:
            process.ask("devices")
        except FailedError as error:
            raise ZooError(
                f"device must be one that JAX has here, got {settings.device!r}: "
                f"{' '.join(str(error).split())}"
            ) from error


def ceilings(settings: Settings) -> Mapping[str, float]:
    """Rates of this machine, see `benchmarks.roofline`."""
    with tempfile.TemporaryDirectory() as folder, Process(OURS, Path(folder), settings) as process:
        return process.ask("ceilings", seconds=5 * settings.seconds)


@dataclass
class _Turns:
    """The participants of one case that still take part."""

    result: CaseResult
    folder: Path
    settings: Settings
    processes: dict[str, Process] = field(default_factory=dict)

    def try_(self, name: str, do: str, **options: Any) -> Mapping[str, Any] | None:
        """Asks a participant; if it fails, its entry says so and it is out: None."""
        try:
            return self.processes[name].ask(do, **options)
        except FailedError as error:
            status: Any = "unsupported" if error.kind == "UnsupportedError" else "crashed"
            self.drop(name, status, " ".join(str(error).split())[:300])
            return None

    def drop(self, name: str, status: Any, note: str) -> None:
        entry = self.result.entries[name]
        entry.status, entry.note = status, note
        entry.samples.clear()  # half of a comparison is none
        self.processes.pop(name).close()

    def close(self) -> None:
        for process in self.processes.values():
            process.close()


def measure_case(case: Case, peers: Sequence[str], settings: Settings) -> CaseResult:
    """Builds, checks and times one case. Nothing that a participant does can end this."""
    measures = measures_of(case, settings.measures)
    result = CaseResult(case.name, case.group, case.batch, measures, size=case.size)
    result.others = used_by_others(settings.seconds)
    with tempfile.TemporaryDirectory(prefix="zoo-benchmarks-") as name:
        try:
            material = write_material(case, Path(name))
        except Exception as error:  # a model of ours that cannot even be made is a row, no end
            note = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            result.entries[OURS] = Entry("crashed", note)
            return result
        turns = _Turns(result, Path(name), settings)
        try:
            if material.network is not None:
                weights = sum(int(w.size) for w in material.weights.values())
                for measure in result.measures:
                    result.work[measure] = work_of(material.network, weights, case.batch, measure)
            if case.group == "seeds":
                _time_seeds(turns)
                return result
            for participant in (OURS, *peers):
                _prepare(turns, participant, material.network is not None, material.why_none)
            for measure in result.measures:
                _time(turns, measure)
            for participant in list(turns.processes):
                about = turns.try_(participant, "about")
                if about is not None:
                    result.entries[participant].about = dict(about)
        finally:
            turns.close()
    return result


def _prepare(turns: _Turns, name: str, shared: bool, why_not: str) -> None:
    """Starts a participant, lets it build and take its first steps, and checks what it says."""
    entry = turns.result.entries[name] = Entry()
    if name != OURS:
        install = missing(name)
        if install is not None:
            entry.status, entry.note = "missing", install
            return
        ours = turns.result.entries[OURS]
        if not shared or ours.status != "measured":
            entry.status = "unsupported"
            entry.note = why_not if not shared else "there is nothing of ours to check it against"
            return
    turns.processes[name] = Process(name, turns.folder, turns.settings)
    built = turns.try_(name, "build")
    outputs = None if built is None else turns.try_(name, "outputs")
    if built is None or outputs is None:
        return
    entry.start = {"import": built["import"], "build": built["build"]}
    forward = "predict" if turns.result.group == "models" else "forward"
    entry.note_compiling(forward, outputs["compiling"])
    if "train" in turns.result.measures:
        first = turns.try_(name, "losses", steps=1)
        more = None if first is None else turns.try_(name, "losses", steps=CHECKED_STEPS - 1)
        if first is None or more is None:
            return
        entry.start["first step"] = first["seconds"]
        entry.note_compiling("train", first["compiling"])
        entry.about["losses"] = [*first["losses"], *more["losses"]]
    if "gradient" in turns.result.measures:
        gradient = turns.try_(name, "input_gradient")
        if gradient is None:
            return
        entry.note_compiling("gradient", gradient["compiling"])
    if name != OURS:
        _check(turns, name)


def _check(turns: _Turns, name: str) -> None:
    """Drops a peer whose first outputs, gradients or losses are not ours."""
    result, entry = turns.result, turns.result.entries[name]
    for what in ("outputs", "gradient") if "gradient" in result.measures else ("outputs",):
        theirs, ours = (np.load(turns.folder / f"{what}-{who}.npy") for who in (name, OURS))
        if theirs.shape != ours.shape:
            turns.drop(name, "disagrees", f"{what} of shape {theirs.shape}, ours {ours.shape}")
            return
        entry.error[what] = float(np.linalg.norm(theirs - ours) / np.linalg.norm(ours))
    if "train" in result.measures and not _by_chance(turns.folder):
        theirs, ours = (np.array(result.entries[who].about["losses"]) for who in (name, OURS))
        entry.error["losses"] = float(np.abs(theirs / ours - 1).max())
    for what, error in entry.error.items():
        if not error <= (LOSS_TOLERANCE if what == "losses" else OUTPUT_TOLERANCE):
            turns.drop(name, "disagrees", f"its {what} differ from ours by {error:.1e}")
            return


def _by_chance(folder: Path) -> bool:
    """Whether dropout makes every library's losses its own."""
    layers = json.loads((folder / "network.json").read_text())["layers"]
    return any(layer["kind"] == "Dropout" and layer["options"]["rate"] > 0 for layer in layers)


def _time(turns: _Turns, measure: str) -> None:
    entries, settings = turns.result.entries, turns.settings
    steps: dict[str, int] = {}
    for name in list(turns.processes):
        warm = turns.try_(name, "warm_up", measure=measure, seconds=settings.seconds)
        if warm is not None:
            steps[name] = warm["steps"]
            entries[name].note_compiling(measure, warm["compiling"])
    for turn in range(settings.rounds):
        order = list(turns.processes)
        shift = turn % max(1, len(order))
        for name in order[shift:] + order[:shift]:
            timed = turns.try_(name, "time", measure=measure, steps=steps[name])
            if timed is not None:
                entries[name].samples.setdefault(measure, []).append(1e3 * timed["seconds"])


def _time_seeds(turns: _Turns) -> None:
    """One seed against five, each a whole call of `fit_seeds`, in milliseconds of a step."""
    settings, entry = turns.settings, Entry()
    turns.result.entries[OURS] = entry
    turns.processes[OURS] = Process(OURS, turns.folder, settings)
    if turns.try_(OURS, "build") is None:
        return
    for _ in range(settings.seed_rounds):
        for measure in turns.result.measures:
            timed = turns.try_(OURS, "time", measure=measure, steps=settings.seed_steps)
            if timed is None:
                return
            entry.samples.setdefault(measure, []).append(1e3 * timed["seconds"])
    about = turns.try_(OURS, "about")
    entry.about = dict(about or {})
