"""What the zoo sets out to reach on two cores of a CPU: its time over a peer's.

Set before anything was built, from what the peers took then; a case that is not here has none.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.results import CaseResult, Results

# Our time over the best peer's of the same run.
TRAIN: Mapping[str, float] = {
    "fashion_mnist_lstm": 0.5,
    "mnist_lstm": 0.9,
    "text_lstm": 0.7,
    "text_rnn": 0.7,
    "ecrnn": 0.4,
    "fashion_mnist_cnn": 0.8,
    "cifar10_cnn": 1.0,
}
PREDICT = 0.9  # each of these models
# Over PyTorch's, forward and gradient.
LAYERS: Mapping[str, float] = {"simple_rnn": 0.7, "gru": 0.7, "gru_rows": 0.7}
# Five seeds at once over one of them.
SEEDS: Mapping[str, float] = {"cpu": 3.5, "gpu": 1.5}


class Comparison(NamedTuple):
    """One target and what was measured.

    Args:
        case: whose target it is.
        measure: what was timed.
        against: the participant that is compared with; ours for one seed against five.
        ours: our milliseconds.
        theirs: the milliseconds of `against`.
        target: the ratio of the two to reach.
    """

    case: CaseResult
    measure: str
    against: str
    ours: float
    theirs: float
    target: float

    @property
    def ratio(self) -> float:
        """Below 1 is faster."""
        return self.ours / self.theirs

    @property
    def reached(self) -> bool:
        """Whether the ratio is low enough."""
        return self.ratio <= self.target


def comparisons(results: Results) -> Iterator[Comparison]:
    """Every target for which there are times."""
    for case in results.cases.values():
        ours = case.entries["zoo"]
        if case.group == "seeds" and results.device in SEEDS:
            five, one = ours.median("five seeds"), ours.median("one seed")
            if five is not None and one is not None:
                yield Comparison(case, "five seeds", "zoo", five, one, SEEDS[results.device])
        if results.device != "cpu":
            continue
        for measure in case.measures:
            mine, peer = ours.median(measure), _peer(case, measure)
            target = _target(case.case, measure)
            if mine is not None and peer is not None and target is not None:
                yield Comparison(case, measure, peer[0], mine, peer[1], target)


def _target(case: str, measure: str) -> float | None:
    if case in TRAIN:
        return TRAIN[case] if measure == "train" else PREDICT
    return LAYERS.get(case)


def _peer(case: CaseResult, measure: str) -> tuple[str, float] | None:
    """PyTorch for a layer, else the best."""
    if case.case not in LAYERS:
        return case.best_peer(measure)
    entry = case.entries.get("torch")
    median = None if entry is None else entry.median(measure)
    return None if median is None else ("torch", median)
