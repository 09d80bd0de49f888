"""A mean over seeds and how far it can be trusted."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from zoo.errors import ZooError, require


@dataclass(frozen=True)
class Interval:
    """A mean over `n` values and the confidence interval around it, `mean ± half_width`.

    One value has no spread: then `half_width` and `standard_deviation` are NaN.

    >>> print(Interval(0.87912, 0.00231, n=5, standard_deviation=0.00186))
    0.8791 ± 0.0023
    >>> print(Interval(0.87912, math.nan, n=1, standard_deviation=math.nan))
    0.8791 (1 seed)
    """

    mean: float
    half_width: float
    n: int
    standard_deviation: float
    confidence: float = 0.95

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width

    def __str__(self) -> str:
        """Two significant digits of the half-width, and as many decimals of the mean."""
        if math.isnan(self.half_width):
            return f"{format_number(self.mean)} (1 seed)"
        decimals = 4
        if self.half_width > 0:
            # At most 9: a spread below that is the rounding of equal values, not a result.
            decimals = min(max(1 - math.floor(math.log10(self.half_width)), 0), 9)
        return f"{self.mean:.{decimals}f} ± {self.half_width:.{decimals}f}"


def mean_interval(values: Iterable[float], *, confidence: float = 0.95) -> Interval:
    """Mean and confidence interval of values drawn independently, e.g. scores over seeds.

    With n values of mean m and sample standard deviation s (divisor n - 1), the interval is
    `m ± t · s / √n`, t the (1 + confidence) / 2 quantile of Student's t distribution with
    n - 1 degrees of freedom (Student 1908). It is exact for normally distributed values, and
    not cut off at the bounds of a score.

    Raises:
        ZooError: no values, one that is not finite, or a confidence outside of (0, 1).
    """
    values = [float(value) for value in values]
    if not 0 < confidence < 1:
        raise ZooError(f"confidence must lie between 0 and 1, got {confidence}.")
    if not values:
        raise ZooError("values must have at least one number, got none.")
    if not all(map(math.isfinite, values)):
        raise ZooError(f"values must be finite numbers, got {values}.")
    n = len(values)
    mean = statistics.fmean(values)
    if n == 1:
        return Interval(mean, math.nan, n, math.nan, confidence)
    # In exact arithmetic: equal values have a standard deviation of exactly 0.
    deviation = statistics.stdev(values)
    t = float(require("scipy.stats", "reports").t.ppf((1 + confidence) / 2, df=n - 1))
    return Interval(mean, t * deviation / math.sqrt(n), n, deviation, confidence)


@dataclass(frozen=True)
class PairedDifference:
    """How much higher one score is than another over the same seeds, and how surely.

    `p_value` is that of a paired t test, two-sided: the chance of a mean difference at least as
    large if there were none. With one pair it is NaN.

    >>> print(PairedDifference(Interval(0.0123, 0.0031, 10, 0.0043), p_value=0.00002))
    +0.0123 ± 0.0031 (p = 2e-05)
    """

    interval: Interval
    p_value: float

    def __str__(self) -> str:
        """The interval with its sign, and p to two significant digits."""
        sign = "+" if self.interval.mean > 0 else ""
        p = "" if math.isnan(self.p_value) else f" (p = {self.p_value:.2g})"
        return f"{sign}{self.interval}{p}"


def paired_difference(
    values: Iterable[float], baseline: Iterable[float], *, confidence: float = 0.95
) -> PairedDifference:
    """`values − baseline`, pair by pair: the mean, its interval, and Student's paired t test.

    Raises:
        ZooError: not as many values as in the baseline, or as in `mean_interval`.
    """
    values, baseline = list(values), list(baseline)
    if len(values) != len(baseline):
        raise ZooError(
            "values and baseline must have one score for each seed, got "
            f"{len(values)} and {len(baseline)}."
        )
    interval = mean_interval(
        [a - b for a, b in zip(values, baseline, strict=True)], confidence=confidence
    )
    if interval.n == 1:
        return PairedDifference(interval, math.nan)
    if interval.standard_deviation == 0:
        return PairedDifference(interval, 1.0 if interval.mean == 0 else 0.0)
    statistic = interval.mean / (interval.standard_deviation / math.sqrt(interval.n))
    t = require("scipy.stats", "reports").t
    return PairedDifference(interval, float(2 * t.sf(abs(statistic), df=interval.n - 1)))


def paired_differences(
    pairs: Iterable[tuple[Iterable[float], Iterable[float]]], *, confidence: float = 0.95
) -> tuple[PairedDifference, ...]:
    """`paired_difference` of each pair (values, baseline), p corrected for their number by `holm`.

    The intervals are not corrected: each says how far its own difference can be trusted.
    """
    found = [paired_difference(*pair, confidence=confidence) for pair in pairs]
    corrected = holm([difference.p_value for difference in found])
    return tuple(replace(d, p_value=p) for d, p in zip(found, corrected, strict=True))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for the number of tests, so that any error at all has their level.

    The k-th smallest of m is multiplied by m − k + 1, is no smaller than the corrected ones
    before it, and at most 1. NaN (no test could be made) stays NaN and does not count.

    Source: Holm, 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    corrected = [math.nan] * len(p_values)
    tested = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    at_least = 0.0
    for rank, (p, i) in enumerate(tested):
        at_least = max(at_least, min((len(tested) - rank) * p, 1.0))
        corrected[i] = at_least
    return tuple(corrected)


def format_number(value: float) -> str:
    """Four decimals, from 10 on two, and below 0.001 three significant digits.

    >>> [format_number(x) for x in (0.9, 98.8149, -0.00012345, 0.0)]
    ['0.9000', '98.81', '-0.000123', '0.0000']
    """
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.3g}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}"
