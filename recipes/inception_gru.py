"""Inception v3 with a GRU: transfer learning, a small model from scratch, and a spreadsheet.

    python -m recipes.inception_gru train --weights inception_v3_weights_….h5
        Transfer: the encoder's feature maps are computed once and kept, a GRU over their positions
        learns. Three classes of CIFAR-10 by default.
    python -m recipes.inception_gru train --weights FILE --folder photos
        The same on your own images, one sub-folder for each class.
    python -m recipes.inception_gru train --from-scratch --seeds 5
        The report's small table model, trained from scratch.
    python -m recipes.inception_gru predict runs/… cat.jpg dog.png
        A picture of the most probable classes of images.
    python -m recipes.inception_gru workbook calculation.xlsx
        The whole calculation of the table model as a spreadsheet of formulas.

Every command explains its options with --help. Scores, spread, minutes and the machine they were
measured on stand in the README.
"""

import hashlib
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
from flax import nnx

import zoo
from recipes.command import run_command
from recipes.image_study import Entry, measure, results_table
from recipes.run import RunOptions, command_line, continue_run, load_or_fall_back
from zoo.data import Dataset, Split, choose_classes, load_folder, random_flip
from zoo.data.images import decode_image
from zoo.errors import ZooError, check_positive, message_of, require
from zoo.explain import workbook
from zoo.explain.workbook import MAX_CELLS
from zoo.keras import load_weights
from zoo.keras.files import open_keras_file
from zoo.models import (
    TAPS,
    InceptionGRU,
    InceptionGRUHead,
    InceptionV3,
    InceptionV3Config,
    model_config,
    set_weights,
    weights_of,
)
from zoo.reports import (
    RunFolder,
    default_run_path,
    environment,
    learning_curves_figure,
    top_classes_figure,
)
from zoo.training import FitResult, TrainingConfig, cached_features, columns, fit_seeds, predict

NAME = "inception_gru"
OFFICIAL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
TRANSFER = TrainingConfig(epochs=5, batch_size=32, schedule="cosine", warmup=0.1, clip_norm=1.0)
# Chosen on a tenth of the training images, never on the test images.
SCRATCH = TrainingConfig(epochs=6, batch_size=64, learning_rate=2e-3, schedule="cosine", warmup=0.1)
TRANSFER_SIZE, SCRATCH_SIZE = 160, 16
DEFAULT_CLASSES = 3

_tyro = require("tyro", "recipes")


@dataclass(frozen=True)
class Train(RunOptions):
    """Train on three classes: a head on Inception v3, or the small table model."""

    weights: Path | None = None
    """The weights of Inception v3, a file of Keras: the official .h5 (with or without top), or a
    .keras or .weights.h5 of your own."""
    from_scratch: bool = False
    """Train the report's small table model instead, which needs no weights."""
    random_encoder: bool = False
    """Use an encoder with random weights: to try the machinery; scores say nothing. Every output
    says so."""
    folder: Path | None = None
    """Your own images instead of a data set: a folder with one sub-folder for each class."""
    classes: tuple[str, ...] = ()
    """Names of the classes to tell apart; by default the first three of the data set, or all
    sub-folders."""
    size: int | None = None
    """Height and width that images are brought to: by default 160 for Inception v3 (it takes 75
    or more, and was trained on 299), 16 for the table model."""
    frozen_until: str = TAPS[-1]
    """Fine-tuning: blocks of Inception v3 after this one (mixed0 to mixed10) learn with the head.
    By default all stay as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None:
            check_positive(size=self.size)


@dataclass(frozen=True)
class Predict:
    """Draw the most probable classes of images."""

    run: Annotated[Path, _tyro.conf.Positional]
    """The folder of a finished run."""
    images: Annotated[tuple[Path, ...], _tyro.conf.Positional]
    """Images of any size. One that cannot be decoded is named, and the rest goes on."""
    out: Path | None = None
    """The picture; by default predictions.png in the run's folder."""


@dataclass(frozen=True)
class Workbook:
    """Write the calculation of the small table model as a spreadsheet of formulas."""

    out: Annotated[Path, _tyro.conf.Positional]
    """The file to write, which must end in .xlsx."""
    run: Path | None = None
    """A finished run --from-scratch, for its weights; without one they are random."""
    image: Path | None = None
    """The image to calculate with; without one, it is of random pixels."""
    size: int = 8
    """Height and width of the image, where there is no run to say it."""
    head: str = "flatten"
    """What follows the table's block: flatten, as in the table, or gru."""
    max_cells: int = MAX_CELLS
    """Refuse a workbook with more cells than this."""


def main(options: Train | Predict | Workbook) -> None:
    """Does what was asked for."""
    if isinstance(options, Train):
        train(options)
    elif isinstance(options, Predict):
        predict_images(options)
    else:
        write_workbook(options)


def train(options: Train) -> None:
    """Trains over the seeds, prints the table and writes the run folder."""
    _check_options(options)
    config, training = _configs(options)
    data = _data(options, config.input_shape)
    config = replace(config, classes=len(data.classes))
    folder = RunFolder(options.out or default_run_path(NAME))
    about: dict[str, Any] = {
        "study": NAME,
        "label": _label(options),
        "dataset": data.name,
        "classes": data.classes,
        "model": "inception_a_gru" if options.from_scratch else "inception_gru",
        "encoder": _encoder_in_words(options),
        "weights_digest": options.weights and _digest(options.weights),
        "config": asdict(config),
        "training": asdict(training),
    }
    continue_run(folder, about)
    print(
        f"{data.name} ({', '.join(data.classes)}): {len(data.train.y):,} training and "
        f"{len(data.test.y):,} test images, from {data.source}.",
        flush=True,
    )
    create: Any = partial(zoo.create_model, "inception_a_gru", **asdict(config))
    augment: Any = random_flip
    if not options.from_scratch:
        model = _with_encoder(config, options)
        folder.save_weights("encoder.safetensors", weights_of(model.encoder))
        data = _as_features(data, model, options)
        create, augment = partial(InceptionGRUHead, config), None
    begun = time.perf_counter()
    results = fit_seeds(
        create,
        data.train,
        validation=data.test,  # only looked at: nothing is chosen by it
        seeds=range(options.seeds),
        how=options.how,
        config=training,
        preprocess=config.preprocess,
        augment=augment,
        checkpoints=folder.path / "checkpoints",
        progress=options.progress,
    )
    _write(results, data, folder, options, about, time.perf_counter() - begun)


def _check_options(options: Train) -> None:
    """Raises unless it is said what to train, and on what, in one way.

    Not when the options are made: what is raised there, tyro puts into a frame.
    """
    if options.folder is not None and options.dataset is not None:
        raise ZooError("folder and dataset cannot both be given.")
    if options.weights is not None and not options.weights.is_file():
        raise ZooError(f"weights must be a file of Keras, got no file {options.weights}.")
    chosen = [
        name for name in ("weights", "from_scratch", "random_encoder") if getattr(options, name)
    ]
    if len(chosen) > 1:
        raise ZooError(f"only one of {' and '.join(chosen)} can be given.")
    if not chosen:
        raise ZooError(
            f"train needs the weights of Inception v3: get {OFFICIAL} and pass "
            "--weights FILE. Or train the small model with --from-scratch."
        )


def _configs(options: Train) -> tuple[Any, TrainingConfig]:
    size = options.size or (SCRATCH_SIZE if options.from_scratch else TRANSFER_SIZE)
    shape = (size, size, 3)
    training = SCRATCH if options.from_scratch else TRANSFER
    training = replace(training, epochs=options.epochs or training.epochs)
    if options.from_scratch:
        return model_config("inception_a_gru", input_shape=shape), training
    return (
        model_config("inception_gru", input_shape=shape, frozen_until=options.frozen_until),
        training,
    )


def _data(options: Train, shape: tuple[int, int, int]) -> Dataset:
    if options.folder is not None:
        data = load_folder(options.folder, shape, progress=options.progress)
        return choose_classes(data, options.classes) if options.classes else data
    data = load_or_fall_back("cifar10", options)
    return choose_classes(data, options.classes or data.classes[:DEFAULT_CLASSES])


def _label(options: Train) -> str:
    if options.from_scratch:
        return "table-model"
    return "GRU-on-random-encoder" if options.random_encoder else "GRU-on-Inception-v3"


def _encoder_in_words(options: Train) -> str:
    if options.from_scratch:
        return "none: trained from scratch"
    return "random weights" if options.weights is None else f"weights of {options.weights.name}"


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _with_encoder(config: Any, options: Train) -> InceptionGRU:
    model = InceptionGRU(config, rngs=nnx.Rngs(0))
    if options.weights is not None:
        model.take_encoder(load_encoder(options.weights))
    return model


def load_encoder(file: Path) -> InceptionV3:
    """Inception v3 with the weights of a Keras file, with its top where the file has one.

    Raises:
        FileNotFoundError: there is no such file.
        ZooError: it is not of Inception v3.
    """
    with open_keras_file(file) as opened:
        tables = [d.shape for d in opened.weights.datasets.values() if len(d.shape) == 2]
    config = InceptionV3Config(
        input_shape=(75, 75, 3),  # weights are the same for every size
        include_top=bool(tables),
        classes=tables[0][1] if tables else 1,
    )
    model = InceptionV3(config, rngs=nnx.Rngs(0))
    try:
        load_weights(model, file)
    except ZooError as error:
        raise ZooError(f"{file} must have the weights of Inception v3: {error}") from error
    return model


def _as_features(data: Dataset, model: InceptionGRU, options: Train) -> Dataset:
    """The encoder's feature maps in the place of the images."""

    def features(split: Split) -> Split:
        return cached_features(
            model.encoder,
            split,
            preprocess=model.config.preprocess,
            progress=options.progress,
        )

    return replace(data, train=features(data.train), test=features(data.test))


def _write(
    results: tuple[FitResult, ...],
    data: Dataset,
    folder: RunFolder,
    options: Train,
    about: dict[str, Any],
    seconds: float,
) -> None:
    label = about["label"]
    entry = Entry(label, about["model"], {}, 0.0, "accuracy")
    model: Any = results[0].model
    figures = {
        **measure(entry, results, data, folder, preprocess=model.config.preprocess),
        "reported": None,
    }
    title = f"{data.name}, {label}: {about['encoder']}"
    curves = {label: [columns(result.history) for result in results]}
    folder.save_figure(
        "learning_curves.png", learning_curves_figure(curves, title=title, held_out="test")
    )
    folder.save_json(
        "metrics.json",
        {
            "command": command_line(f"{NAME} train", options),
            "dataset": f"{data.name} ({', '.join(data.classes)})",
            "source": data.source,
            "encoder": about["encoder"],
            "seeds": options.seeds,
            "seconds": seconds,
            "environment": environment(jax.devices()[0].device_kind),
            "models": {label: figures},
        },
    )
    table = results_table(folder.load_json("metrics.json"))
    folder.save_table("table", table)
    print(f"\n{table.text()}\n\nEncoder: {about['encoder']}. Everything is in {folder.path}.")


def trained_model(run: Path) -> tuple[Any, tuple[str, ...], str]:
    """The model of a run's seed 0 in evaluation mode, its classes, and what it is in words."""
    if not (run / "config.json").is_file():
        raise ZooError(f"{run} must be the folder of a finished run, got no config.json in it.")
    about = RunFolder.existing(run).load_json("config.json")
    if about.get("study") != NAME:
        raise ZooError(f"{run} must be a run of {NAME}, got one of {about.get('study')!r}.")
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()}
    model: Any = zoo.create_model(about["model"], rngs=nnx.Rngs(0), **fields)
    weights = run / f"{about['label'].lower()}-seed-0.safetensors"
    if not weights.is_file():
        raise ZooError(f"{run} must be the folder of a finished run, got no weights in it.")
    learned = model
    if about["model"] == "inception_gru":
        set_weights(model.encoder, _read(run / "encoder.safetensors"))
        learned = model.head
    set_weights(learned, _read(weights))
    model.eval()
    return model, tuple(about["classes"]), f"{about['label']}, encoder: {about['encoder']}"


def _read(file: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = require("safetensors.numpy", "train").load_file(file)
    return arrays


def predict_images(options: Predict) -> None:
    """Prints and draws the most probable classes of images."""
    model, classes, words = trained_model(options.run)
    shape = model.config.input_shape
    images, names = [], []
    for path in options.images:
        try:
            images.append(decode_image(path.read_bytes(), shape, str(path), resize=True))
            names.append(path.name)
        except (ZooError, OSError) as error:
            print(f"left out: {message_of(error)}", file=sys.stderr)
    if not images:
        raise ZooError("images must have at least one that can be decoded, got none.")
    logits = predict(model, np.stack(images), preprocess=model.config.preprocess, batch_size=8)
    probabilities = np.asarray(jax.nn.softmax(logits))
    print(words)
    for name, row in zip(names, probabilities, strict=True):
        best = np.argsort(row)[::-1][:3]
        print(f"{name}: " + ", ".join(f"{classes[i]} {row[i]:.1%}" for i in best))
    figure = top_classes_figure(images, probabilities, classes, names, title=words)
    out = options.out or options.run / "predictions.png"
    saved = RunFolder(out.parent).save_figure(out.name, figure)
    print(f"The picture is {saved}.")


def write_workbook(options: Workbook) -> None:
    """Writes the spreadsheet."""
    classes = None
    if options.run is not None:
        model, classes, _ = trained_model(options.run)
    else:
        shape = (options.size, options.size, 3)
        model = zoo.create_model(
            "inception_a_gru", rngs=nnx.Rngs(0), input_shape=shape, head=options.head
        )
    shape = model.config.input_shape
    if options.image is None:
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    else:
        image = decode_image(options.image.read_bytes(), shape, str(options.image), resize=True)
    x = model.config.preprocess(jax.numpy.asarray(image)[None])
    workbook(model, x, options.out, classes=classes, max_cells=options.max_cells)
    print(f"{options.out} has the calculation, a sheet for each layer. Begin with “overview”.")


if __name__ == "__main__":
    run_command(main, Train | Predict | Workbook, __doc__)
