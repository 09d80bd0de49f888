"""How fast the zoo is beside what its users would otherwise run.

Every model of the zoo (train step, predict, time to first step, memory) and the layers that
matter, beside Keras on TensorFlow and on JAX, PyTorch, Flax, Equinox and Haiku. Peers get the same
weights and data; one whose outputs are not ours is not timed. Each runs in a process of its own,
in turns with ours.

    python -m benchmarks                            models, layers and seeds, all peers
    python -m benchmarks --cases mnist_lstm gru     these two
    python -m benchmarks --cases "lstm*" --peers torch
    python -m benchmarks --measures predict         models in use only, not in training
    python -m benchmarks --cases scaling --peers torch    time over length and batch
    python -m benchmarks --quick                    to see that all of it works

The folder gets results.json, results.md and pictures. Cases that a folder has are measured again,
others stay: a long run can be made of several commands with the same --out. What a peer lacks is
a dash, with the reason below the table.
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks import charts, report
from benchmarks.cases import ALL_MEASURES, DEFAULT_GROUPS, choose
from benchmarks.peers import PEERS, choose_peers
from benchmarks.results import Results
from benchmarks.rounds import QUICK, Settings, ceilings, check_device, measure_case
from zoo.errors import ZooError, check_positive, message_of, require
from zoo.reports import RunFolder, default_run_path, environment

RESULTS = "results.json"
# Variables that decide how fast ours is: where one is set, it is part of the command.
VARIABLES = (
    "JAX_NUM_CPU_DEVICES",
    "MALLOC_ARENA_MAX",
    "XLA_FLAGS",
    "ZOO_CUDNN",
    "ZOO_KEEP_MEMORY",
)


@dataclass(frozen=True)
class Options:
    """Options of this command."""

    cases: tuple[str, ...] = DEFAULT_GROUPS
    """Names, patterns, or the groups models, layers, scaling and seeds."""
    peers: tuple[str, ...] = tuple(PEERS)
    """Whom to compare with; "none" for nobody."""
    measures: tuple[str, ...] = ALL_MEASURES
    """What to time, of the cases that have it."""
    device: Literal["cpu", "gpu", "tpu"] = "cpu"
    """Where to compute."""
    threads: int | None = None
    """Cores that each participant may use. Without it, all that this process may."""
    quick: bool = False
    """A few steps of each, to see that all works; the times mean nothing."""
    out: Path | None = None
    """Folder for the results. Without it, a new folder in runs/."""

    def __post_init__(self) -> None:
        if self.threads is not None:
            check_positive(threads=self.threads)


def main(options: Options, command: str) -> None:
    """Measures, and writes what is finished even if it is interrupted."""
    cases, peers = choose(options.cases, options.measures), choose_peers(options.peers)
    cores = environment()["cores"]
    threads = options.threads or int(cores or 1)
    if cores is not None and threads > int(cores):
        raise ZooError(f"threads must be at most the {cores} cores of this process, got {threads}.")
    quick = QUICK if options.quick else {}
    settings = Settings(options.device, threads, options.measures, **quick)
    folder = RunFolder(options.out or default_run_path("benchmarks"))
    results = _continued(folder, settings)
    check_device(settings)
    try:
        _better(results, ceilings(settings))
        for i, case in enumerate(cases):
            print(f"{i + 1} of {len(cases)}: {case.name}", file=sys.stderr, flush=True)
            begun = time.perf_counter()
            result = measure_case(case, peers, settings)
            result.command, result.seconds = command, time.perf_counter() - begun
            results.cases[case.name] = result
            folder.save_json(RESULTS, asdict(results))
    finally:
        write(folder, results)
    print(report.text(results))
    print(f"\nResults are in {folder.path}.")


def write(folder: RunFolder, results: Results) -> None:
    """Saves the results, the page and the pictures."""
    folder.save_json(RESULTS, asdict(results))
    page = folder.path / "results.md"
    page.write_text(report.markdown(results), encoding="utf-8")
    if results.of_group("models", "layers"):
        folder.save_figure("speed.png", charts.speed_figure(results))
        if results.ceilings:
            folder.save_figure("roofline.png", charts.roofline_figure(results))
    if results.of_group("scaling"):
        folder.save_figure("scaling.png", charts.scaling_figure(results))


def _continued(folder: RunFolder, settings: Settings) -> Results:
    """The results of the folder, if it has any and they are of this machine; else none yet."""
    about: dict[str, Any] = dict(environment(settings.device))
    fresh = Results(about, settings.device, settings.threads)
    if not (folder.path / RESULTS).exists():
        return fresh
    before = Results.of(folder.load_json(RESULTS))
    for what, was, now in (
        ("cpu", before.environment["cpu"], about["cpu"]),
        ("device", before.device, settings.device),
        ("threads", before.threads, settings.threads),
    ):
        if was != now:
            raise ZooError(
                f"{folder.path} holds results of another {what}: it was {was!r} and is now "
                f"{now!r}. Give another --out."
            )
    fresh.cases, fresh.ceilings = before.cases, before.ceilings
    return fresh


def _better(results: Results, rates: Any) -> None:
    """Keeps the higher of the rates that were ever reached."""
    for name, rate in rates.items():
        results.ceilings[name] = max(rate, results.ceilings.get(name, 0.0))


def run(arguments: Sequence[str] | None = None) -> None:
    """The command: what a user can mend is one line on stderr and status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = require("tyro", "benchmarks").cli(
            Options, prog="python -m benchmarks", description=__doc__, args=words
        )
        variables = [f"{n}={shlex.quote(os.environ[n])}" for n in VARIABLES if n in os.environ]
        command = shlex.join(["python", "-m", "benchmarks", *words])
        main(options, " ".join([*variables, command]))
    except (ZooError, OSError) as error:
        print(f"error: {message_of(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; the cases that were finished are written", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    # This process makes models and draws data; what is measured runs in others.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as an interrupt: results are kept
    run()
