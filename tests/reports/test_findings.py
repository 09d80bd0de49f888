"""Findings: tested in the direction they claim, corrected for their comparisons."""

import pytest
from scipy import stats

from tests.functional.cases import zoo_error
from zoo.reports import Finding, curve_measures, verdict

# Pair by pair, high − low is about 0.1 and even − low about 0.
SCORES = {
    "low": {"accuracy": [0.50, 0.52, 0.49, 0.51, 0.53]},
    "even": {"accuracy": [0.51, 0.51, 0.50, 0.50, 0.53]},
    "high": {"accuracy": [0.60, 0.63, 0.58, 0.61, 0.64]},
}


def says(*higher: tuple[str, str | float]) -> str:
    return verdict(Finding("It is so", "accuracy", higher), SCORES).says


def test_the_three_verdicts():
    assert says(("high", "low")) == "holds"
    assert says(("low", "high")) == "does not hold"
    assert says(("even", "low")) == "undecided"


def test_all_comparisons_must_hold_and_one_against_is_enough():
    assert says(("high", "low"), ("high", "even")) == "holds"
    assert says(("high", "low"), ("even", "low")) == "undecided"
    assert says(("high", "low"), ("low", "high")) == "does not hold"


def test_a_number_instead_of_a_setting():
    assert says(("high", 0.5)) == "holds"
    assert says(("low", 0.5)) == "undecided"
    assert says(("low", 0.6)) == "does not hold"


def test_p_is_corrected_for_the_comparisons_of_the_finding():
    high, low = SCORES["high"]["accuracy"], SCORES["low"]["accuracy"]
    p = stats.ttest_rel(high, low).pvalue
    sentence = verdict(
        Finding("It is so", "accuracy", (("high", "low"), ("even", "low"))), SCORES
    ).sentence
    assert f"(p = {2 * p:.2g})" in sentence


def test_the_sentence_has_the_numbers():
    found = verdict(Finding("Higher is higher", "accuracy", (("high", "low"),)), SCORES)
    p = stats.ttest_rel(SCORES["high"]["accuracy"], SCORES["low"]["accuracy"]).pvalue
    assert found.sentence == (
        f"Higher is higher: holds (accuracy: high − low +0.102 ± 0.010 (p = {p:.2g}))."
    )


def test_one_seed_decides_nothing():
    scores = {"a": {"accuracy": [0.9]}, "b": {"accuracy": [0.1]}}
    found = verdict(Finding("It is so", "accuracy", (("a", "b"),)), scores)
    assert found.says == "undecided"
    assert "(1 seed)" in found.sentence


def test_bad_findings():
    with zoo_error("unknown setting 'hihg': did you mean 'high'? Known: even, high, low."):
        says(("hihg", "low"))
    with zoo_error("unknown measure 'loss'. Known: accuracy."):
        verdict(Finding("It is so", "loss", (("high", "low"),)), SCORES)
    with zoo_error("finding 'It is so' must compare at least one pair, got none."):
        says()


def test_curve_measures():
    history = {
        "loss": [1.0, 0.5, 0.7, 0.4, 0.6],
        "val_loss": [1.0, 0.8, 0.6, 0.9, 1.1],
        "val_accuracy": [0.3, 0.5, 0.4, 0.6, 0.5],
    }
    assert curve_measures(history) == pytest.approx(
        {
            "best epoch": 3,
            "best validation accuracy": 0.6,
            "overfitting": 0.5,
            "unsteadiness": (0.2 + 0.2) / 4,
        }
    )
    one = {name: values[:1] for name, values in history.items()}
    assert curve_measures(one) == {
        "best epoch": 1,
        "best validation accuracy": 0.3,
        "overfitting": 0,
        "unsteadiness": 0,
    }
