"""Studies: settings of a model over seeds, each held against a reference setting.

A run is one setting with one seed. A setting is a frozen description of all that decides a run's
outcome but for the seed; its runs are kept under that description, so studies of one folder share
them, and a finished run is never run again. A run that was interrupted goes on where it was.

    FOLDER/config.json                 data and recipe: another one is refused
    FOLDER/metrics.json                every figure of every study
    FOLDER/STUDY.md, .csv, .png        its table and its learning curves
    FOLDER/runs/SETTING/config.json    the description
    FOLDER/runs/SETTING/seed-0.json    a finished run; and the weights of seed 0
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

import zoo
from recipes.run import SeedOptions, command_line, continue_run
from zoo.data import Dataset, Split, hold_out, unit_range
from zoo.errors import ZooError, unknown_name
from zoo.explain import count_parameters
from zoo.models import model_config, weights_of
from zoo.reports import (
    Finding,
    RunFolder,
    Table,
    classification_report,
    confusion_matrix,
    confusion_matrix_figure,
    curve_measures,
    default_run_path,
    environment,
    learning_curves_figure,
    mean_interval,
    paired_differences,
    verdict,
)
from zoo.training import FitResult, Job, TrainingConfig, columns, fit_jobs, predict
from zoo.training.functions import Augment, Preprocess, described

SCORES = ("validation accuracy", "validation macro-F1", "test accuracy", "test macro-F1")


@dataclass(frozen=True)
class StudyOptions(SeedOptions):
    """Options of a recipe that has studies."""

    study: str | None = "all"
    """Which study to run, or all of them. Studies share their runs."""
    seeds: int = 5
    """How many seeds, from 0 on; each setting is compared with the reference seed by seed."""


@dataclass(frozen=True)
class Setting:
    """How a model is made and trained, and what tables call it.

    Args:
        label: its name in tables and findings; no part of the description.
        model: a name of the registry.
        training: how it is trained.
        options: the model's options, but for those that follow from the data.
        augment: as in `fit`: a function of a module, or a `functools.partial` of one.
        data: how the data are prepared, for the recipe's `prepare`; values that JSON can hold.
    """

    label: str
    model: str
    training: TrainingConfig = TrainingConfig()
    options: Mapping[str, Any] = field(default_factory=dict)
    augment: Augment | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """The data of a setting: a `Dataset` with validation, and what the model is told of it.

    Args:
        data: the splits; the test split is only ever measured on.
        sizes: options of the model that follow from the data, such as the number of classes.
        preprocess: as in `fit`.
        files: name to content of what belongs to the weights, such as a vocabulary; kept beside
            them.
    """

    data: Dataset
    sizes: Mapping[str, Any]
    preprocess: Preprocess = unit_range
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def validation(self) -> Split:
        """The split to choose by."""
        if self.data.validation is None:
            raise ZooError(f"a study needs validation data, and {self.data.name} has none.")
        return self.data.validation


Prepare = Callable[[Setting], Prepared]


@dataclass(frozen=True)
class Study:
    """Settings to compare.

    Args:
        name: as `--study` takes it, and the stem of its files.
        title: what is varied, in words.
        settings: what is compared, each with a label of its own.
        reference: the label of the setting that the others are held against.
        measure: the measure whose difference is tested: one of `SCORES`.
        findings: what the report found, to be tested.
    """

    name: str
    title: str
    settings: tuple[Setting, ...]
    reference: str
    measure: str = "test accuracy"
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        labels = [setting.label for setting in self.settings]
        if len(set(labels)) != len(labels):
            raise ZooError(f"study {self.name!r} must have a label a setting, got {labels}.")
        if self.reference not in labels:
            raise unknown_name("reference", self.reference, labels)


def images_with_validation(data: Dataset, fraction: float = 0.1) -> Prepared:
    """Images whose training split gives a share, the same for every run, to choose by."""
    train, validation = hold_out(data.train, fraction, seed=0)
    sizes = {"input_shape": data.train.x.shape[1:], "classes": len(data.classes)}
    return Prepared(replace(data, train=train, validation=validation), sizes)


def choose_studies(studies: Sequence[Study], name: str | None) -> tuple[Study, ...]:
    """The study of that name, or all of them."""
    if name in (None, "all"):
        return tuple(studies)
    if name not in {study.name for study in studies}:
        raise unknown_name("study", str(name), ("all", *(study.name for study in studies)))
    return tuple(study for study in studies if study.name == name)


def check_study_or_preset(study: str | None, preset: str) -> None:
    """Raises where both are asked for: one would be left out in silence."""
    if study is not None and preset != "report":
        raise ZooError(
            f"study and preset exclude each other, got study {study!r} and preset {preset!r}: a "
            "study has its own settings."
        )


def with_epochs(study: Study, epochs: int) -> Study:
    """The study with another number of epochs in all its settings."""
    settings = tuple(
        replace(setting, training=replace(setting.training, epochs=epochs))
        for setting in study.settings
    )
    return replace(study, settings=settings)


def run_studies(
    recipe: str,
    studies: Sequence[Study],
    prepare: Prepare,
    options: SeedOptions,
    config: Mapping[str, Any],
) -> RunFolder:
    """Runs studies, prints each one's table and findings and writes them into the run folder.

    Args:
        recipe: its name, for the folder and the command line in the results.
        studies: what to run; see `choose_studies`.
        prepare: gives a setting its data; asked once a setting, so it should remember.
        options: seeds, `how`, `out` and `progress` are used.
        config: what all runs of the folder have in common: the data and their source at least.
    """
    folder = RunFolder(options.out or default_run_path(recipe))
    continue_run(folder, {"recipe": recipe, **config})
    metrics: dict[str, Any] = {"studies": {}, "commands": {}}
    if (folder.path / "metrics.json").exists():
        metrics |= folder.load_json("metrics.json")
    command, begun = command_line(recipe, options), time.monotonic()
    settings = [
        {
            setting.label: _Runs(setting, prepare(setting), folder, options.seeds)
            for setting in study.settings
        }
        for study in studies
    ]
    # All runs of all studies are asked for at once, so that no core waits for a study's last one.
    every: dict[str, _Runs] = {}
    for own in settings:
        for runs in own.values():
            every.setdefault(runs.key, runs)
    whole = not any(runs.begun() for runs in every.values())
    with closing(_run_missing(list(every.values()), options)) as finished:
        for study, own in zip(studies, settings, strict=True):
            while any(runs.missing() for runs in own.values()):
                next(finished)
            records = {label: runs.records() for label, runs in own.items()}
            metrics |= {**config, "environment": environment(jax.devices()[0].device_kind)}
            metrics["studies"][study.name] = {
                "command": command,
                **_figures(study, records),
            }
            folder.save_json("metrics.json", metrics)
            figures = folder.load_json("metrics.json")["studies"][study.name]
            table = study_table(figures)
            folder.save_table(study.name, table)
            curves = {label: [run["history"] for run in ran] for label, ran in records.items()}
            title = f"{study.title}, {_seeds(options.seeds)}"
            folder.save_figure(f"{study.name}.png", learning_curves_figure(curves, title=title))
            findings = [finding["sentence"] for finding in figures["findings"]]
            _say("\n".join([f"\n{table.text()}\n", *findings]))
    if whole:  # else it does not know how long the earlier commands took
        seconds = time.monotonic() - begun
        metrics["commands"][command] = {"runs": len(every) * options.seeds, "seconds": seconds}
        folder.save_json("metrics.json", metrics)
    print(f"\nEverything is in {folder.path}.")
    return folder


def _run_missing(every: Sequence["_Runs"], options: SeedOptions) -> Generator[None]:
    """Runs what is missing, keeps each run as soon as it is finished, and says so."""
    unfinished = [runs for runs in every if runs.missing()]
    jobs = [runs.job() for runs in unfinished]
    total = sum(len(job.seeds) for job in jobs)
    begun = time.monotonic()
    with closing(fit_jobs(jobs, how=options.how, progress=options.progress)) as results:
        for done, (place, result) in enumerate(results, 1):
            unfinished[place].keep(result)
            minutes = (time.monotonic() - begun) / done * (total - done) / 60
            name = jobs[place].name((result.seed,))
            _say(f"{done} of {total} runs, about {minutes:.0f} min left: {name}")
            yield


def _say(text: str) -> None:
    """Prints between the bars, not through them."""
    with tqdm.external_write_mode():
        print(text, flush=True)


def keep_model(folder: RunFolder, study: str, label: str) -> None:
    """Notes which setting's model predicts (see `recipes.prediction`), and writes its reports.

    `classes` is seed 0's precision, recall and F1, `confusion.png` adds up all seeds.
    """
    figures = folder.load_json("metrics.json")["studies"][study]
    key, seeds = figures["settings"][label]["run"], figures["seeds"]
    own = RunFolder(folder.path / "runs" / key)
    classes = own.load_json("config.json")["classes"]
    counts = np.array(
        [own.load_json(f"seed-{seed}.json")["test confusion"] for seed in range(seeds)]
    )
    predicted = np.tile(np.arange(len(classes)), len(classes))
    true = np.repeat(np.arange(len(classes)), len(classes))
    report = classification_report(
        np.repeat(true, counts[0].ravel()), np.repeat(predicted, counts[0].ravel()), classes
    ).table(f"{label} on the test split, seed 0")
    folder.save_table("classes", report)
    title = f"{label} on the test split, {_seeds(seeds)}"
    folder.save_figure(
        "confusion.png", confusion_matrix_figure(counts.sum(axis=0), classes, title=title)
    )
    folder.save_json("model.json", {"run": key})
    print(f"\n{report.text()}")


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number} seeds"


def describe(setting: Setting, prepared: Prepared) -> dict[str, Any]:
    """All that decides a run's outcome but for its seed, as JSON has it."""
    config = model_config(setting.model, **{**prepared.sizes, **setting.options})
    training = asdict(setting.training)
    del training["checkpoint_seconds"]
    description = {
        "model": setting.model,
        "options": asdict(config),
        "training": training,
        "augment": setting.augment and described(setting.augment),
        "data": dict(setting.data),
        "classes": prepared.data.classes,
        "files": {name: digest(content) for name, content in prepared.files.items()},
    }
    return RunFolder.as_json(description)


def digest(content: str) -> str:
    """A short name for a text: another text, another name."""
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


class _Runs:
    """The runs of a setting: those that were finished before are read and not run."""

    def __init__(self, setting: Setting, prepared: Prepared, folder: RunFolder, seeds: int):
        description = describe(setting, prepared)
        self.key = f"{setting.model}-{digest(json.dumps(description, sort_keys=True))}"
        self._setting, self._prepared, self._seeds = setting, prepared, range(seeds)
        self._own = RunFolder(folder.path / "runs" / self.key)
        self._checkpoints = folder.path / "checkpoints" / self.key
        continue_run(self._own, description)
        for name, content in prepared.files.items():
            (self._own.path / name).write_text(content, encoding="utf-8")

    def begun(self) -> bool:
        """Whether an earlier command has run some of it."""
        return len(self.missing()) < len(self._seeds) or self._checkpoints.exists()

    def missing(self) -> list[int]:
        """The seeds without a record."""
        return [seed for seed in self._seeds if not (self._own.path / f"seed-{seed}.json").exists()]

    def job(self) -> Job:
        """What trains them."""
        setting, prepared = self._setting, self._prepared
        return Job(
            label=setting.label,
            create=partial(
                zoo.create_model, setting.model, **{**prepared.sizes, **setting.options}
            ),
            train=prepared.data.train,
            validation=prepared.validation,
            seeds=self.missing(),
            config=setting.training,
            preprocess=prepared.preprocess,
            augment=setting.augment,
            checkpoints=self._checkpoints,
        )

    def keep(self, result: FitResult) -> None:
        """Measures a trained model and writes its record."""
        if result.seed == 0:
            self._own.save_weights("seed-0.safetensors", weights_of(result.model))
        # The record comes last: where it is, the run is complete.
        self._own.save_json(f"seed-{result.seed}.json", _record(result, self._prepared))
        if not self.missing():
            shutil.rmtree(self._checkpoints)

    def records(self) -> list[dict[str, Any]]:
        """What is kept of the runs, in the order of the seeds."""
        return [
            {"run": self.key, **self._own.load_json(f"seed-{seed}.json")} for seed in self._seeds
        ]


def _record(result: FitResult, prepared: Prepared) -> dict[str, Any]:
    """What is kept of a run."""
    history = columns(result.history)
    measures = curve_measures(history)
    validation, test = prepared.validation, prepared.data.test
    both = np.concatenate([validation.x, test.x])  # one shape to compile a program for
    predicted = predict(result.model, both, preprocess=prepared.preprocess).argmax(axis=-1)
    on_validation, on_test = np.split(predicted, [len(validation.y)])
    for name, split, answers in (
        ("validation", validation, on_validation),
        ("test", test, on_test),
    ):
        report = classification_report(split.y, answers, prepared.data.classes)
        measures |= {f"{name} accuracy": report.accuracy, f"{name} macro-F1": report.macro.f1}
    return {
        "seed": result.seed,
        "measures": measures,
        "test confusion": confusion_matrix(test.y, on_test, prepared.data.classes),
        "parameters": count_parameters(result.model),
        "seconds": sum(history["seconds"]),
        "epochs": len(result.history),
        "history": history,
    }


def _figures(study: Study, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """A study's part of metrics.json."""
    settings = {
        label: {
            "run": ran[0]["run"],
            "parameters": ran[0]["parameters"],
            "seconds": [run["seconds"] for run in ran],
            "epochs": [run["epochs"] for run in ran],
            "measures": {
                name: [run["measures"][name] for run in ran] for name in ran[0]["measures"]
            },
        }
        for label, ran in runs.items()
    }
    scores = {label: figures["measures"] for label, figures in settings.items()}
    return {
        "title": study.title,
        "seeds": len(runs[study.reference]),
        "reference": study.reference,
        "measure": study.measure,
        "settings": settings,
        "findings": [asdict(verdict(finding, scores)) for finding in study.findings],
    }


def study_table(figures: Mapping[str, Any]) -> Table:
    """A study's table, from its part of metrics.json."""
    reference, measure, settings = (figures[name] for name in ("reference", "measure", "settings"))
    others = [label for label in settings if label != reference]
    differences = dict(
        zip(
            others,
            paired_differences(
                (settings[label]["measures"][measure], settings[reference]["measures"][measure])
                for label in others
            ),
            strict=True,
        )
    )
    rows = []
    for label, found in settings.items():
        difference = differences.get(label)
        p = None if difference is None or np.isnan(difference.p_value) else difference.p_value
        rows.append(
            (
                label,
                *(mean_interval(found["measures"][name]) for name in SCORES),
                difference and difference.interval,
                None if p is None else f"{p:.2g}",
                f"{np.mean(found['seconds']):.1f}",
                found["parameters"],
            )
        )
    header = ("setting", *SCORES, "difference", "p, corrected", "s", "parameters")
    title = (
        f"{figures['title']}, {_seeds(figures['seeds'])}; difference in {measure} from "
        f"“{reference}”, p of a paired t test corrected by Holm's method"
    )
    return Table(header, rows, title)
