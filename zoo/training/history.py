"""What a run looked like, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Epoch:
    """One epoch: means over its training steps, and validation after it.

    `loss` is the objective, penalties included, while the weights moved; `val_loss` is the
    plain loss of the weights at the end. Without validation those fields are None.
    `seconds` is the wall time of the epoch, compiling apart, and `program_seconds` the part of
    it spent in compiled programs.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float
    program_seconds: float


History = tuple[Epoch, ...]


def columns(history: Sequence[Epoch]) -> dict[str, list[float]]:
    """A history as named columns, without those that are empty."""
    rows = [asdict(epoch) for epoch in history]
    names = [field.name for field in fields(Epoch)]
    return {
        name: [row[name] for row in rows]
        for name in names
        if all(row[name] is not None for row in rows)
    }
