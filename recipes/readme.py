"""Puts the results of runs into the README: tables, the machine, and the pictures that it shows.

    python -m recipes.readme runs/a runs/b --times runs/c runs/d
    python -m recipes.readme --multilabel runs/e
    python -m recipes.readme --scratch runs/f
    python -m recipes.readme --ecrnn runs/f --ecrnn-full runs/j
    python -m recipes.readme --best runs/g
    python -m recipes.readme --studies runs/h runs/i

Nothing between two markers in README.md is written by hand.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from recipes import ecrnn, multilabel_cnn_rnn
from recipes.command import run_command
from recipes.image_study import name_in_tables
from recipes.study import study_table
from zoo.errors import ZooError, require
from zoo.reports import RunFolder, Table, mean_interval
from zoo.reports.tables import Cell

README = Path("README.md")
PICTURES = Path("docs")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
MULTILABEL = "<!-- multilabel: begin -->", "<!-- multilabel: end -->"
SCRATCH = "<!-- scratch: begin -->", "<!-- scratch: end -->"
ECRNN = "<!-- ecrnn: begin -->", "<!-- ecrnn: end -->"
ECRNN_FULL = "<!-- ecrnn-full: begin -->", "<!-- ecrnn-full: end -->"
BEST = "<!-- best: begin -->", "<!-- best: end -->"
STUDIES = "<!-- studies: begin -->", "<!-- studies: end -->"
STUDIES_PAGE = PICTURES / "studies.md"
STUDIES_TITLE = """# The studies of report B

Written by `python -m recipes.readme --studies` from the run folders of the commands below the
tables. How a study is made and tested stands in the README."""


@dataclass(frozen=True)
class ReadmeOptions:
    """Options of this command."""

    runs: Annotated[tuple[Path, ...], require("tyro", "recipes").conf.Positional] = ()
    """Run folders with the scores to show, in the order of the table."""
    times: tuple[Path, ...] = ()
    """Run folders with the times to show: one seed each, on a machine that did nothing else."""
    multilabel: Path | None = None
    """Run folder of multilabel_cnn_rnn, which has a part of its own."""
    scratch: Path | None = None
    """Run folder of inception_gru train --from-scratch, likewise."""
    ecrnn: Path | None = None
    """Run folder of ecrnn, which has a part of its own."""
    ecrnn_full: Path | None = None
    """Run folder of ecrnn --budget full, with a few entries of its grid, likewise."""
    best: Path | None = None
    """Run folder of cifar10_cnn --preset best, likewise."""
    studies: tuple[Path, ...] = ()
    """Run folders of recipes with studies, in the order of their part."""


def main(options: ReadmeOptions) -> None:
    """Rewrites the parts of README.md between the markers of the runs that are given."""
    hybrids = (options.ecrnn, options.ecrnn_full)
    single = (options.multilabel, options.scratch, *hybrids, options.best)
    own_parts = (*filter(None, single), *options.studies)
    if not options.runs and not own_parts:
        raise ZooError(
            "runs, multilabel, scratch, ecrnn, ecrnn_full, best or studies must name a run folder, "
            "got none."
        )
    if options.runs:
        runs, times = (tuple(map(_metrics, folders)) for folders in (options.runs, options.times))
        parts = (scores(runs).markdown(), epoch_times(times).markdown(), machines((*runs, *times)))
        _rewrite((BEGIN, END), parts, options.runs[0])
    if options.multilabel is not None:
        run = _metrics(options.multilabel)
        _rewrite(
            MULTILABEL,
            (
                multilabel_cnn_rnn.results_table(run).markdown(),
                multilabel_cnn_rnn.search_sentence(run),
                machines((run,)),
                *_pictures_of(run),
            ),
            options.multilabel,
        )
    if options.scratch is not None:
        run = _metrics(options.scratch)
        _rewrite(SCRATCH, (scores((run,)).markdown(), training_sentence(run), machines((run,))))
    if options.ecrnn is not None:
        run = _metrics(options.ecrnn)
        _rewrite(ECRNN, (*ecrnn.readme_parts(run), _about((run,))), options.ecrnn)
    if options.ecrnn_full is not None:
        run = _metrics(options.ecrnn_full)
        parts = (ecrnn.commands(run), ecrnn.accuracy_table(run).markdown(), _about((run,)))
        _rewrite(ECRNN_FULL, parts)
    if options.best is not None:
        run = _metrics(options.best)
        _rewrite(BEST, (*presets_of(run), machines((run,))))
    if options.studies:
        studies = tuple(map(_metrics, options.studies))
        about = _about(studies)
        tables = [part for run in studies for part in studies_of(run)]
        PICTURES.mkdir(exist_ok=True)
        STUDIES_PAGE.write_text("\n\n".join((STUDIES_TITLE, *tables, about)) + "\n")
        _rewrite(STUDIES, (*[part for run in studies for part in presets_of(run)], about))
    folders = (*options.runs, *options.times, *own_parts)
    print(f"{README} has the results of {', '.join(map(str, folders))}.")


def _pictures_of(run: Mapping[str, Any]) -> tuple[str, str]:
    """The pictures of the last strength of a multilabel_cnn_rnn run."""
    strength = list(run["strengths"])[-1]
    return (
        f"![Test images with their labels and both predictions](docs/{strength}-images.png)",
        f"![Labels that come together, in the data and as said](docs/{strength}-cooccurrence.png)",
    )


def training_sentence(run: Mapping[str, Any]) -> str:
    """How long the seeds of a run took, in words."""
    ((_, figures),) = run["models"].items()
    seconds = [
        sum(history["seconds"]) + compiling
        for history, compiling in zip(figures["histories"], figures["compile seconds"], strict=True)
    ]
    epochs = len(figures["histories"][0]["seconds"])
    # A run that was continued does not know how long it was at work before.
    whole = run["seconds"] >= max(seconds)
    together = f"; all {len(seconds)} together {run['seconds']:.0f} s" if whole else ""
    return (
        f"{epochs} epochs took {min(seconds):.0f} to {max(seconds):.0f} s a seed, compiling "
        f"included{together}."
    )


def studies_of(run: Mapping[str, Any]) -> list[str]:
    """The table of each study of a run, the command that made it, and what became of findings."""
    return [part for figures in run["studies"].values() for part in _study_parts(figures)]


def presets_of(run: Mapping[str, Any]) -> list[str]:
    """The same of a run's presets; of its other studies only what became of findings."""
    parts = []
    for name, figures in run["studies"].items():
        if name in ("report", "best"):
            parts += _study_parts(figures)
        elif figures["findings"]:
            parts += [f"{figures['title']} (`{figures['command']}`):", _sentences(figures)]
    return parts


def minutes_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """How long whole commands took, of the runs that know it; "" where none does."""
    took = [
        f"`{command}` made its {figures['runs']} runs in {figures['seconds'] / 60:.1f} minutes"
        for run in runs
        for command, figures in run.get("commands", {}).items()
    ]
    return "; ".join(took) + "." if took else ""


def _about(runs: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(filter(None, (machines(runs), minutes_of(runs))))


def _study_parts(figures: Mapping[str, Any]) -> list[str]:
    parts = [study_table(figures).markdown(), f"`{figures['command']}`"]
    return [*parts, _sentences(figures)] if figures["findings"] else parts


def _sentences(figures: Mapping[str, Any]) -> str:
    return "\n".join(f"- {finding['sentence']}" for finding in figures["findings"])


def _rewrite(markers: tuple[str, str], parts: Sequence[str], pictures: Path | None = None) -> None:
    """Puts `parts` between two markers of the README, and beside it a run's pictures it shows."""
    before, begin, rest = README.read_text().partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not begin or not end:
        raise ZooError(f"{README} must have the markers {markers[0]} and {markers[1]}.")
    page = "\n\n".join((before + begin, *parts, end + after))
    if pictures is not None:
        PICTURES.mkdir(exist_ok=True)
        for picture in sorted(pictures.glob("*.png")):
            if f"({PICTURES}/{picture.name})" in page:
                shutil.copy(picture, PICTURES / picture.name)
    README.write_text(page)


def _metrics(run: Path) -> Mapping[str, Any]:
    if not (run / "metrics.json").is_file():
        raise ZooError(f"{run} must be the folder of a finished run, got no metrics.json in it.")
    return RunFolder.existing(run).load_json("metrics.json")


def scores(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Accuracy and macro-F1 over the seeds, with their spread and the report's own figure."""
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        for label, figures in run["models"].items():
            for measure in ("accuracy", "macro-F1"):
                values = figures[measure]
                measured, _, reported = (figures["reported"] or "").partition(" ")
                rows.append(
                    (
                        run["command"],
                        name_in_tables(label, figures),
                        measure,
                        mean_interval(values),
                        f"{min(values):.4f} to {max(values):.4f}",
                        reported if measured == measure else None,
                    )
                )
    header = ("command", "model", "measure", "mean ± 95 %", "lowest to highest seed", "the report")
    return Table(header, rows)


def epoch_times(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Seconds of an epoch, of compiling, and the share of an epoch outside compiled programs."""
    rows = [
        (
            run["command"],
            label,
            f"{figures['seconds an epoch']:.1f}",
            f"{figures['compile seconds'][0]:.1f}",
            f"{figures['outside the program']:.1%}",
        )
        for run in runs
        for label, figures in run["models"].items()
    ]
    header = ("command", "model", "s an epoch", "s to compile, once", "outside the program")
    return Table(header, rows)


def machines(runs: Sequence[Mapping[str, Any]]) -> str:
    """What the runs were measured on, and where their data came from."""
    machines = "; and on ".join(sorted({_machine(run) for run in runs}))
    sources = "; ".join(sorted({f"{run['dataset']} from {run['source']}" for run in runs}))
    return f"Measured on {machines}. Data: {sources}."


def _machine(run: Mapping[str, Any]) -> str:
    about = run["environment"]
    versions = ", ".join(f"{name} {about[name]}" for name in ("jax", "jaxlib", "flax", "optax"))
    cores = "1 core" if about["cores"] == 1 else f"{about['cores']} cores"
    return f"{about['cpu']}, {cores}, {about['device']}, Python {about['python']}, {versions}"


if __name__ == "__main__":
    run_command(main, ReadmeOptions, __doc__)
