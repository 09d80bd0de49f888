"""Rows of MNIST through an LSTM.

An image is read from top to bottom, a row of 28 pixels a step, and classified by the last
output: 10,000 steps of 128 images. The run folder gets the table, the confusion matrix, the
learning curves, the weights and all figures as JSON.

    python -m recipes.mnist_lstm                          one seed
    python -m recipes.mnist_lstm --seeds 5 --preset best  with intervals
    python -m recipes.mnist_lstm --epochs 2               a quick look

Scores, spread, minutes and the machine they were measured on stand in the README.
"""

from functools import partial

from recipes.command import run_command
from recipes.image_study import Entry, Options, Preset, Study, run_study
from zoo.data import random_crop
from zoo.training import TrainingConfig

LSTM = Entry(
    label="LSTM",
    model="mnist_lstm",
    presets={
        "report": Preset(TrainingConfig(steps=10_000, batch_size=128, epsilon=1e-8)),
        "best": Preset(
            TrainingConfig(steps=10_000, batch_size=128, schedule="cosine", learning_rate=2e-3),
            partial(random_crop, padding=2),
        ),
    },
    reported=0.9881,
    reported_measure="accuracy",
)

STUDY = Study("mnist_lstm", "mnist", (LSTM,))


def main(options: Options) -> None:
    """Runs the study."""
    run_study(STUDY, options)


if __name__ == "__main__":
    run_command(main, Options, __doc__)
