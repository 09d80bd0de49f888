"""What the study of ECRNN trains, and what the report found.

An entry of the report's grid is "CNN", or family, RNN and units, as in "ECRNN BiLSTM 16-16". At
the command line these are written `cnn` and `ecrnn-bilstm-16-16`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from recipes.cifar10_cnn import SHIFTED_AND_MIRRORED
from recipes.study import Setting, Study
from zoo.errors import unknown_name
from zoo.models import model_config
from zoo.reports import Finding
from zoo.training import TrainingConfig
from zoo.training.functions import Augment

CNN, ABLATION = "CNN", "ecrnn-ablation"
UNITS = ("16", "32", "16-16", "32-32")
KINDS = ("LSTM", "BiLSTM")
GRID = (CNN, *(f"{family} {k} {u}" for u in UNITS for family in ("CRNN", "ECRNN") for k in KINDS))

# The report's tables, by units: accuracy in %, and differences in points, * where it calls them
# significant. Of ECRNN it has differences alone, and these with LSTM alone.
REPORTED_CNN = 73.25
REPORTED = {
    "CRNN LSTM": (74.08, 73.96, 73.69, 73.08),
    "CRNN BiLSTM": (73.40, 74.52, 73.76, 74.49),
}
REPORTED_DIFFERENCES = {
    "CRNN LSTM": ("+0.83 *", "+0.71 *", "+0.44", "-0.17"),
    "CRNN BiLSTM": ("+0.15", "+1.27 *", "+0.51", "+1.25 *"),
    "ECRNN LSTM": ("+1.89 *", "+1.64 *", "+2.16 *", "+2.47 *"),
}


@dataclass(frozen=True)
class Budget:
    """How much of the data is used, and the training, the same for every entry of the grid.

    Args:
        images: training images, a tenth of them held out; None means all.
        test: test images; None means all.
        training: optimizer, epochs and batch, none of which the report gives.
        augment: as in `fit`.
    """

    images: int | None
    test: int | None
    training: TrainingConfig
    augment: Augment | None = None


# Of BatchNorm. With Keras's 0.99, the few hundred steps of a short run end with statistics of its
# beginning: ECRNN, with eight of them in a row, then guessed on held-out images.
MOMENTUM = 0.9

# What "small" may cost is an hour of two cores for all 17 entries with five seeds.
_TRAINING = TrainingConfig(
    batch_size=64, epochs=3, learning_rate=2e-3, schedule="cosine", warmup=0.1, clip_norm=1.0
)
BUDGETS = {
    "small": Budget(4_800, 2_000, _TRAINING),
    # With 30 epochs, and without the last two, ECRNN with LSTM 16 knew 88.9 % of the images that it
    # had learned from, and 81.8 % of those held out.
    "full": Budget(
        None,
        None,
        replace(_TRAINING, batch_size=128, epochs=40, label_smoothing=0.1, weight_decay=0.05),
        SHIFTED_AND_MIRRORED,
    ),
}


def reported_accuracy(label: str) -> float | None:
    """The report's accuracy of a grid entry in %, or what its difference from CRNN makes it."""
    if label == CNN:
        return REPORTED_CNN
    family, units = label.rsplit(" ", 1)
    column = UNITS.index(units)
    if family in REPORTED:
        return REPORTED[family][column]
    difference = reported_difference(label)
    if difference is None:
        return None
    return round(REPORTED[family.removeprefix("E")][column] + points(difference), 2)


def reported_difference(label: str) -> str | None:
    """The report's difference of a grid entry from its `baseline`, as it stands there."""
    family, units = label.rsplit(" ", 1)
    found = REPORTED_DIFFERENCES.get(family)
    return None if found is None else found[UNITS.index(units)]


def points(difference: str) -> float:
    """The number of an entry of `REPORTED_DIFFERENCES`."""
    return float(difference.removesuffix(" *"))


def baseline(label: str) -> str:
    """What a grid entry is compared with: ECRNN with CRNN of the same RNN, CRNN with the CNN."""
    return label.removeprefix("E") if label.startswith("ECRNN") else CNN


def entry(label: str) -> str:
    """A grid entry as it is written at the command line."""
    return label.lower().replace(" ", "-")


def grid_entries(names: Sequence[str]) -> tuple[str, ...]:
    """The labels of grid entries as they are written at the command line; all if none is named.

    The CNN is always there: it is what the others are held against.

    Raises:
        ZooError: there is no such entry; the message offers near names.
    """
    known = {entry(label): label for label in GRID}
    for name in names:
        if name not in known:
            raise unknown_name("grid entry", name, known)
    return tuple(known[name] for name in known if not names or name in (entry(CNN), *names))


def grid_setting(label: str, budget: Budget) -> Setting:
    """How the entry of that label is made and trained."""
    setting = partial(Setting, label, training=budget.training, augment=budget.augment)
    if label == CNN:
        return setting("ecrnn_cnn", options={"momentum": MOMENTUM})
    family, kind, units = label.split(" ")
    options = {
        "units": tuple(map(int, units.split("-"))),
        "bidirectional": kind == "BiLSTM",
        "momentum": MOMENTUM,
    }
    return setting(family.lower(), options=options)


def grid_studies(labels: Sequence[str], budget: Budget) -> tuple[Study, ...]:
    """A study for the CNN and each number of units that has an entry in `labels`."""
    studies = []
    for units in UNITS:
        chosen = [label for label in labels if label.endswith(f" {units}")]
        if chosen:
            pairs = [(label, baseline(label)) for label in chosen if baseline(label) in labels]
            findings = [
                Finding(f"{family} is better than {than}", "test accuracy", tuple(compared))
                for family, than in (("CRNN", CNN), ("ECRNN", "CRNN"))
                if (compared := [pair for pair in pairs if pair[0].startswith(f"{family} ")])
            ]
            settings = tuple(grid_setting(label, budget) for label in (CNN, *chosen))
            title = f"CNN, CRNN and ECRNN, {units} units"
            studies.append(Study(f"ecrnn-{units}", title, settings, CNN, findings=tuple(findings)))
    if not studies:
        studies.append(Study("ecrnn-cnn", "CNN", (grid_setting(CNN, budget),), CNN))
    return tuple(studies)


def ablation_study(sizes: Mapping[str, Any], budget: Budget) -> Study:
    """What of ECRNN makes the difference, with the smallest of the report's RNNs.

    Is it the encoder-decoder, or the dense layers that it is made of, or the BatchNorm before
    the RNN? Does the RNN do anything that a dense classifier would not? Does the order matter?
    `sizes` are those of the data, as in `Prepared`.
    """
    reference, crnn = "ECRNN LSTM 16", "CRNN LSTM 16"
    n = model_config("ecrnn", **sizes).features
    rnn = grid_setting(crnn, budget).options
    setting = partial(Setting, training=budget.training, augment=budget.augment)
    wide, normed = "dense layers without a bottleneck", "CRNN, BatchNorm before the RNN"
    no_rnn, zeros = "encoder-decoder without an RNN", "ECRNN, RNN given zeros"
    crnn_shuffled, ecrnn_shuffled = "CRNN, features shuffled", "ECRNN, features shuffled"
    settings = (
        grid_setting(reference, budget),
        grid_setting(crnn, budget),
        setting(wide, "ecrnn", options={**rnn, "dense": (n, n, n)}),
        setting(normed, "crnn", options={**rnn, "batch_norm": True}),
        setting(no_rnn, "ecrnn_cnn", options={"encoder_decoder": True, "momentum": MOMENTUM}),
        setting(zeros, "ecrnn", options={**rnn, "given": "zeros"}),
        setting(crnn_shuffled, "crnn", options={**rnn, "given": "shuffled"}),
        setting(ecrnn_shuffled, "ecrnn", options={**rnn, "given": "shuffled"}),
    )
    claims = {
        "It is the bottleneck, not the dense layers": (reference, wide),
        "It is more than the BatchNorm before the RNN": (reference, normed),
        "The BatchNorm before the RNN does something": (normed, crnn),
        "The RNN is better than a dense classifier": (reference, no_rnn),
        "The RNN is where the image comes through": (reference, zeros),
        "CRNN gains from another order": (crnn_shuffled, crnn),
        "ECRNN gains from another order": (ecrnn_shuffled, reference),
    }
    findings = tuple(Finding(claim, "test accuracy", (pair,)) for claim, pair in claims.items())
    title = "What of ECRNN makes the difference"
    return Study(ABLATION, title, settings, reference, findings=findings)
