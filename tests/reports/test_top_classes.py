"""The picture of the most probable classes."""

import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.reports import top_classes_figure

CLASSES = ("cat", "dog", "a $ign", "owl")
IMAGES = [np.zeros((4, 5, 3), np.uint8), np.zeros((6, 6, 1), np.uint8)]
SHARES = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05]])


def test_bars_from_the_most_probable_down():
    figure = top_classes_figure(IMAGES, SHARES, CLASSES, ["a.png", "b_1.png"], title="random $")
    figure.canvas.draw()  # would fail on text that is no mathematics
    for row, (left, right) in enumerate(zip(figure.axes[::2], figure.axes[1::2], strict=True)):
        assert left.get_title() == ["a.png", "b_1.png"][row]
        best = np.argsort(SHARES[row])[::-1][:3]
        assert [label.get_text() for label in right.get_yticklabels()] == [CLASSES[i] for i in best]
        assert [bar.get_width() for bar in right.patches] == pytest.approx(SHARES[row][best])
        assert [text.get_text() for text in right.texts] == [f"{SHARES[row][i]:.1%}" for i in best]
    assert figure.get_suptitle() == "random $"


def test_refusals():
    with zoo_error(
        "there must be a name and a row of probabilities for each image, got 2 images, 1 names "
        "and 2 rows."
    ):
        top_classes_figure(IMAGES, SHARES, CLASSES, ["a"], title="")
    with zoo_error("probabilities must have 4 columns, one for each class, got shape (2, 3)."):
        top_classes_figure(IMAGES, SHARES[:, :3], CLASSES, ["a", "b"], title="")
