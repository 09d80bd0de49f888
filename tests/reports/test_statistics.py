"""Intervals against the t table that statistics books print."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zoo.errors import ZooError
from zoo.reports import Interval, holm, mean_interval, paired_difference, paired_differences


@pytest.mark.parametrize(
    ("values", "confidence", "t"),
    [
        ([0.87, 0.88], 0.95, 12.706),
        ([1.0, 2.0, 3.0], 0.95, 4.303),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.90, 2.132),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.95, 2.776),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.99, 4.604),
        ([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0], 0.95, 2.262),
    ],
)
def test_interval_is_that_of_the_printed_table(values, confidence, t):
    interval = mean_interval(values, confidence=confidence)
    n, mean = len(values), sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    assert (interval.n, interval.confidence) == (n, confidence)
    assert interval.mean == pytest.approx(mean)
    assert interval.standard_deviation == pytest.approx(deviation)
    assert interval.half_width == pytest.approx(t * deviation / math.sqrt(n), rel=3e-4)
    assert interval.low == interval.mean - interval.half_width
    assert interval.high == interval.mean + interval.half_width


def test_worked_example():
    """Mean 3, s² = 10 / 4, so 2.776 · 1.5811 / 2.2361 = 1.963."""
    interval = mean_interval(np.array([1, 2, 3, 4, 5]))
    assert interval.half_width == pytest.approx(1.963, abs=5e-4)
    assert (interval.low, interval.high) == pytest.approx((1.037, 4.963), abs=5e-4)


def test_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(7.0, 2.0, 4), confidence=0.8) for _ in range(2000)]
    covered = statistics.fmean(interval.low <= 7.0 <= interval.high for interval in intervals)
    assert covered == pytest.approx(0.8, abs=0.027)  # three standard errors of 2,000 draws


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (0.87912, 0.00231, "0.8791 ± 0.0023"),
        (0.9, 0.012, "0.900 ± 0.012"),
        (98.8149, 0.0712, "98.815 ± 0.071"),
        (40.24, 1.34, "40.2 ± 1.3"),
        (123456.7, 2345.0, "123457 ± 2345"),
        (-1.0, 0.5, "-1.00 ± 0.50"),
        (0.5, 0.0, "0.5000 ± 0.0000"),
        (0.5, 1e-17, "0.500000000 ± 0.000000000"),
    ],
)
def test_text(mean, half_width, text):
    assert str(Interval(mean, half_width, n=5, standard_deviation=1.0)) == text


def test_one_value_has_no_interval():
    interval = mean_interval([0.87912])
    assert (interval.mean, interval.n) == (0.87912, 1)
    assert all(
        map(
            math.isnan,
            (interval.half_width, interval.low, interval.high, interval.standard_deviation),
        )
    )
    assert str(interval) == "0.8791 (1 seed)"


def test_equal_values_have_no_spread():
    interval = mean_interval([0.8791] * 5)
    assert (interval.mean, interval.half_width, interval.standard_deviation) == (0.8791, 0.0, 0.0)
    assert str(interval) == "0.8791 ± 0.0000"


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8),
    st.floats(-1e3, 1e3),
    st.floats(0.01, 100),
)
def test_shift_and_scale(values, shift, scale):
    interval = mean_interval(values)
    moved = mean_interval([scale * value + shift for value in values])
    assert moved.mean == pytest.approx(scale * interval.mean + shift, abs=1e-8)
    assert moved.half_width == pytest.approx(scale * interval.half_width, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("values", "confidence", "message"),
    [
        ([], 0.95, "values must have at least one number, got none."),
        ([0.5, math.nan], 0.95, "values must be finite numbers, got [0.5, nan]."),
        ([math.inf], 0.95, "values must be finite numbers, got [inf]."),
        ([0.5, 0.6], 95, "confidence must lie between 0 and 1, got 95."),
        ([0.5, 0.6], 0.0, "confidence must lie between 0 and 1, got 0.0."),
        ([0.5, 0.6], math.nan, "confidence must lie between 0 and 1, got nan."),
    ],
)
def test_bad_input(values, confidence, message):
    with pytest.raises(ZooError) as error:
        mean_interval(values, confidence=confidence)
    assert str(error.value) == message


def test_a_paired_difference_is_scipy_s_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.9, 0.05, 8), rng.normal(0.87, 0.05, 8)
    found = paired_difference(ours, theirs)
    peer = stats.ttest_rel(ours, theirs)
    assert found.p_value == pytest.approx(peer.pvalue)
    assert found.interval.mean == pytest.approx(np.mean(ours - theirs))
    low, high = peer.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert paired_difference(theirs, ours).p_value == pytest.approx(peer.pvalue)


def test_paired_differences_without_spread():
    assert paired_difference([1.0, 2.0], [1.0, 2.0]).p_value == 1
    assert paired_difference([1.5, 2.5], [1.0, 2.0]).p_value == 0
    assert math.isnan(paired_difference([1.0], [2.0]).p_value)
    assert str(paired_difference([1.0], [2.0])) == "-1.0000 (1 seed)"
    with pytest.raises(ZooError, match="one score for each seed, got 2 and 1"):
        paired_difference([1.0, 2.0], [1.0])


def test_holm_s_correction():
    # Step by step: 3 · 0.01; then max(0.03, 2 · 0.03); then max(0.06, 1 · 0.04).
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.6, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()
    found = holm([0.02, math.nan])
    assert found[0] == 0.02
    assert math.isnan(found[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    """By the definition: from the smallest on, as long as p ≤ level / (tests that are left)."""
    level, rejected = 0.05, set()
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[i] * (len(p_values) - rank) > level:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


def test_several_paired_differences_are_corrected_together():
    rng = np.random.default_rng(1)
    baseline, one, other = rng.normal(0, 1, 6), rng.normal(1, 1, 6), rng.normal(2, 1, 6)
    alone = [paired_difference(values, baseline) for values in (one, other)]
    together = paired_differences([(one, baseline), (other, baseline)])
    assert [d.interval for d in together] == [d.interval for d in alone]
    assert [d.p_value for d in together] == list(holm([d.p_value for d in alone]))
    assert paired_differences([]) == ()
