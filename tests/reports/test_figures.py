"""What is in the pictures: texts, lines, bands; and that nothing is cut off or overlaps."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from zoo.errors import ZooError
from zoo.reports import confusion_matrix_figure, learning_curves_figure

TEN = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def history(losses, accuracies=None, *, validation=False, **others):
    accuracies = [1 - loss for loss in losses] if accuracies is None else accuracies
    columns = {"epoch": list(range(1, len(losses) + 1)), "loss": losses, "accuracy": accuracies}
    if validation:
        columns |= {
            "val_loss": [loss + 10 for loss in losses],
            "val_accuracy": [accuracy - 10 for accuracy in accuracies],
        }
    return columns | others


def texts(figure):
    """Every text that is shown, once the layout has been made."""
    figure.canvas.draw()
    matrix, bar = figure.axes
    return [
        *matrix.texts,
        *matrix.get_xticklabels(),
        *matrix.get_yticklabels(),
        *bar.get_yticklabels(),
        matrix.title,
        matrix.xaxis.label,
        matrix.yaxis.label,
        bar.yaxis.label,
    ]


def assert_within(inner, outer):
    assert inner.x0 >= outer.x0
    assert inner.y0 >= outer.y0
    assert inner.x1 <= outer.x1
    assert inner.y1 <= outer.y1


def test_confusion_matrix_shows_counts_percentages_and_names():
    figure = confusion_matrix_figure(
        [[3, 1, 0], [2, 5, 1], [0, 0, 0]], ("cat", "dog", "owl"), title="Animals, $5 each$"
    )
    axes = figure.axes[0]
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert shown == {
        (0, 0): "3\n75.0 %",
        (1, 0): "1\n25.0 %",
        (2, 0): "0",
        (0, 1): "2\n25.0 %",
        (1, 1): "5\n62.5 %",
        (2, 1): "1\n12.5 %",
        (0, 2): "0",
        (1, 2): "0",
        (2, 2): "0",
    }
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", "dog", "owl"]
        assert not any(label.get_parse_math() for label in labels)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert axes.get_title() == "Animals, $5 each$"
    assert not axes.title.get_parse_math()
    assert axes.images[0].get_clim() == (0, 100)


@pytest.mark.parametrize(
    ("classes", "counts"),
    [
        (TEN, 99999),
        ([f"class {i} with a long $name$ of {i} words" for i in range(10)], 1000),
        (["a name that is longer than the whole of the matrix", "b"], 100),
        ([f"c{i}" for i in range(15)], 12345),
    ],
)
def test_confusion_matrix_is_legible(classes, counts):
    matrix = np.full((len(classes), len(classes)), counts)
    title = "A title that is long enough to need a second line " * 2
    figure = confusion_matrix_figure(matrix, classes, title=title)
    for text in texts(figure):
        assert_within(text.get_window_extent(), figure.bbox)
    axes = figure.axes[0]
    cell = axes.get_window_extent().width / len(classes)
    for text in axes.texts:
        assert text.get_fontsize() >= 8
        assert text.get_window_extent().width < 0.95 * cell
        assert text.get_window_extent().height < 0.95 * cell
    below = [label.get_window_extent() for label in axes.get_yticklabels()]
    for upper, lower in itertools.pairwise(below):
        assert upper.y0 >= lower.y1


def test_confusion_matrix_text_stands_out_from_its_cell():
    figure = confusion_matrix_figure(
        np.diag([90, 50, 100]) + 10, ("cat", "dog", "owl"), title="Animals"
    )
    image, axes = figure.axes[0].images[0], figure.axes[0]
    for text in axes.texts:
        column, row = text.get_position()
        share = image.get_array()[row, column]
        weights = np.array([0.2126, 0.7152, 0.0722])  # relative luminance, ITU-R BT.709
        cell = weights @ np.array(image.cmap(image.norm(share))[:3])
        letters = weights @ np.array(to_rgba(text.get_color())[:3])
        assert abs(cell - letters) > 0.4


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 2]], "matrix must have shape (2, 2) for 2 classes, got (1, 2)."),
        (
            [[0.5, 0.5], [0.0, 1.0]],
            "matrix must hold counts (integers from 0 on), got dtype float64, smallest 0.0.",
        ),
        (
            [[1, 2], [3, -4]],
            "matrix must hold counts (integers from 0 on), got dtype int64, smallest -4.",
        ),
    ],
)
def test_confusion_matrix_bad_input(matrix, message):
    with pytest.raises(ZooError) as error:
        confusion_matrix_figure(matrix, ("a", "b"), title="")
    assert str(error.value) == message


def test_learning_curves_mean_and_band():
    seeds = [history([4.0, 2.0, 1.0], validation=True), history([2.0, 1.0, 0.0], validation=True)]
    figure = learning_curves_figure({"CNN": seeds}, title="Two seeds")
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    training, validation = loss.get_lines()
    assert (training.get_label(), training.get_linestyle()) == ("CNN, training", "--")
    assert (validation.get_label(), validation.get_linestyle()) == ("CNN, validation", "-")
    assert training.get_color() == validation.get_color()
    assert training.get_xydata().tolist() == [[1, 3.0], [2, 1.5], [3, 0.5]]
    assert validation.get_xydata().tolist() == [[1, 13.0], [2, 11.5], [3, 10.5]]
    assert accuracy.get_lines()[1].get_ydata().tolist() == [-12.0, -10.5, -9.5]
    band, _ = loss.collections
    corners = {(x, y) for x, y in band.get_paths()[0].vertices.tolist()}
    assert corners == {(1, 2.0), (2, 1.0), (3, 0.0), (1, 4.0), (2, 2.0), (3, 1.0)}
    assert figure.get_suptitle() == "Two seeds"
    assert figure.legends[0].get_title().get_text() == "mean over seeds, lowest to highest shaded"


def test_learning_curves_name_the_data_that_were_held_out():
    curves = {"CNN": [history([1.0, 0.5], validation=True)]}
    figure = learning_curves_figure(curves, title="", held_out="test")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["CNN, training", "CNN, test"]


def test_learning_curves_of_seeds_that_stopped_early():
    seeds = [history([4.0, 3.0, 2.0, 1.0]), history([2.0, 1.0]), history([0.0, 2.0, 4.0])]
    figure = learning_curves_figure({"RNN": seeds}, title="")
    (line,) = figure.axes[0].get_lines()
    assert line.get_xydata().tolist() == [[1, 2.0], [2, 2.0], [3, 3.0], [4, 1.0]]


def test_learning_curves_lie_at_their_epochs():
    later = {"epoch": [2, 3], "loss": [5.0, 7.0], "accuracy": [0.5, 0.6]}
    figure = learning_curves_figure({"RNN": [history([4.0, 3.0, 1.0]), later]}, title="")
    (line,) = figure.axes[0].get_lines()
    assert line.get_xydata().tolist() == [[1, 4.0], [2, 4.0], [3, 4.0]]


def test_learning_curves_without_validation_or_other_seeds():
    figure = learning_curves_figure(
        {"CNN": [history([1.0, 0.5], seconds=[3.0, 3.0], step=[10, 20])]}, title=""
    )
    for axes in figure.axes:
        assert len(axes.get_lines()) == 1
        assert not axes.collections
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["CNN, training"]
    assert legend.get_title().get_text() == ""


def test_learning_curves_what_is_not_finite_is_a_gap():
    figure = learning_curves_figure(
        {"CNN": [history([1.0, math.inf, 0.5, 2]), history([3.0, -math.inf, math.nan, 4])]},
        title="",
    )
    (line,) = figure.axes[0].get_lines()
    assert np.isnan(line.get_ydata()).tolist() == [False, True, True, False]
    (band,) = figure.axes[0].collections
    assert {x for path in band.get_paths() for x in path.vertices[:, 0].tolist()} == {1, 4}
    figure.canvas.draw()


def test_learning_curves_of_one_epoch_are_visible_and_tell_both_lines_apart():
    figure = learning_curves_figure({"CNN": [history([1.0], validation=True)]}, title="")
    figure.canvas.draw()
    training, validation = figure.axes[0].get_lines()
    assert training.get_marker() == validation.get_marker() == "o"
    assert training.get_markerfacecolor() != validation.get_markerfacecolor()
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize("models", [1, 2, 8])
def test_learning_curves_are_legible(models):
    curves = {
        f"fashion_mnist_model_{i}": [history([1.0 + i] * 40, validation=True)] * 2
        for i in range(models)
    }
    figure = learning_curves_figure(curves, title="A title that needs two lines " * 6)
    figure.canvas.draw()
    (legend,) = figure.legends
    for drawn in (legend, figure._suptitle, *(axes.xaxis.label for axes in figure.axes)):
        assert_within(drawn.get_window_extent(), figure.bbox)
    for axes in figure.axes:
        assert len(axes.get_lines()) == 2 * models
        assert axes.get_window_extent().height > 350
        assert axes.xaxis.label.get_window_extent().y0 > legend.get_window_extent().y1
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].get_lines()}
    assert len(looks) == models


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "curves must have at least one label, got none."),
        ({"CNN": []}, "curves['CNN'] must have the history of at least one seed."),
        (
            {"CNN": [history([1.0]), {"epoch": [1], "loss": [1.0]}]},
            "curves['CNN'][1] must have the columns epoch, loss and accuracy, "
            "got ['epoch', 'loss'].",
        ),
        (
            {"CNN": [history([1.0, 0.5], val_loss=[1.0])]},
            "curves['CNN'][0]['val_loss'] must have one value for each of the 2 epochs, got 1.",
        ),
    ],
)
def test_learning_curves_bad_input(curves, message):
    with pytest.raises(ZooError) as error:
        learning_curves_figure(curves, title="")
    assert str(error.value) == message


def test_pyplot_knows_nothing_of_the_figures():
    confusion_matrix_figure(np.eye(2, dtype=int), ["a", "b"], title="")
    learning_curves_figure({"CNN": [history([1.0])]}, title="")
    assert plt.get_fignums() == []
