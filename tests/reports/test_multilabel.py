"""The measures for several labels, against counting by hand and scikit-learn's other functions."""

import re

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score

from zoo.errors import ZooError
from zoo.reports import (
    average_precision_at,
    cooccurrence,
    cooccurrence_figure,
    labelled_images_figure,
    multilabel_report,
    neighbours_table,
)

TRUE = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 0, 1]], bool)
SAID = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
SCORES = np.array([[0.9, 0.3, 0.1], [0.8, 0.2, 0.4], [0.1, 0.7, 0.3], [0.6, 0.5, 0.2]])


def test_all_measures_counted_by_hand():
    measures = multilabel_report(TRUE, SAID, SCORES).measures()
    # Label 0: 3 right of 3 said and 3 true; label 1: 1 of 2 said, 2 true; label 2: none said.
    cp, cr = (1 + 1 / 2 + 0) / 3, (1 + 1 / 2 + 0) / 3
    op, or_ = 4 / 5, 4 / 7
    # Ranked by score: label 0 is first in all three places; label 1 has true ones at the ranks 1
    # and 3; label 2 at the ranks 2 and 3.
    average_precisions = [1, (1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2]
    # Each image's own ranking of its labels.
    per_image = [1, 1, 1, (1 + 2 / 3) / 2]
    expected = {
        "C-P": cp,
        "C-R": cr,
        "C-F1": 2 * cp * cr / (cp + cr),
        "O-P": op,
        "O-R": or_,
        "O-F1": 2 * op * or_ / (op + or_),
        "mAP": np.mean(average_precisions),
        "MAP@10": np.mean(per_image),
        "exact match": 1 / 4,
    }
    assert measures == pytest.approx(expected)
    assert list(measures) == list(expected)


def test_per_class_f1_is_made_of_the_means():
    """The paper's C-P 66.0 and C-R 55.6 give its C-F1 60.4; a mean of F1s would be another one."""
    assert pytest.approx(60.4, abs=0.05) == 2 * 66.0 * 55.6 / (66.0 + 55.6)
    true = np.array([[1, 0], [1, 0], [0, 1]], bool)
    said = np.array([[1, 0], [0, 0], [1, 1]], bool)
    report = multilabel_report(true, said, said.astype(float))
    assert report.per_class == pytest.approx((0.75, 0.75, 0.75))
    assert np.mean([0.5, 1.0]) == 0.75  # precision and recall by label: (0.5, 0.5), (1, 1)


def test_without_a_cut_it_is_label_ranking_average_precision():
    rng = np.random.default_rng(0)
    true = rng.random((50, 8)) < 0.3
    true[:, 0] |= ~true.any(axis=1)
    scores = rng.random((50, 8))
    ours = average_precision_at(10, true, scores)
    assert ours.mean() == pytest.approx(label_ranking_average_precision_score(true, scores))


def test_a_ranking_that_is_cut():
    true = np.array([[1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
    scores = np.array([[4, 3, 2, 1.0]] * 3)
    np.testing.assert_allclose(average_precision_at(2, true, scores), [1 / 2, 0, 0])
    np.testing.assert_allclose(average_precision_at(3, true, scores), [(1 + 2 / 3) / 3, 0, 0])


def test_a_label_that_no_image_has_and_an_image_without_labels():
    true = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
    report = multilabel_report(true, true, true.astype(float))
    assert report.mean_average_precision == 1
    assert report.mean_average_precision_at_10 == 1
    assert report.exact_match == 1
    assert report.per_class.precision == pytest.approx(2 / 3)  # the third label's 0/0 counts as 0


def test_cooccurrence():
    found = cooccurrence(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]], bool))
    np.testing.assert_allclose(found, [[1, 0.5, 0], [1, 1, 0], [np.nan] * 3])


def test_neighbours_are_by_angle():
    table = neighbours_table([[1, 0], [0, 3], [9, 1], [-1, 0]], list("abcd"), count=2)
    assert table.columns == ("label", "nearest 1", "nearest 2")
    assert table.rows[0] == ("a", "c (0.99)", "b (0.00)")
    assert table.rows[3] == ("d", "b (0.00)", "c (-0.99)")
    with pytest.raises(ZooError, match=re.escape("vectors must have shape [4, width]")):
        neighbours_table([[1, 0]], list("abcd"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TRUE.astype(int), SAID, SCORES), "y_true must be boolean of shape [N, K]"),
        ((TRUE, SAID[:, 0], SCORES), "y_pred must be boolean of shape [N, K]"),
        ((TRUE, SAID[:2], SCORES), "y_true, y_pred and scores must have one shape [N, K]"),
        ((TRUE, SAID, SCORES * np.nan), "scores must be finite."),
        ((~TRUE & TRUE, SAID, SCORES), "y_true must have at least one label, got none."),
        ((TRUE[:0], SAID[:0], SCORES[:0]), "y_true must be boolean of shape [N, K]"),
    ],
)
def test_arrays_that_do_not_fit(arguments, message):
    with pytest.raises(ZooError, match=re.escape(message)):
        multilabel_report(*arguments)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title)]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_what_is_said_of_them(channels):
    images = np.zeros((4, 5, 6, channels), np.uint8)
    figure = labelled_images_figure(
        images, TRUE, {"A": SAID, "B": TRUE}, ["x", "y", "z"], title="t"
    )
    shown = texts(figure)
    for text in ("x, y", "A: −y", "A: ✓", "A: −z +y", "B: ✓"):
        assert text in shown
    assert shown.count("B: ✓") == 4
    with pytest.raises(ZooError, match=re.escape("A must have shape (4, 3)")):
        labelled_images_figure(images, TRUE, {"A": SAID[:2]}, ["x", "y", "z"], title="t")


def test_matrices_side_by_side():
    matrix = cooccurrence(TRUE)
    figure = cooccurrence_figure({"data": matrix, "said": matrix}, ["x", "y", "z"], title="t")
    shown = texts(figure)
    assert shown.count("data") == 1
    assert shown.count("33") == 4  # of three images with x, one has y and one z; in both panels
    assert "100" not in shown  # the diagonal says nothing
    with pytest.raises(ZooError, match=re.escape("matrices['data'] must have shape (2, 2)")):
        cooccurrence_figure({"data": matrix}, ["x", "y"], title="t")
