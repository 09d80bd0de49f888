"""SimpleRNN on the sentiment of NusaX: the report's model and its studies.

    python -m recipes.nusax_rnn --seeds 20                  the report's best setting, stopped early
    python -m recipes.nusax_rnn --study layers              one study of the report
    python -m recipes.nusax_rnn --study all                 all of them
    python -m recipes.nusax_rnn predict RUN "Makanannya enak sekali"

Studies: layers, units, direction, three of the report's ten; and masking, which tells why one
direction fails. Scores, spread, minutes and the machine stand in the README.
"""

from recipes.command import run_command
from recipes.nusax import (
    STOPPING,
    TRAINING,
    NusaXOptions,
    PredictOptions,
    predict_text,
    run_nusax,
)
from recipes.study import Setting, Study
from zoo.reports import Finding
from zoo.training import TrainingConfig

NAME = "nusax_rnn"
MEASURE = "test macro-F1"
PEAK = "best validation accuracy"  # what one reads off the report's curves
MAJORITY = 0.38  # the share of the most frequent class in the validation split


def rnn(label: str, training: TrainingConfig = TRAINING, **options: object) -> Setting:
    """A setting that differs from the report's: five layers, one direction, 32 units."""
    report = {"layers": 5, "units": 32, "bidirectional": False}
    return Setting(label, "text_rnn", training, {**report, **options})


LAYERS = Study(
    "layers",
    "SimpleRNN layers, in both directions, of 32 units",
    tuple(rnn(f"{n} layers", layers=n, bidirectional=True) for n in (5, 6, 7)),
    reference="5 layers",
    measure=MEASURE,
    findings=(
        Finding(
            "All overfit: the validation loss rises again by more than 0.1",
            "overfitting",
            tuple((f"{n} layers", 0.1) for n in (5, 6, 7)),
        ),
        Finding(
            "Deeper overfits sooner",
            "best epoch",
            (("5 layers", "6 layers"), ("6 layers", "7 layers")),
        ),
    ),
)

UNITS = Study(
    "units",
    "Units of five SimpleRNN layers, in both directions",
    tuple(rnn(f"{n} units", units=n, bidirectional=True) for n in (32, 64, 128)),
    reference="32 units",
    measure=MEASURE,
    findings=(
        Finding(
            "32 units learn more than the most frequent class", PEAK, (("32 units", MAJORITY),)
        ),
        Finding("32 units then overfit", "overfitting", (("32 units", 0.1),)),
        Finding(
            "64 and 128 units train less steadily",
            "unsteadiness",
            (("64 units", "32 units"), ("128 units", "32 units")),
        ),
    ),
)

ONE_WAY, BOTH_WAYS = "one direction", "both directions"
DIRECTION = Study(
    "direction",
    "Directions of five SimpleRNN layers of 32 units",
    (rnn(ONE_WAY), rnn(BOTH_WAYS, bidirectional=True)),
    reference=ONE_WAY,
    measure=MEASURE,
    findings=(Finding("Both directions reach more than one", PEAK, ((BOTH_WAYS, ONE_WAY),)),),
)

MASKING = Study(
    "masking",
    "Padding left out by a mask, or read like words; five SimpleRNN layers of 32 units",
    (
        rnn(ONE_WAY),
        rnn(f"{ONE_WAY}, mask", mask=True),
        rnn(BOTH_WAYS, bidirectional=True),
        rnn(f"{BOTH_WAYS}, mask", bidirectional=True, mask=True),
    ),
    reference=ONE_WAY,
    measure=MEASURE,
    findings=(
        Finding(
            "One direction fails because it ends in padding",
            MEASURE,
            ((f"{ONE_WAY}, mask", ONE_WAY),),
        ),
    ),
)

STUDIES = (LAYERS, UNITS, DIRECTION, MASKING)

LABEL = "the report's BiRNN"
REPORT = Study(
    "report",
    "The report's best SimpleRNN, five layers in both directions, stopped early",
    (rnn(LABEL, STOPPING, bidirectional=True),),
    reference=LABEL,
    measure=MEASURE,
)


def main(options: NusaXOptions) -> None:
    """Runs the report's model, or the studies that were asked for."""
    run_nusax(NAME, options, STUDIES, REPORT)


if __name__ == "__main__":
    run_command(main, NusaXOptions, __doc__, {"predict": (predict_text, PredictOptions)})
