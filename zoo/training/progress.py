"""What a run shows while it goes on."""

import sys
import time
from typing import Any, Protocol

from zoo.errors import require
from zoo.training.history import Epoch


class Progress(Protocol):
    """Is told of a run's progress."""

    def start(self, step: int, total_steps: int) -> None:
        """The run is about to go on from `step` of `total_steps`."""

    def advance(self, step: int, loss: float, accuracy: float) -> None:
        """`step` steps are done; the figures are means over the epoch so far."""

    def end_epoch(self, epoch: Epoch) -> None:
        """An epoch is complete."""

    def close(self) -> None:
        """The run is over."""


class Silent:
    """Shows nothing."""

    def start(self, step: int, total_steps: int) -> None:
        """Nothing."""

    def advance(self, step: int, loss: float, accuracy: float) -> None:
        """Nothing."""

    def end_epoch(self, epoch: Epoch) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Bar:
    """A bar at a terminal, with loss, accuracy and the time left."""

    def __init__(self, label: str, position: int = 0):
        self._tqdm = require("tqdm", "train").tqdm
        self._label, self._position = label, position
        self._validation: dict[str, str] = {}
        self._bar: Any = None

    def start(self, step: int, total_steps: int) -> None:
        """Draws the bar."""
        self._bar = self._tqdm(
            total=total_steps,
            initial=step,
            desc=self._label,
            unit="step",
            position=self._position,
            dynamic_ncols=True,
        )

    def advance(self, step: int, loss: float, accuracy: float) -> None:
        """Moves the bar."""
        figures = {"loss": f"{loss:.4f}", "accuracy": f"{accuracy:.4f}", **self._validation}
        self._bar.set_postfix(figures, refresh=False)
        self._bar.update(step - self._bar.n)

    def end_epoch(self, epoch: Epoch) -> None:
        """Takes over the validation figures."""
        if epoch.val_accuracy is not None:
            self._validation = {"validation": f"{epoch.val_accuracy:.4f}"}

    def close(self) -> None:
        """Leaves the bar as it is; a run may also end before it has one."""
        if self._bar is not None:
            self._bar.close()


class Lines:
    """A line now and then, for output that is not a terminal: a file, a log, a pipe."""

    def __init__(self, label: str, every_seconds: float = 10.0):
        self._label, self._every = label, every_seconds

    def start(self, step: int, total_steps: int) -> None:
        """Starts the clock."""
        self._first_step, self._total = step, total_steps
        self._begun = self._said = time.monotonic()
        self._validation = ""

    def advance(self, step: int, loss: float, accuracy: float) -> None:
        """Writes a line if the last one is old enough, or the run is complete."""
        now = time.monotonic()
        if now - self._said < self._every and step < self._total:
            return
        self._said = now
        per_step = (now - self._begun) / max(step - self._first_step, 1)
        print(
            f"{self._label}: step {step:,} of {self._total:,}, loss {loss:.4f}, "
            f"accuracy {accuracy:.4f}{self._validation}, "
            f"{per_step * (self._total - step):.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    def end_epoch(self, epoch: Epoch) -> None:
        """Takes over the validation figures."""
        if epoch.val_accuracy is not None:
            self._validation = f", validation accuracy {epoch.val_accuracy:.4f}"

    def close(self) -> None:
        """Nothing."""


def shown(label: str, position: int = 0) -> Progress:
    """A bar at a terminal, lines elsewhere."""
    return Bar(label, position) if sys.stderr.isatty() else Lines(label)
