"""What is measured: models in training and in use, single layers, and how cost grows.

Every model of the registry is a case. `FEEDS` says what a report feeds it; a model without a line
there gets the batch that most reports have.
"""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from flax import nnx

import zoo
from benchmarks.layer_models import convolution, recurrent
from zoo.errors import ZooError, unknown_name

Group = Literal["models", "layers", "scaling", "seeds"]
Targets = Literal["classes", "labels", "paths"]

GROUPS: tuple[Group, ...] = ("models", "layers", "scaling", "seeds")
DEFAULT_GROUPS: tuple[Group, ...] = ("models", "layers", "seeds")
# How many seeds are trained at once.
SEED_COUNTS: Mapping[str, int] = {"one seed": 1, "five seeds": 5}
# What is timed of a case, by its group.
MEASURES: Mapping[Group, tuple[str, ...]] = {
    "models": ("train", "predict"),
    "layers": ("forward", "gradient"),
    "scaling": ("forward", "gradient"),
    "seeds": tuple(SEED_COUNTS),
}
ALL_MEASURES = tuple(dict.fromkeys(name for group in MEASURES.values() for name in group))


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Args:
        name: as `--cases` knows it.
        group: which decides what is measured, see `MEASURES`.
        make: makes the model, called with `rngs=`.
        batch: examples in a step.
        targets: what it is trained for: one class, several labels, or label paths an example.
        size: where the case stands in a sweep of its group `scaling`: ("T", 128).
    """

    name: str
    group: Group
    make: Callable[..., nnx.Module]
    batch: int
    targets: Targets = "classes"
    size: tuple[str, int] | None = None


@dataclass(frozen=True)
class Feed:
    """What a report feeds a model.

    Args:
        batch: examples in a step.
        options: fields of the model's config that differ from their defaults.
        targets: as in `Case`.
    """

    batch: int = 32
    options: Mapping[str, Any] = field(default_factory=dict)
    targets: Targets = "classes"


FEEDS: Mapping[str, Feed] = {
    "cifar10_cnn": Feed(batch=64),
    "cnn_rnn": Feed(targets="paths"),
    "crnn": Feed(batch=128),
    "ecrnn": Feed(batch=128),
    "ecrnn_cnn": Feed(batch=128),
    "inception_gru": Feed(batch=4),
    "inception_v3": Feed(batch=8),
    "mnist_lstm": Feed(batch=128),
    "multilabel_cnn": Feed(targets="labels"),
    "text_rnn": Feed(options={"layers": 5, "units": 32, "bidirectional": False}),
}


def _model_cases() -> list[Case]:
    feeds = {name: FEEDS.get(name, Feed()) for name in zoo.list_models()}
    return [
        Case(
            name,
            "models",
            partial(zoo.create_model, name, **feed.options),
            feed.batch,
            feed.targets,
        )
        for name, feed in feeds.items()
    ]


def _layer_cases() -> list[Case]:
    """Layers at the shapes of the reports: batch, then what `layer_models` takes."""
    cells = {
        "simple_rnn": (32, recurrent("SimpleRNN", steps=100, features=32, units=32)),
        "lstm": (128, recurrent("LSTM", steps=28, features=28, units=128)),
        "lstm_relu": (32, recurrent("LSTM", steps=28, features=28, units=128, activation="relu")),
        "lstm_wide": (128, recurrent("LSTM", steps=28, features=128, units=128)),
        "lstm_long": (128, recurrent("LSTM", steps=1024, features=1, units=16)),
        "lstm_masked": (32, recurrent("LSTM", steps=100, features=128, units=64, masked=True)),
        "bilstm": (32, recurrent("LSTM", steps=100, features=128, units=64, both=True)),
        "bilstm_long": (128, recurrent("LSTM", steps=1024, features=1, units=16, both=True)),
        "gru": (32, recurrent("GRU", steps=100, features=128, units=64)),
        "gru_rows": (128, recurrent("GRU", steps=28, features=28, units=128)),
        "conv_28x28x1_32": (32, convolution(28, 1, 32, padding="valid")),
        "conv_32x32x3_32": (64, convolution(32, 3, 32)),
        "conv_16x16x32_64": (64, convolution(16, 32, 64)),
        "conv_8x8x64_128": (64, convolution(8, 64, 128)),
        "conv_32x32x32_32": (128, convolution(32, 32, 32)),
    }
    return [Case(name, "layers", make, batch) for name, (batch, make) in cells.items()]


def _scaling_cases() -> list[Case]:
    by_steps = [
        Case(
            f"lstm_T{steps}",
            "scaling",
            recurrent("LSTM", steps=steps, features=32, units=64),
            32,
            size=("T", steps),
        )
        for steps in (128, 256, 512, 1024, 2048, 4096)
    ]
    by_batch = [
        Case(
            f"lstm_B{batch}",
            "scaling",
            recurrent("LSTM", steps=100, features=32, units=64),
            batch,
            size=("B", batch),
        )
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    ]
    return by_steps + by_batch


def all_cases() -> dict[str, Case]:
    """Every case by name, in the order in which they are run."""
    seeds = Case("seeds", "seeds", partial(zoo.create_model, "mnist_lstm"), 128)
    found = (*_model_cases(), *_layer_cases(), *_scaling_cases(), seeds)
    return {case.name: case for case in found}


def measures_of(case: Case, asked: Sequence[str]) -> tuple[str, ...]:
    """What is timed of a case, when these measures are asked for."""
    return tuple(name for name in MEASURES[case.group] if name in asked)


def choose(names: Sequence[str], measures: Sequence[str] = ALL_MEASURES) -> tuple[Case, ...]:
    """The cases that names, groups or patterns such as "lstm*" ask for, each once.

    Args:
        names: what is asked for.
        measures: what is to be timed; a case that has none of it is left out.

    Raises:
        ZooError: nothing of that name, and the message offers near ones; or nothing to time.
    """
    for measure in measures:
        if measure not in ALL_MEASURES:
            raise unknown_name("measure", measure, ALL_MEASURES)
    cases = all_cases()
    known = sorted({*cases, *GROUPS})  # "seeds" is both a case and a group
    chosen: set[str] = set()
    for name in names:
        found = {case.name for case in cases.values() if case.group == name}
        found |= set(fnmatch.filter(cases, name))
        if not found:
            raise unknown_name("case", name, known)
        chosen |= found
    if not chosen:
        raise ZooError(f"cases must name at least one case or group, got none. Known: {known}.")
    asked = tuple(case for case in cases.values() if case.name in chosen)
    if not (left := tuple(case for case in asked if measures_of(case, measures))):
        raise ZooError(
            f"measures must have one that the cases {[case.name for case in asked]} have, got "
            f"{tuple(measures)}. Models have {MEASURES['models']}, layers {MEASURES['layers']}."
        )
    return left
