"""The yardstick of NusaX sentiment: a linear SVM on counts of n-grams, by scikit-learn.

    python -m recipes.nusax_svm
    python -m recipes.nusax_svm --lang jav

It learns from the same sentences as the models of recipes.nusax_lstm, in seconds. What is counted
and how much the SVM is regularised are chosen by the macro-F1 on the validation sentences; the test
sentences are measured on once. Winata et al. (2023, https://arxiv.org/abs/2205.15960) publish 0.787
for their SVM on Indonesian.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from recipes.command import run_command
from zoo.data import Split, load
from zoo.errors import ZooError
from zoo.reports import ClassificationReport, Table, classification_report

COUNTED: Mapping[str, Mapping[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 1)},
    "words and pairs of words": {"analyzer": "word", "ngram_range": (1, 2)},
    "2 to 5 characters of a word": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
COSTS = (0.1, 0.3, 1.0, 3.0, 10.0)  # C of the SVM: the larger, the less regularised


@dataclass(frozen=True)
class SVMOptions:
    """Options of this recipe."""

    lang: str = "ind"
    """The language of the texts, by its ISO 639-3 code; the report's is Indonesian."""
    progress: bool = True
    """Show progress bars."""


def main(options: SVMOptions) -> None:
    """Prints the validation score of each candidate, and the test report of the best one."""
    data = load("nusax", lang=options.lang, progress=options.progress)
    if data.validation is None:
        raise ZooError(f"{data.name} must have a validation split, got none.")
    print(
        f"{data.name}: {len(data.train.y):,} training, {len(data.validation.y):,} validation and "
        f"{len(data.test.y):,} test sentences, from {data.source}.\n"
    )
    candidates = {
        (counted, cost): _svm(counted, cost).fit(data.train.x, data.train.y)
        for counted in COUNTED
        for cost in COSTS
    }
    scores = {
        name: _report(svm, data.validation, data.classes).macro.f1
        for name, svm in candidates.items()
    }
    rows = [(counted, f"{cost:g}", score) for (counted, cost), score in scores.items()]
    print(Table(("counted", "C", "validation macro-F1"), rows).text())
    counted, cost = max(scores, key=lambda name: scores[name])
    report = _report(candidates[counted, cost], data.test, data.classes)
    title = f"SVM on {counted}, C = {cost:g}, on the test split"
    print(f"\n{report.table(title).text()}")


def _svm(counted: str, cost: float) -> Pipeline:
    weighted = TfidfVectorizer(sublinear_tf=True, **COUNTED[counted])
    return make_pipeline(weighted, LinearSVC(C=cost, random_state=0))


def _report(svm: Pipeline, split: Split, classes: tuple[str, ...]) -> ClassificationReport:
    return classification_report(split.y, svm.predict(split.x), classes)


if __name__ == "__main__":
    run_command(main, SVMOptions, __doc__)
