"""What is in the forest plot and in the picture of sequences."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from zoo.errors import ZooError
from zoo.reports import (
    Interval,
    PairedDifference,
    Sequences,
    forest_figure,
    sequences_figure,
)


def difference(mean, half_width, p, n=5):
    return PairedDifference(Interval(mean, half_width, n, 0.1), p)


DIFFERENCES = {
    "CRNN − CNN": difference(0.4, 0.5, 0.2),
    "ECRNN − CRNN": difference(1.9, 0.3, 0.001),
    "once": difference(-0.5, math.nan, math.nan, n=1),
}


@pytest.fixture(scope="module")
def forest():
    figure = forest_figure(
        DIFFERENCES, title="Title", measure="points", reported={"ECRNN − CRNN": 1.5}
    )
    figure.canvas.draw()
    return figure


def test_a_row_for_each_difference_from_the_top(forest):
    (axes,) = forest.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(DIFFERENCES)
    heights = [tick.get_window_extent().y0 for tick in axes.get_yticklabels()]
    assert heights == sorted(heights, reverse=True)
    assert axes.get_xlabel() == "points"
    assert forest.get_suptitle() == "Title"
    low, high = axes.get_ylim()
    assert low > 2
    assert high < 0


def test_dots_lines_and_crosses(forest):
    (axes,) = forest.axes
    dots = [bars.lines[0] for bars in axes.containers]
    assert [dot.get_xdata()[0] for dot in dots] == [0.4, 1.9, -0.5]
    assert [to_rgba(dot.get_markerfacecolor()) == to_rgba("white") for dot in dots] == [
        True,
        False,
        True,
    ]
    (segments,) = axes.containers[1].lines[2]
    np.testing.assert_allclose(segments.get_segments()[0], [[1.6, 1], [2.2, 1]])
    assert not axes.containers[2].lines[2]  # a single seed has no interval
    crosses = [line for line in axes.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(1.5, 1)]
    words = [text.get_text() for text in forest.legends[0].get_texts()]
    assert words == ["p < 0.05", "not significant", "the report"]


def test_without_a_report_the_legend_has_none():
    figure = forest_figure(DIFFERENCES, title="", measure="points")
    assert len(figure.legends[0].get_texts()) == 2


@pytest.mark.parametrize(
    ("differences", "reported", "message"),
    [
        ({}, None, r"^differences must have at least one entry, got none\.$"),
        (DIFFERENCES, {"x": 1.0}, r"^reported must have labels of differences, got \['x'\]\.$"),
    ],
)
def test_what_cannot_be_a_forest(differences, reported, message):
    with pytest.raises(ZooError, match=message):
        forest_figure(differences, title="", measure="", reported=reported)


READ = {
    "one": Sequences(np.array([[1.0, -4.0, 2.0], [0.0, 1.0, 0.5]]), np.array([0.0, 1.0, 10.0])),
    "other": Sequences(np.zeros((2, 4)), np.zeros(4)),
}


def test_the_sequences_and_their_influence():
    figure = sequences_figure(READ, ["cat", "dog"], title="Title", influence="effect")
    figure.canvas.draw()
    assert figure.get_suptitle() == "Title"
    pictures = [axes for axes in figure.axes if axes.images and axes.get_title()]
    assert [axes.get_title() for axes in pictures] == ["one", "other"]
    image = pictures[0].images[0]
    np.testing.assert_array_equal(image.get_array(), READ["one"].values)
    assert (image.norm.vmin, image.norm.vmax) == (-4, 4)  # white is zero
    assert [tick.get_text() for tick in pictures[0].get_yticklabels()] == ["cat", "dog"]
    (line,) = [axes for axes in figure.axes if axes.get_ylabel() == "cat"][:1]
    np.testing.assert_array_equal(line.lines[0].get_ydata(), [1, -4, 2])
    (curve,) = [axes for axes in figure.axes if axes.get_ylabel() == "effect"][:1]
    assert curve.get_yscale() == "log"
    np.testing.assert_allclose(curve.lines[0].get_ydata(), [1e-5, 1, 10])


def test_sequences_that_do_not_fit():
    with pytest.raises(ZooError, match=r"^read must have at least one label, got none\.$"):
        sequences_figure({}, [], title="", influence="")
    with pytest.raises(
        ZooError,
        match=r"^read\['one'\] must have values \[N, T\] and influence \[T\] for 3 names, got "
        r"shapes \(2, 3\) and \(3,\)\.$",
    ):
        sequences_figure(READ, ["a", "b", "c"], title="", influence="")
