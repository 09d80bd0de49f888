"""How well sets of labels are predicted: the measures that papers on them report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from zoo.errors import ZooError, check_positive, require
from zoo.reports.classification import Averages, check_classes
from zoo.reports.tables import Table


@dataclass(frozen=True)
class MultilabelReport:
    """The measures of Wang et al. (2016), and exact match.

    `overall` counts all pairs of image and label alike (micro average). `per_class` has the mean
    over the labels of precision and of recall, and as F1 the harmonic mean of these two means,
    which is what the paper's figures are; a quotient 0/0 counts as 0.
    `mean_average_precision` is the mean over the labels of the area under their
    precision-recall curve, over the labels that some image has;
    `mean_average_precision_at_10` the mean over the images of `average_precision_at`.
    `exact_match` is the share of images whose set is right as a whole.
    """

    per_class: Averages
    overall: Averages
    mean_average_precision: float
    mean_average_precision_at_10: float
    exact_match: float

    def measures(self) -> Mapping[str, float]:
        """The figures by the names that papers give them."""
        (cp, cr, cf1), (op, or_, of1) = self.per_class, self.overall
        return {
            "C-P": cp,
            "C-R": cr,
            "C-F1": cf1,
            "O-P": op,
            "O-R": or_,
            "O-F1": of1,
            "mAP": self.mean_average_precision,
            "MAP@10": self.mean_average_precision_at_10,
            "exact match": self.exact_match,
        }


def multilabel_report(
    y_true: np.ndarray, y_pred: np.ndarray, scores: np.ndarray
) -> MultilabelReport:
    """All measures of one model on one split.

    Args:
        y_true: boolean `[N, K]`, the labels that each image has.
        y_pred: boolean `[N, K]`, those it is said to have.
        scores: `[N, K]`; the higher, the more the label is expected.

    Raises:
        ZooError: no images, no labels in `y_true` at all, or arrays that do not fit together.
    """
    _check_sets("y_true", y_true)
    _check_sets("y_pred", y_pred)
    if not y_true.shape == y_pred.shape == np.shape(scores):
        raise ZooError(
            "y_true, y_pred and scores must have one shape [N, K], got "
            f"{y_true.shape}, {y_pred.shape} and {np.shape(scores)}."
        )
    if not np.isfinite(scores).all():
        raise ZooError("scores must be finite.")
    if not y_true.any():
        raise ZooError("y_true must have at least one label, got none.")
    metrics = require("sklearn.metrics", "reports")

    def averages(average: str) -> tuple[float, float, float]:
        found = metrics.precision_recall_fscore_support(
            y_true, y_pred, average=average, zero_division=0
        )
        return float(found[0]), float(found[1]), float(found[2])

    precision, recall, _ = averages("macro")
    used = y_true.any(axis=0)
    return MultilabelReport(
        Averages(precision, recall, _harmonic_mean(precision, recall)),
        Averages(*averages("micro")),
        float(metrics.average_precision_score(y_true[:, used], scores[:, used], average="macro")),
        float(np.mean(average_precision_at(10, y_true, scores)[y_true.any(axis=1)])),
        float(metrics.accuracy_score(y_true, y_pred)),
    )


def average_precision_at(n: int, y_true: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The average precision of each image's `n` highest-scored labels, `[N]`.

    `AP = Σ_{r ≤ n} precision(r) · [the label at rank r is right] / min(n, labels of the image)`,
    with `precision(r)` the share of right labels among the first `r`. Of labels with one score
    the lower number ranks first. An image without labels has 0.
    """
    check_positive(n=n)
    ranking = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    right = np.take_along_axis(y_true, ranking, axis=1)
    precision = np.cumsum(right, axis=1) / np.arange(1, right.shape[1] + 1)
    possible = np.minimum(y_true.sum(axis=1), n)
    return np.sum(precision * right, axis=1) / np.maximum(possible, 1)


def cooccurrence(y: np.ndarray) -> np.ndarray:
    """`[K, K]`: entry (i, j) is the share of the images with label i that have label j too.

    The row of a label that no image has is NaN.
    """
    _check_sets("y", y)
    together = y.astype(int).T @ y.astype(int)
    with np.errstate(invalid="ignore"):
        return together / together.diagonal()[:, None]


def neighbours_table(
    vectors: ArrayLike, names: Sequence[str], *, count: int = 3, title: str = ""
) -> Table:
    """For each name the `count` others whose vectors have the highest cosine with its own."""
    check_classes(names)
    directions = np.asarray(vectors, float)
    if directions.ndim != 2 or len(directions) != len(names):
        raise ZooError(
            f"vectors must have shape [{len(names)}, width], one for each name, got "
            f"{directions.shape}."
        )
    directions = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    count = min(count, len(names) - 1)
    rows = [
        (name, *(f"{names[j]} ({row[j]:.2f})" for j in np.argsort(-row, kind="stable")[:count]))
        for name, row in zip(names, cosines, strict=True)
    ]
    return Table(("label", *(f"nearest {i + 1}" for i in range(count))), rows, title)


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def _check_sets(name: str, y: np.ndarray) -> None:
    if y.ndim != 2 or y.dtype != np.bool_ or not y.size:
        raise ZooError(
            f"{name} must be boolean of shape [N, K], whether an image has a label, got "
            f"{y.dtype} of shape {y.shape}."
        )
