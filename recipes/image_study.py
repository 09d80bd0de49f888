"""What the recipes on images share: train models over seeds, and write down what came out."""

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

import jax
import numpy as np

import zoo
from recipes.run import RunOptions, command_line, continue_run, load_or_fall_back
from zoo.data import Dataset, unit_range
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
from zoo.training.functions import Augment, Preprocess, described


@dataclass(frozen=True)
class Options(RunOptions):
    """Options that every study of images has."""

    preset: Literal["report", "best"] = "report"
    """report: trained as in the report. best: the same model and number of epochs, trained as
    well as we know."""


@dataclass(frozen=True)
class Preset:
    """How a model is trained and asked.

    Args:
        training: as in `fit`.
        augment: likewise.
        options: what of the model's config differs from the report's.
        mirrored: whether a test image is judged together with its mirror image, by the mean of
            both probabilities.
    """

    training: TrainingConfig
    augment: Augment | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    mirrored: bool = False


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
    data = load_or_fall_back(study.dataset, options)
    print(
        f"{data.name}: {len(data.train.y):,} training and {len(data.test.y):,} test images of "
        f"{' × '.join(map(str, data.train.x.shape[1:]))}, from {data.source}.",
        flush=True,
    )
    folder = RunFolder(options.out or default_run_path(study.name))
    print(
        f"Results go to {folder.path}. If interrupted, go on with --out {folder.path}.", flush=True
    )
    presets = {entry.label: _preset(entry, options) for entry in study.entries}
    # The number of seeds may differ: those that are complete are not trained again.
    continue_run(
        folder,
        {
            "study": study.name,
            "dataset": data.name,
            "preset": options.preset,
            "training": {label: asdict(preset.training) for label, preset in presets.items()},
            "augment": {
                label: preset.augment and described(preset.augment)
                for label, preset in presets.items()
            },
            "options": {label: dict(preset.options) for label, preset in presets.items()},
        },
    )
    measures, curves = {}, {}
    for entry in study.entries:
        results = _train(entry, presets[entry.label], data, folder, options)
        mirrored = presets[entry.label].mirrored
        measures[entry.label] = measure(entry, results, data, folder, mirrored=mirrored)
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
            "command": command_line(study.name, options),
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


def _preset(entry: Entry, options: Options) -> Preset:
    preset = entry.presets[options.preset]
    if options.epochs is None:
        return preset
    training = dataclasses.replace(preset.training, epochs=options.epochs, steps=None)
    return dataclasses.replace(preset, training=training)


def _train(
    entry: Entry, preset: Preset, data: Dataset, folder: RunFolder, options: Options
) -> tuple[FitResult, ...]:
    judged = "; a test image is judged together with its mirror image" if preset.mirrored else ""
    print(f"\n{entry.label} ({entry.model}), {_seeds(options.seeds)}{judged}", flush=True)
    return fit_seeds(
        partial(
            zoo.create_model,
            entry.model,
            input_shape=data.train.x.shape[1:],
            classes=len(data.classes),
            **preset.options,
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


def measure(
    entry: Entry,
    results: tuple[FitResult, ...],
    data: Dataset,
    folder: RunFolder,
    *,
    preprocess: Preprocess = unit_range,
    mirrored: bool = False,
) -> dict[str, Any]:
    """Writes a model's weights, report and confusion matrix, and returns its figures.

    `mirrored` as in `Preset`.
    """
    stem = entry.label.lower()
    reports = []
    matrix = np.zeros((len(data.classes), len(data.classes)), int)
    for result in results:
        views = (data.test.x, data.test.x[:, :, ::-1]) if mirrored else (data.test.x,)
        logits = [predict(result.model, x, preprocess=preprocess) for x in views]
        predicted = np.mean(jax.nn.softmax(np.stack(logits)), axis=0).argmax(axis=-1)
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
        "mirrored": mirrored,
        "accuracy": [report.accuracy for report in reports],
        "macro-F1": [report.macro.f1 for report in reports],
        "seconds an epoch": float(np.median([epoch.seconds for epoch in epochs])),
        "outside the program": 1 - sum(epoch.program_seconds for epoch in epochs) / seconds,
        "compile seconds": [result.compile_seconds for result in results],
        "histories": [columns(result.history) for result in results],
    }


def name_in_tables(label: str, figures: Mapping[str, Any]) -> str:
    """A model's label, which says where images were judged together with their mirror images."""
    return f"{label}, mirrored" if figures.get("mirrored") else label


def results_table(metrics: Mapping[str, Any]) -> Table:
    """The table of a run, from its metrics.json.

    "outside" is the share of an epoch's time that was not spent in compiled programs.
    """
    header = ("model", "parameters", "accuracy", "macro-F1", "the report", "s an epoch", "outside")
    rows = [
        (
            name_in_tables(label, figures),
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
