"""Precision, recall, F1 and the confusion matrix of a classifier's predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from zoo.errors import ZooError, require
from zoo.reports.tables import Table


class Averages(NamedTuple):
    """Means over the classes."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassificationReport:
    """How well each class is told apart, and the averages over the classes.

    Per class, with TP, FP and FN its true positives, false positives and false negatives:
    `precision = TP / (TP + FP)`, `recall = TP / (TP + FN)`, `f1 = 2 TP / (2 TP + FP + FN)`,
    `support = TP + FN`. A quotient 0/0 counts as 0. The macro average weighs every class of
    `classes` alike, also those without examples; the weighted average weighs by support.
    """

    classes: tuple[str, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    accuracy: float
    macro: Averages
    weighted: Averages

    def table(self, title: str = "") -> Table:
        """One row a class, then accuracy, macro and weighted average over all examples."""
        examples = sum(self.support)
        per_class = zip(
            self.classes, self.precision, self.recall, self.f1, self.support, strict=True
        )
        return Table(
            ("class", "precision", "recall", "F1", "support"),
            (
                *per_class,
                ("accuracy", None, None, self.accuracy, examples),
                ("macro average", *self.macro, examples),
                ("weighted average", *self.weighted, examples),
            ),
            title,
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as nested dictionaries, as JSON has them: `classes` maps name to scores."""
        per_class = zip(self.precision, self.recall, self.f1, self.support, strict=True)
        names = ("precision", "recall", "f1", "support")
        return {
            "accuracy": self.accuracy,
            "macro": self.macro._asdict(),
            "weighted": self.weighted._asdict(),
            "classes": {
                name: dict(zip(names, scores, strict=True))
                for name, scores in zip(self.classes, per_class, strict=True)
            },
        }


def classification_report(
    y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]
) -> ClassificationReport:
    """Precision, recall, F1 and support per class, their averages, and accuracy.

    Args:
        y_true: the right class indices, `[N]` integers.
        y_pred: the predicted class indices, `[N]` integers.
        classes: the names of the classes; index i is `classes[i]`.

    Raises:
        ZooError: no examples, unequal lengths, or labels that are no index into `classes`.
    """
    true, pred = _check_labels(y_true, y_pred, classes)
    metrics = require("sklearn.metrics", "reports")

    def scores(average: str | None) -> Any:
        return metrics.precision_recall_fscore_support(
            true, pred, labels=np.arange(len(classes)), average=average, zero_division=0
        )

    precision, recall, f1, support = scores(None)
    return ClassificationReport(
        tuple(classes),
        tuple(precision.tolist()),
        tuple(recall.tolist()),
        tuple(f1.tolist()),
        tuple(support.tolist()),
        float(metrics.accuracy_score(true, pred)),
        Averages(*map(float, scores("macro")[:3])),
        Averages(*map(float, scores("weighted")[:3])),
    )


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]) -> np.ndarray:
    """Counts `[classes, classes]`: entry (i, j) is how often true class i was predicted as j.

    Arguments and errors as in `classification_report`.
    """
    true, pred = _check_labels(y_true, y_pred, classes)
    metrics = require("sklearn.metrics", "reports")
    counts: np.ndarray = metrics.confusion_matrix(true, pred, labels=np.arange(len(classes)))
    return counts


def _check_labels(
    y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Both as integer vectors of one length, every entry an index into `classes`."""
    check_classes(classes)
    true = _check_indices("y_true", y_true, len(classes))
    pred = _check_indices("y_pred", y_pred, len(classes))
    if len(true) != len(pred):
        raise ZooError(
            "y_true and y_pred must have one label for each example, "
            f"got {len(true)} and {len(pred)} labels."
        )
    return true, pred


def check_classes(classes: Sequence[str]) -> None:
    """Raises unless there are at least two classes and no name occurs twice."""
    if len(classes) < 2 or isinstance(classes, str):
        raise ZooError(f"classes must be a sequence of at least two names, got {classes!r}.")
    twice = sorted({name for name in classes if list(classes).count(name) > 1})
    if twice:
        raise ZooError(f"classes must have different names, got more than once: {twice}.")


def _check_indices(argument: str, labels: ArrayLike, classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ZooError(
            f"{argument} must have shape [N], one class index an example, got shape "
            f"{labels.shape}: for logits take np.argmax(logits, axis=-1)."
        )
    if len(labels) == 0:
        raise ZooError(f"{argument} must have at least one label, got none.")
    if labels.dtype.kind not in "iu":
        raise ZooError(f"{argument} must be integer class indices, got dtype {labels.dtype}.")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise ZooError(
            f"{argument} must be indices of the {classes} classes, 0 to {classes - 1}, got "
            f"{labels[outside[0]]} at position {outside[0]} ({len(outside)} such labels)."
        )
    return labels
