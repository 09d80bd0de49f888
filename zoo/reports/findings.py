"""Whether what a report found holds: claims of the kind "this one is higher than that one"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zoo.errors import ZooError, unknown_name
from zoo.reports.statistics import paired_differences

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Finding:
    """A claim about the settings of a study.

    Args:
        claim: the finding in words, without a full stop.
        measure: what is compared, such as "validation accuracy".
        higher: pairs (a, b) of setting labels: the claim says that a has more of the measure
            than b. Instead of a label b can be a number.
    """

    claim: str
    measure: str
    higher: tuple[tuple[str, str | float], ...]


@dataclass(frozen=True)
class Verdict:
    """What the numbers say to a finding, and a sentence that has them."""

    says: Literal["holds", "does not hold", "undecided"]
    sentence: str


def verdict(finding: Finding, scores: Mapping[str, Mapping[str, Sequence[float]]]) -> Verdict:
    """Tests a finding by paired t tests over seeds, corrected for the finding's comparisons.

    It holds if every difference is in its direction with p < 0.05; it does not hold if any is
    in the other direction with p < 0.05; everything else is undecided, and so is one seed.

    Args:
        finding: what is claimed.
        scores: setting label to measure to one value a seed, in one order of seeds.

    Raises:
        ZooError: a setting or measure that the scores lack, no pairs, or unequal seeds.
    """
    if not finding.higher:
        raise ZooError(f"finding {finding.claim!r} must compare at least one pair, got none.")

    def values(label: str) -> Sequence[float]:
        if label not in scores:
            raise unknown_name("setting", label, scores)
        if finding.measure not in scores[label]:
            raise unknown_name("measure", finding.measure, scores[label])
        return scores[label][finding.measure]

    differences = paired_differences(
        (values(a), [b] * len(values(a)) if isinstance(b, float) else values(b))
        for a, b in finding.higher
    )
    sure = [difference for difference in differences if difference.p_value < SIGNIFICANT]
    says: Literal["holds", "does not hold", "undecided"] = "undecided"
    if any(difference.interval.mean < 0 for difference in sure):
        says = "does not hold"
    elif len(sure) == len(differences):
        says = "holds"
    numbers = ", ".join(
        f"{a} − {b} {difference}"
        for (a, b), difference in zip(finding.higher, differences, strict=True)
    )
    return Verdict(says, f"{finding.claim}: {says} ({finding.measure}: {numbers}).")
