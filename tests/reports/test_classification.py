"""Classification reports against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ZooError
from zoo.reports import classification_report, confusion_matrix

CLASSES = ("cat", "dog", "owl")
TRUE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
PRED = [0, 0, 1, 2, 1, 1, 0, 2, 2, 2]


def test_three_classes_by_hand():
    report = classification_report(TRUE, PRED, CLASSES)
    assert report.classes == CLASSES
    assert report.precision == pytest.approx((2 / 3, 2 / 3, 3 / 4))
    assert report.recall == pytest.approx((2 / 4, 2 / 3, 3 / 3))
    assert report.f1 == pytest.approx((4 / 7, 4 / 6, 6 / 7))
    assert report.support == (4, 3, 3)
    assert report.accuracy == pytest.approx(7 / 10)
    assert report.macro == pytest.approx((25 / 36, 13 / 18, 44 / 63))
    assert report.weighted == pytest.approx((83 / 120, 7 / 10, 24 / 35))


def test_confusion_matrix_has_true_classes_as_rows():
    matrix = confusion_matrix(np.array(TRUE, np.uint8), np.array(PRED, np.int64), CLASSES)
    assert matrix.tolist() == [[2, 1, 1], [1, 2, 0], [0, 0, 3]]


def test_a_class_without_examples_counts_as_zero_in_the_macro_average_only():
    report = classification_report(TRUE, PRED, (*CLASSES, "yak"))
    assert (report.precision[3], report.recall[3], report.f1[3], report.support[3]) == (0, 0, 0, 0)
    assert report.macro.f1 == pytest.approx(44 / 63 * 3 / 4)
    assert report.weighted.f1 == pytest.approx(24 / 35)
    assert confusion_matrix(TRUE, PRED, (*CLASSES, "yak"))[3].tolist() == [0, 0, 0, 0]


@given(st.data(), st.integers(2, 5))
def test_report_follows_from_the_confusion_matrix(data, classes):
    pairs = st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1))
    true, pred = zip(*data.draw(st.lists(pairs, min_size=1)), strict=True)
    names = [f"class {i}" for i in range(classes)]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (np.array(true), np.array(pred)), 1)
    report = classification_report(true, pred, names)
    hits, rows, columns = np.diag(counts), counts.sum(1), counts.sum(0)
    assert np.array_equal(confusion_matrix(true, pred, names), counts)
    assert report.support == tuple(rows)
    assert report.precision == pytest.approx(hits / np.maximum(columns, 1))
    assert report.recall == pytest.approx(hits / np.maximum(rows, 1))
    assert report.f1 == pytest.approx(2 * hits / np.maximum(rows + columns, 1))
    assert report.macro.f1 == pytest.approx(np.mean(report.f1))
    assert report.weighted.f1 == pytest.approx(np.average(report.f1, weights=rows))
    assert report.accuracy == report.weighted.recall == pytest.approx(hits.sum() / len(true))


def test_table():
    table = classification_report(TRUE, PRED, CLASSES).table("Animals")
    assert table.text().splitlines() == [
        "Animals",
        "",
        "class               precision    recall      F1    support",
        "----------------  -----------  --------  ------  ---------",
        "cat                    0.6667    0.5000  0.5714          4",
        "dog                    0.6667    0.6667  0.6667          3",
        "owl                    0.7500    1.0000  0.8571          3",
        "accuracy                    –         –  0.7000         10",
        "macro average          0.6944    0.7222  0.6984         10",
        "weighted average       0.6917    0.7000  0.6857         10",
    ]


def test_to_dict():
    values = classification_report([0, 1, 1], [0, 1, 0], ("a", "b")).to_dict()
    assert values == {
        "accuracy": pytest.approx(2 / 3),
        "macro": pytest.approx({"precision": 3 / 4, "recall": 3 / 4, "f1": 2 / 3}),
        "weighted": pytest.approx({"precision": 5 / 6, "recall": 2 / 3, "f1": 2 / 3}),
        "classes": {
            "a": pytest.approx({"precision": 1 / 2, "recall": 1, "f1": 2 / 3, "support": 1}),
            "b": pytest.approx({"precision": 1, "recall": 1 / 2, "f1": 2 / 3, "support": 2}),
        },
    }


@pytest.mark.parametrize(
    ("true", "pred", "classes", "message"),
    [
        ([], [], "ab", "classes must be a sequence of at least two names, got 'ab'."),
        ([0], [0], ["a"], "classes must be a sequence of at least two names, got ['a']."),
        (
            [0],
            [0],
            ["a", "b", "a"],
            "classes must have different names, got more than once: ['a'].",
        ),
        ([], [], CLASSES, "y_true must have at least one label, got none."),
        (
            [0, 1],
            [0],
            CLASSES,
            "y_true and y_pred must have one label for each example, got 2 and 1 labels.",
        ),
        (
            [0, 1],
            [0, 3],
            CLASSES,
            "y_pred must be indices of the 3 classes, 0 to 2, got 3 at position 1 (1 such labels).",
        ),
        (
            [-1, -1],
            [0, 0],
            CLASSES,
            "y_true must be indices of the 3 classes, 0 to 2, got -1 at position 0 "
            "(2 such labels).",
        ),
        (
            [0, 1],
            np.zeros((2, 3)),
            CLASSES,
            "y_pred must have shape [N], one class index an example, got shape (2, 3): "
            "for logits take np.argmax(logits, axis=-1).",
        ),
        ([0.0], [0], CLASSES, "y_true must be integer class indices, got dtype float64."),
        ([True], [0], CLASSES, "y_true must be integer class indices, got dtype bool."),
    ],
)
@pytest.mark.parametrize("function", [classification_report, confusion_matrix])
def test_bad_input(function, true, pred, classes, message):
    with pytest.raises(ZooError) as error:
        function(true, pred, classes)
    assert str(error.value) == message
