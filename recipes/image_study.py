"""What the recipes on images share: train models over seeds, and write down what came out."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

import zoo
from zoo.data import Dataset, DatasetUnavailable, load
from zoo.errors import ZooError, check_positive
from zoo.explain import count_parameters
from zoo.models import weights_of
from zoo.reports import (
    RunFolder,
    Table,
    classification_report,
    confusion_matrix,
    confusion_matrix_figure,
    default_run_path,
    environment,
    learning_curves_figure,
    mean_interval,
)
from zoo.training import FitResult, TrainingConfig, columns, fit_seeds, predict
from zoo.training.program import Augment

FALLBACK = "digits"


@dataclass(frozen=True)
class Options:
    """Options that every recipe on images has."""

    dataset: str | None = None
    """Train on this data set and on no other. Without it the report's own is used or, where no
    source of that answers, the small digits that come with scikit-learn."""
    preset: Literal["report", "best"] = "report"
    """report: trained as in the report. best: the same model and number of epochs, trained as
    well as we know."""
    seeds: int = 1
    """How many seeds, from 0 on. With two or more there are intervals."""
    epochs: int | None = None
    """Another number of epochs than the preset's."""
    how: Literal["auto", "processes", "vmap", "in_turn"] = "auto"
    """How several seeds are trained: side by side on a core each, in one program, or in turn."""
    out: Path | None = None
    """Folder for the results. One that an interrupted run left is continued. Without it, a new
    folder in runs/."""
    progress: bool = True
    """Show a bar, or a line now and then where there is no terminal."""

    def __post_init__(self) -> None:
        check_positive(seeds=self.seeds)
        if self.epochs is not None:
            check_positive(epochs=self.epochs)


@dataclass(frozen=True)
class Preset:
    """How a model is trained."""

    training: TrainingConfig
    augment: Augment | None = None


@dataclass(frozen=True)
class Entry:
    """A model of a study: its name in the zoo and in tables, and the report's figure for it."""

    label: str
    model: str
    presets: Mapping[str, Preset]
    reported: float
    reported_measure: Literal["accuracy", "macro-F1"]


@dataclass(frozen=True)
class Study:
    """The models of a report and the data they were trained on."""

    name: str
    dataset: str
    entries: tuple[Entry, ...]


def run_study(study: Study, options: Options) -> None:
    """Trains each model over the seeds, prints the tables and writes the run folder."""
    data = _data(study, options)
    folder = RunFolder(options.out or default_run_path(study.name))
    presets = {entry.label: _preset(entry, options) for entry in study.entries}
    _check_same_run(folder, study, options, data, presets)
    measures, curves = {}, {}
    for entry in study.entries:
        results = _train(entry, presets[entry.label], data, folder, options)
        measures[entry.label] = _measure(entry, results, data, folder)
        measures[entry.label]["reported"] = (
            f"{entry.reported_measure} {entry.reported:.4f}" if data.name == study.dataset else None
        )
        curves[entry.label] = [columns(result.history) for result in results]
    folder.save_figure(
        "learning_curves.png",
        learning_curves_figure(
            curves, title=f"{data.name}, {_seeds(options.seeds)}", held_out="test"
        ),
    )
    folder.save_json(
        "metrics.json",
        {
            "command": _command(study, options),
            "dataset": data.name,
            "source": data.source,
            "preset": options.preset,
            "seeds": options.seeds,
            "environment": environment(jax.devices()[0].device_kind),
            "models": measures,
        },
    )
    table = results_table(folder.load_json("metrics.json"))
    folder.save_table("table", table)
    print(f"\n{table.text()}\n\nEverything is in {folder.path}.")


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number} seeds"


def _command(study: Study, options: Options) -> str:
    """The command line that asks for these options, but for where its results go."""
    words = ["python", "-m", f"recipes.{study.name}"]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value != field.default and field.name not in ("out", "progress"):
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{field.name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


def _data(study: Study, options: Options) -> Dataset:
    """The data set, with a first line that says which one it is and where it came from."""
    try:
        data = load(options.dataset or study.dataset, progress=options.progress)
    except DatasetUnavailable as error:
        if options.dataset is not None:
            raise
        data = load(FALLBACK, progress=options.progress)
        print(
            f"No source of {study.dataset} answered, so this run is on {FALLBACK} instead and "
            f"says nothing about the report.\n{error}"
        )
    print(
        f"{data.name}: {len(data.train.y):,} training and {len(data.test.y):,} test images of "
        f"{' × '.join(map(str, data.train.x.shape[1:]))}, from {data.source}.",
        flush=True,
    )
    return data


def _preset(entry: Entry, options: Options) -> Preset:
    preset = entry.presets[options.preset]
    if options.epochs is None:
        return preset
    training = dataclasses.replace(preset.training, epochs=options.epochs, steps=None)
    return dataclasses.replace(preset, training=training)


def _check_same_run(
    folder: RunFolder, study: Study, options: Options, data: Dataset, presets: Mapping[str, Preset]
) -> None:
    """Writes config.json, or refuses a folder that holds a run with other options.

    The number of seeds may differ: those that are complete are not trained again.
    """
    config: dict[str, Any] = {
        "study": study.name,
        "dataset": data.name,
        "preset": options.preset,
        "training": {label: asdict(preset.training) for label, preset in presets.items()},
    }
    if (folder.path / "config.json").exists():
        before = folder.load_json("config.json")
        differences = _differences(before, folder.as_json(config))
        if differences:
            raise ZooError(
                f"{folder.path} holds another run: {'; '.join(differences)}. Give the same "
                "options to continue it, or another --out."
            )
    folder.save_json("config.json", config)


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            difference
            for key in sorted({*before, *now})
            for difference in _differences(before.get(key), now.get(key), f"{name} {key}".strip())
        ]
    return [] if before == now else [f"{name} was {before!r} and is now {now!r}"]


def _train(
    entry: Entry, preset: Preset, data: Dataset, folder: RunFolder, options: Options
) -> tuple[FitResult, ...]:
    print(f"\n{entry.label} ({entry.model}), {_seeds(options.seeds)}", flush=True)
    return fit_seeds(
        partial(
            zoo.create_model,
            entry.model,
            input_shape=data.train.x.shape[1:],
            classes=len(data.classes),
        ),
        data.train,
        # Only looked at: nothing is chosen by it, and no preset stops early.
        validation=data.test,
        seeds=range(options.seeds),
        how=options.how,
        config=preset.training,
        augment=preset.augment,
        checkpoints=folder.path / "checkpoints" / entry.label.lower(),
        progress=options.progress,
    )


def _measure(
    entry: Entry, results: tuple[FitResult, ...], data: Dataset, folder: RunFolder
) -> dict[str, Any]:
    """Writes a model's weights, report and confusion matrix, and returns its figures."""
    stem = entry.label.lower()
    reports = []
    matrix = np.zeros((len(data.classes), len(data.classes)), int)
    for result in results:
        predicted = predict(result.model, data.test.x).argmax(axis=-1)
        reports.append(classification_report(data.test.y, predicted, data.classes))
        matrix += confusion_matrix(data.test.y, predicted, data.classes)
        folder.save_weights(f"{stem}-seed-{result.seed}.safetensors", weights_of(result.model))
    folder.save_table(
        f"{stem}-classes",
        reports[0].table(f"{entry.label} on the test images of {data.name}, seed 0"),
    )
    seeds = "" if len(results) == 1 else f", {len(results)} seeds together"
    folder.save_figure(
        f"{stem}-confusion.png",
        confusion_matrix_figure(
            matrix, data.classes, title=f"{entry.label} on the test images of {data.name}{seeds}"
        ),
    )
    epochs = [epoch for result in results for epoch in result.history]
    seconds = sum(epoch.seconds for epoch in epochs)
    return {
        "model": entry.model,
        "parameters": count_parameters(results[0].model),
        "accuracy": [report.accuracy for report in reports],
        "macro-F1": [report.macro.f1 for report in reports],
        "seconds an epoch": float(np.median([epoch.seconds for epoch in epochs])),
        "outside the program": 1 - sum(epoch.program_seconds for epoch in epochs) / seconds,
        "compile seconds": [result.compile_seconds for result in results],
        "histories": [columns(result.history) for result in results],
    }


def results_table(metrics: Mapping[str, Any]) -> Table:
    """The table of a run, from its metrics.json.

    "outside" is the share of an epoch's time that was not spent in compiled programs.
    """
    header = ("model", "parameters", "accuracy", "macro-F1", "the report", "s an epoch", "outside")
    rows = [
        (
            label,
            figures["parameters"],
            mean_interval(figures["accuracy"]),
            mean_interval(figures["macro-F1"]),
            figures["reported"],
            f"{figures['seconds an epoch']:.1f}",
            f"{figures['outside the program']:.1%}",
        )
        for label, figures in metrics["models"].items()
    ]
    return Table(header, rows, title=f"{metrics['command']}: {metrics['dataset']}, test images")
