"""CNN against CRNN against ECRNN on CIFAR-10, with seeds and significance.

ECRNN's claim is that a dense encoder-decoder between a CNN and an RNN makes the RNN useful, by
one or two points. The three families are trained over the report's grid (LSTM and BiLSTM with 16,
32, 16-16 and 32-32 units) on the same splits and with the same seeds, so that differences are
paired; p-values are corrected for the number of comparisons. The run folder gets both of the
report's tables in our figures, beside the report's own, the learning curves, the differences as a
picture, the confusion matrix of the best, and what the RNN is given.

    python -m recipes.ecrnn                                all 17 entries, 5 seeds, two cores
    python -m recipes.ecrnn --grid crnn-lstm-16 ecrnn-lstm-16 --seeds 10
    python -m recipes.ecrnn --ablation --out runs/a        what of ECRNN makes the difference
    python -m recipes.ecrnn --budget full                  all images; for a GPU

The small budget's 201 steps are enough for the CNN to learn but not for an RNN on top of it: it
compares how fast the families learn, and how good they become is for the full one to say.

On two cores the first of these takes 50 minutes (the README has the run), and the ablation adds a
quarter. A study is a list of runs. One that was interrupted goes on with the same command and the
same --out, which may also ask for more of the grid, for more seeds or for the ablation: what is
finished is never run again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import jax
import numpy as np
from flax import nnx

import zoo
from recipes.command import run_command
from recipes.ecrnn_settings import (
    ABLATION,
    BUDGETS,
    CNN,
    GRID,
    MOMENTUM,
    Budget,
    ablation_study,
    baseline,
    grid_entries,
    grid_setting,
    grid_studies,
    points,
    reported_accuracy,
    reported_difference,
)
from recipes.run import RunOptions, load_or_fall_back
from recipes.study import Prepared, images_with_validation, keep_model, run_studies, study_table
from zoo.data import Dataset, Split, hold_out
from zoo.errors import require
from zoo.models import CRNN, ECRNN, set_weights
from zoo.reports import (
    PairedDifference,
    RunFolder,
    Sequences,
    Table,
    forest_figure,
    mean_interval,
    paired_differences,
    sequences_figure,
)
from zoo.reports.findings import SIGNIFICANT
from zoo.training import predict

NAME, DATASET = "ecrnn", "cifar10"
INFLUENCE_IMAGES = 256


@dataclass(frozen=True)
class ECRNNOptions(RunOptions):
    """Options of this recipe."""

    budget: Literal["small", "full"] = "small"
    """small: a part of the images and few epochs, for two cores. full: all images, for a GPU."""
    grid: tuple[str, ...] = ()
    """Entries of the report's grid, such as ecrnn-bilstm-16-16; none means all. The CNN is always
    trained."""
    ablation: bool = False
    """Also train ECRNN and CRNN with parts taken out, changed or moved."""
    seeds: int = 5
    """How many seeds, from 0 on. Differences are those between models of the same seed."""


def main(options: ECRNNOptions) -> None:
    """Runs the grid and the ablation, prints the tables and writes the run folder."""
    labels = grid_entries(options.grid)
    budget = BUDGETS[options.budget]
    if options.epochs is not None:
        budget = replace(budget, training=replace(budget.training, epochs=options.epochs))
    data = load_or_fall_back(DATASET, options)
    prepared = prepare(data, budget)
    print(_about(prepared, budget), flush=True)
    studies = grid_studies(labels, budget)
    if options.ablation:
        studies += (ablation_study(prepared.sizes, budget),)
    config = {
        "dataset": data.name,
        "source": data.source,
        "budget": options.budget,
        "images": len(prepared.data.train.y),
        "test images": len(prepared.data.test.y),
        "training": asdict(budget.training),
    }
    folder = run_studies(NAME, studies, lambda _: prepared, options, config)
    metrics = folder.load_json("metrics.json")
    tables = {"accuracy": accuracy_table(metrics), "differences": difference_table(metrics)}
    for name, table in tables.items():
        if table.rows:
            folder.save_table(name, table)
            print(f"\n{table.text()}")
    compared = list(differences(metrics))
    if compared:
        _draw_differences(metrics, folder)
    both = [label for label in compared if label.startswith("ECRNN")]
    if both:
        _draw_sequences(both[0], prepared, budget, metrics, folder)
    found = grid_figures(metrics)
    best = max(found, key=lambda x: np.mean(found[x]["measures"]["validation accuracy"]))
    print(f"\nThe best on the held-out images is {best}.")
    keep_model(folder, found[best]["study"], best)


def prepare(data: Dataset, budget: Budget) -> Prepared:
    """The budget's share of the images, a tenth of those for training held out to look at."""
    train, test = _part(data.train, budget.images), _part(data.test, budget.test)
    return images_with_validation(replace(data, train=train, test=test))


def _part(split: Split, images: int | None) -> Split:
    """So many images, as many of each class as its share allows."""
    if images is None or images >= len(split.y):
        return split
    return hold_out(split, images / len(split.y), seed=0)[1]


def _about(prepared: Prepared, budget: Budget) -> str:
    data, training = prepared.data, budget.training
    steps = training.total_steps(len(data.train.y))
    return (
        f"{data.name} from {data.source}: {len(data.train.y):,} images to learn from, "
        f"{len(prepared.validation.y):,} to look at, {len(data.test.y):,} to measure on.\n"
        "Chosen here, since the report does not say, and equal for all: "
        f"{training.optimizer}, learning rate {training.learning_rate:g} ({training.schedule}), "
        f"batch {training.batch_size}, {training.epochs} epochs, {steps:,} steps, "
        f"label smoothing {training.label_smoothing:g}, weight decay {training.weight_decay:g}"
        f"{'' if budget.augment is None else ', images mirrored and moved'}, "
        f"BatchNorm's momentum {MOMENTUM:g}."
    )


def grid_figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of each grid entry that was run, from the study that has most of its seeds."""
    found: dict[str, Any] = {}
    for name, study in metrics["studies"].items():
        for label, figures in study["settings"].items():
            if label not in found or len(found[label]["seconds"]) < len(figures["seconds"]):
                found[label] = {"study": name, **figures}
    return {label: found[label] for label in GRID if label in found}


def accuracies(figures: Mapping[str, Any]) -> list[float]:
    """Test accuracy in %, a value for each seed from 0 on."""
    return [100 * value for value in figures["measures"]["test accuracy"]]


def differences(metrics: Mapping[str, Any]) -> dict[str, PairedDifference]:
    """Each grid entry's difference from its baseline in points, p corrected for all of them.

    Where one of the two has more seeds, those that both have are compared.
    """
    found = {label: accuracies(figures) for label, figures in grid_figures(metrics).items()}
    labels = [label for label in found if label != CNN and baseline(label) in found]
    pairs = []
    for label in labels:
        seeds = min(len(found[label]), len(found[baseline(label)]))
        pairs.append((found[label][:seeds], found[baseline(label)][:seeds]))
    return dict(zip(labels, paired_differences(pairs), strict=True))


def accuracy_table(metrics: Mapping[str, Any]) -> Table:
    """The report's first table in our figures, from a run's metrics.json."""
    rows = [
        (
            label,
            mean_interval(accuracies(figures)),
            _reported(metrics, reported_accuracy(label)),
            len(figures["seconds"]),
            figures["parameters"],
            f"{np.median(figures['seconds']):.0f}",
        )
        for label, figures in grid_figures(metrics).items()
    ]
    header = ("model", "accuracy %", "the report", "seeds", "parameters", "s a seed, median")
    return Table(header, rows, f"Test accuracy in %, {_protocol(metrics)}")


def difference_table(metrics: Mapping[str, Any]) -> Table:
    """The report's second table in our figures, from a run's metrics.json."""
    rows = [
        (
            f"{label} − {baseline(label)}",
            difference.interval,
            None if np.isnan(difference.p_value) else f"{difference.p_value:.2g}",
            "*" if difference.p_value < SIGNIFICANT else "",
            _reported(metrics, reported_difference(label)),
        )
        for label, difference in differences(metrics).items()
    ]
    header = ("difference", "points", "p, corrected", "p < 0.05", "the report")
    title = (
        f"Differences in test accuracy in points, {_protocol(metrics)}; p of paired t tests, "
        f"corrected for these {len(rows)} comparisons by Holm's method"
    )
    return Table(header, rows, title)


def readme_parts(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """What the README shows of a run: its commands, the tables and the pictures."""
    studies = metrics["studies"]
    parts = [
        commands(metrics),
        accuracy_table(metrics).markdown(),
        difference_table(metrics).markdown(),
        "![Paired differences over seeds, with intervals](docs/ecrnn-differences.png)",
        "![What the RNN is given, and which steps count](docs/ecrnn-sequences.png)",
    ]
    if ABLATION in studies:
        found = studies[ABLATION]["findings"]
        parts += [study_table(studies[ABLATION]).markdown()]
        parts += ["\n".join(f"- {finding['sentence']}" for finding in found)]
    return tuple(parts)


def commands(metrics: Mapping[str, Any]) -> str:
    """The command lines of a run's studies."""
    lines = dict.fromkeys(study["command"] for study in metrics["studies"].values())
    return ", ".join(f"`{line}`" for line in lines)


def _reported(metrics: Mapping[str, Any], figure: Any) -> Any:
    """The report's figure, where the data are the report's."""
    return figure if metrics["dataset"] == DATASET else None


def _protocol(metrics: Mapping[str, Any]) -> str:
    training = metrics["training"]
    return (
        f"{metrics['dataset']}, budget {metrics['budget']}: {metrics['images']:,} images, "
        f"{training['epochs']} epochs in batches of {training['batch_size']}, "
        f"{training['optimizer']}, {metrics['test images']:,} test images"
    )


def _draw_differences(metrics: Mapping[str, Any], folder: RunFolder) -> None:
    names = {label: f"{label} − {baseline(label)}" for label in differences(metrics)}
    reported = {label: _reported(metrics, reported_difference(label)) for label in names}
    folder.save_figure(
        "ecrnn-differences.png",
        forest_figure(
            {names[label]: found for label, found in differences(metrics).items()},
            title=f"Paired differences over seeds with 95 % intervals\n{_protocol(metrics)}",
            measure="difference in test accuracy, points",
            reported={names[label]: points(found) for label, found in reported.items() if found},
        ),
    )


def _draw_sequences(
    ecrnn: str, prepared: Prepared, budget: Budget, metrics: Mapping[str, Any], folder: RunFolder
) -> None:
    """What the RNN is given in the ECRNN of that label and in the CRNN it is compared with."""
    test, classes = prepared.data.test, prepared.data.classes
    shown = [int(np.flatnonzero(test.y == i)[0]) for i in range(len(classes))]
    read = {}
    for label in (baseline(ecrnn), ecrnn):
        setting = grid_setting(label, budget)
        model: Any = zoo.create_model(
            setting.model, rngs=nnx.Rngs(0), **{**prepared.sizes, **setting.options}
        )
        run = grid_figures(metrics)[label]["run"]
        file = folder.path / "runs" / run / "seed-0.safetensors"
        set_weights(model, require("safetensors.numpy", "train").load_file(file))
        read[label] = read_sequences(model, test.x, shown)
    folder.save_figure(
        "ecrnn-sequences.png",
        sequences_figure(
            read,
            classes,
            title="What the RNN is given, for one test image of each class, seed 0",
            influence="influence on\nthe largest logit",
        ),
    )


def read_sequences(model: CRNN | ECRNN, x: np.ndarray, shown: Sequence[int]) -> Sequences:
    """What a model's RNN is given of some images, and which of its steps count.

    The influence of a step is by how much the largest logit changes when the step's value does
    by one standard deviation, to first order, on average over images:
    `mean |∂ max logit / ∂ value| · deviation`.
    """
    values = predict(
        model, np.concatenate([x[np.asarray(shown)], x[:INFLUENCE_IMAGES]]), method="sequence"
    )
    sequences = values[len(shown) :]
    graphdef, state = nnx.split(model)

    @jax.jit
    def gradients(state: Any, sequences: jax.Array) -> jax.Array:
        def largest(sequences: jax.Array) -> jax.Array:
            model = nnx.merge(graphdef, state)
            return model.classify(sequences).max(axis=-1).sum()

        return jax.grad(largest)(sequences)

    slopes = np.abs(gradients(state, sequences)).mean(axis=0)
    influence = slopes * sequences.std(axis=0)
    return Sequences(values[: len(shown), :, 0], influence[:, 0])


if __name__ == "__main__":
    run_command(main, ECRNNOptions, __doc__)
