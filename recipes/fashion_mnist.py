"""RNN against CNN on Fashion-MNIST.

Two LSTM layers over the rows of an image against one convolution, each trained for five epochs.
The run folder gets the table, both confusion matrices, the learning curves, the weights and
all figures as JSON.

    python -m recipes.fashion_mnist                       both models, one seed
    python -m recipes.fashion_mnist --seeds 5             with intervals
    python -m recipes.fashion_mnist --models cnn --preset best
    python -m recipes.fashion_mnist --dataset mnist       the same models on other images

Scores, spread, minutes and the machine they were measured on stand in the README.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from recipes.command import run_command
from recipes.image_study import Entry, Options, Preset, Study, run_study
from zoo.data import in_copies, in_sequence, random_crop, random_flip
from zoo.errors import ZooError
from zoo.training import TrainingConfig

# What "best" differs in was chosen on a sixth of the training images, never on the test images.
REPORT = Preset(TrainingConfig(epochs=5, batch_size=32))

RNN = Entry(
    label="RNN",
    model="fashion_mnist_lstm",
    presets={
        "report": REPORT,
        "best": Preset(
            TrainingConfig(
                epochs=5,
                batch_size=16,
                learning_rate=2e-3,
                schedule="cosine",
                warmup=0.05,
                clip_norm=1.0,
                label_smoothing=0.1,
            )
        ),
    },
    reported=0.8748,
    reported_measure="macro-F1",
)

CNN = Entry(
    label="CNN",
    model="fashion_mnist_cnn",
    presets={
        "report": REPORT,
        # Twelve versions of each image in every step, mirrored or not and a pixel aside or not:
        # still five epochs of the data, at twelve times the work.
        "best": Preset(
            TrainingConfig(
                epochs=5,
                batch_size=8,
                learning_rate=1.5e-3,
                schedule="cosine",
                warmup=0.02,
                label_smoothing=0.1,
            ),
            in_copies(in_sequence(random_flip, partial(random_crop, padding=1)), 12),
            {"dropout": 0.1},
            mirrored=True,
        ),
    },
    reported=0.9059,
    reported_measure="macro-F1",
)

STUDY = Study("fashion_mnist", "fashion_mnist", (RNN, CNN))


@dataclass(frozen=True)
class FashionMNISTOptions(Options):
    """Options of this recipe."""

    models: tuple[Literal["rnn", "cnn"], ...] = ("rnn", "cnn")
    """Which of the two models to train."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.models:
            raise ZooError("models must be rnn, cnn or both, got none.")


def main(options: FashionMNISTOptions) -> None:
    """Runs the study for the models that were asked for."""
    entries = tuple(entry for entry in STUDY.entries if entry.label.lower() in options.models)
    run_study(Study(STUDY.name, STUDY.dataset, entries), options)


if __name__ == "__main__":
    run_command(main, FashionMNISTOptions, __doc__)
