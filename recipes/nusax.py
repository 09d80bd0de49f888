"""What the recipes on NusaX share: the texts as numbers, options, presets, and `predict`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from recipes.prediction import LoadedRun, load_model, print_probabilities
from recipes.study import (
    Prepared,
    Setting,
    Study,
    StudyOptions,
    choose_studies,
    digest,
    keep_model,
    run_studies,
    with_epochs,
)
from zoo.data import (
    Dataset,
    NGramConfig,
    NGramEncoder,
    Split,
    TextConfig,
    TextEncoder,
    TfidfConfig,
    TfidfEncoder,
    load,
)
from zoo.errors import ZooError, check_positive, require
from zoo.training import TrainingConfig

# The report does not say its optimiser, batch or epochs; these are Keras's defaults and epochs
# enough for every setting to overfit.
TRAINING = TrainingConfig(epochs=20, batch_size=32)
Encoder = TextEncoder | NGramEncoder | TfidfEncoder
# Where each is kept, beside a model's weights.
FILES: Mapping[type[Encoder], str] = {
    TextEncoder: "tokenizer.json",
    NGramEncoder: "ngrams.json",
    TfidfEncoder: "tfidf.json",
}
LENGTH = 80  # the longest training sentence has 77 words
# Chosen by validation macro-F1 over ten seeds: watching the loss, with the same patience, now and
# then keeps a model that does not know the neutral class yet.
STOPPING = replace(TRAINING, epochs=60, batch_size=64, patience=10, monitor="accuracy")


@dataclass(frozen=True)
class NusaXOptions(StudyOptions):
    """Options of the recipes on NusaX."""

    study: str | None = None
    """Which study to run, or all of them; studies share their runs. Without it, one model is
    trained and kept for predict."""
    lang: str = "ind"
    """The language of the texts, by its ISO 639-3 code; the report's is Indonesian."""
    length: int | None = None
    """Ids in a row, instead of the preset's; a linear model reads a text whole."""
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
    """The data set, and what gives a setting its texts as ids or as vectors."""
    data = load("nusax", lang=options.lang, progress=options.progress)
    if data.validation is None:
        raise ZooError(f"{data.name} must have a validation split, got none.")
    validation = data.validation
    asked: dict[str, Any] = {"lower": options.lower}
    for name in ("length", "min_count"):
        if getattr(options, name) is not None:
            asked[name] = getattr(options, name)

    @cache
    def encoded(config: TextConfig | NGramConfig | TfidfConfig) -> Prepared:
        encoder: Encoder
        match config:
            case TextConfig():
                encoder = TextEncoder.fit(data.train.x, config)
            case NGramConfig():
                encoder = NGramEncoder.fit(data.train.x, config)
            case TfidfConfig():
                encoder = TfidfEncoder.fit(data.train.x, config, data.train.y)

        def numbers(split: Split) -> Split:
            return Split(encoder.encode(split.x), split.y)

        sizes: dict[str, Any] = {"input_shape": encoder.shape, "classes": len(data.classes)}
        if not isinstance(encoder, TfidfEncoder):
            sizes["vocabulary"] = encoder.vocabulary
        splits = replace(
            data, train=numbers(data.train), validation=numbers(validation), test=numbers(data.test)
        )
        return Prepared(splits, sizes, files={FILES[type(encoder)]: encoder.to_json()})

    def prepare(setting: Setting) -> Prepared:
        match setting.model:
            case "text_linear":
                whole = {name: value for name, value in asked.items() if name != "length"}
                return encoded(TfidfConfig(**{**setting.data, **whole}))
            case "text_ngram_lstm":
                return encoded(NGramConfig(**{**setting.data, **asked}))
            case _:
                return encoded(TextConfig(**{"length": LENGTH, **setting.data, **asked}))

    return data, prepare


def run_nusax(recipe: str, options: NusaXOptions, studies: Sequence[Study], preset: Study) -> None:
    """Runs studies or, where none is asked for, the preset; its first setting is the model."""
    asked = (preset,) if options.study is None else choose_studies(studies, options.study)
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
    if options.study is None:
        keep_model(folder, preset.name, preset.settings[0].label)


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


def encoder_of(run: LoadedRun) -> Encoder:
    """The vocabulary of a model.

    Raises:
        ZooError: the file is missing, damaged, or another model's.
    """
    found = [kind for kind, name in FILES.items() if name in run.description["files"]]
    if not found:
        raise ZooError(f"{run.folder.path} must hold a model of texts, got one without them.")
    (kind,) = found
    name = FILES[kind]
    file = run.folder.path / name
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ZooError(f"{file} cannot be read: {error}.") from error
    if digest(content) != run.description["files"][name]:
        raise ZooError(
            f"{file} must be the vocabulary that the model was trained with, got another one."
        )
    return kind.from_json(content, str(file))
