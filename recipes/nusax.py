"""What the recipes on NusaX share: the data as ids, options, presets, and `predict`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from recipes.study import (
    LoadedRun,
    Prepared,
    Setting,
    Study,
    StudyOptions,
    choose_studies,
    digest,
    keep_model,
    load_model,
    print_probabilities,
    run_studies,
    with_epochs,
)
from zoo.data import Dataset, Split, TextConfig, TextEncoder, load
from zoo.errors import ZooError, check_positive, require
from zoo.training import TrainingConfig

# The report does not say its optimiser, batch or epochs; these are Keras's defaults and epochs
# enough for every setting to overfit.
TRAINING = TrainingConfig(epochs=20, batch_size=32)
LENGTH = 80  # the longest training sentence has 77 words
STOPPING = replace(TRAINING, epochs=40, patience=5)


@dataclass(frozen=True)
class NusaXOptions(StudyOptions):
    """Options of the recipes on NusaX."""

    study: str | None = None
    """Which study to run, or all of them; studies share their runs. Without it, the preset."""
    preset: Literal["report", "best"] = "report"
    """report: the report's best model, stopped early. best: the best one we know, from scratch."""
    lang: str = "ind"
    """The language of the texts, by its ISO 639-3 code; the report's is Indonesian."""
    length: int | None = None
    """Ids in a row, instead of the preset's."""
    min_count: int | None = None
    """How often a word must come up in training to be in the vocabulary."""
    lower: bool = True
    """Leave case out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {"length": self.length, "min_count": self.min_count}
        check_positive(**{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class PredictOptions:
    """Options of predict."""

    run: Annotated[Path, require("tyro", "recipes").conf.Positional]
    """The folder of a finished run of a preset."""
    text: Annotated[str, require("tyro", "recipes").conf.Positional]
    """What to tell the sentiment of."""


def prepare_texts(options: NusaXOptions) -> tuple[Dataset, Any]:
    """The data set, and what gives a setting its rows of ids."""
    data = load("nusax", lang=options.lang, progress=options.progress)
    if data.validation is None:
        raise ZooError(f"{data.name} must have a validation split, got none.")
    validation = data.validation
    asked: dict[str, Any] = {"lower": options.lower}
    for name in ("length", "min_count"):
        if getattr(options, name) is not None:
            asked[name] = getattr(options, name)

    @cache
    def encoded(config: TextConfig) -> Prepared:
        encoder = TextEncoder.fit(data.train.x, config)

        def ids(split: Split) -> Split:
            return Split(encoder.encode(split.x), split.y)

        sizes = {
            "input_shape": (encoder.length,),
            "vocabulary": encoder.vocabulary,
            "classes": len(data.classes),
        }
        splits = replace(
            data, train=ids(data.train), validation=ids(validation), test=ids(data.test)
        )
        return Prepared(splits, sizes, files={"tokenizer.json": encoder.to_json()})

    def prepare(setting: Setting) -> Prepared:
        return encoded(TextConfig(**{"length": LENGTH, **setting.data, **asked}))

    return data, prepare


def run_nusax(
    recipe: str, options: NusaXOptions, studies: Sequence[Study], presets: Mapping[str, Study]
) -> None:
    """Runs studies, or a preset: the study of its name, whose first setting is the model."""
    chosen = presets[options.preset] if options.study is None else None
    asked = (chosen,) if chosen else choose_studies(studies, options.study or "all")
    data, prepare = prepare_texts(options)
    if options.epochs is not None:
        asked = tuple(with_epochs(study, options.epochs) for study in asked)
    print(
        f"{data.name}: {len(data.train.y):,} training, {len(data.validation.y):,} validation and "  # type: ignore[union-attr]
        f"{len(data.test.y):,} test sentences, from {data.source}."
    )
    folder = run_studies(
        recipe, asked, prepare, options, {"dataset": data.name, "source": data.source}
    )
    if chosen:
        keep_model(folder, chosen.name, chosen.settings[0].label)


def predict_text(options: PredictOptions) -> None:
    """Prints the class probabilities of a text, by the model of a preset's finished run."""
    run = load_model(options.run)
    encoder = encoder_of(run)
    pieces, known = encoder.count(options.text)
    if not pieces:
        raise ZooError(f"text must have at least one word, got {options.text!r}.")
    if not known:
        raise ZooError(
            f"text must have at least one word that came up in training, got {options.text!r}: is "
            "it in another language or script?"
        )
    if pieces > encoder.length:
        print(
            f"note: the text has {pieces} pieces and the model reads the first {encoder.length}.",
            file=sys.stderr,
        )
    print_probabilities(run, encoder.encode([options.text]))


def encoder_of(run: LoadedRun) -> TextEncoder:
    """The vocabulary of a model.

    Raises:
        ZooError: the file is missing, damaged, or another model's.
    """
    file = run.folder.path / "tokenizer.json"
    expected = run.description["files"].get("tokenizer.json")
    if expected is None:
        raise ZooError(f"{run.folder.path} must hold a model of texts, got one without them.")
    encoder = TextEncoder.load(file)
    if digest(encoder.to_json()) != expected:
        raise ZooError(
            f"{file} must be the vocabulary that the model was trained with, got another one."
        )
    return encoder
