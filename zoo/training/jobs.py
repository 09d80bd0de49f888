"""What is to be trained: one configuration with many seeds."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flax import nnx

from zoo.data import Split, unit_range
from zoo.errors import ZooError
from zoo.training.checks import check_seeds
from zoo.training.config import TrainingConfig
from zoo.training.functions import Augment, Preprocess
from zoo.training.loop import FitResult, make_program, run_program
from zoo.training.objective import Classification, Objective
from zoo.training.program import Program
from zoo.training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Job:
    """One configuration and the seeds to train it with; see `fit_seeds` for all but the label.

    Args:
        label: what progress and errors call it.
    """

    create: Callable[..., nnx.Module]
    train: Split
    seeds: Sequence[int]
    validation: Split | None = None
    config: TrainingConfig = TrainingConfig()
    objective: Objective = Classification()
    preprocess: Preprocess = unit_range
    augment: Augment | None = None
    checkpoints: str | os.PathLike[str] | None = None
    label: str = ""

    def __post_init__(self) -> None:
        check_seeds(tuple(self.seeds))

    def name(self, seeds: Sequence[int]) -> str:
        """What progress and errors call the run of these seeds."""
        first, last = min(seeds), max(seeds)
        name = f"seed {first}" if len(seeds) == 1 else f"seeds {first} to {last}"
        return f"{self.label}, {name}" if self.label else name


class Trainer:
    """Trains the seeds of a job, always as many at a time, with the program of the first ones."""

    def __init__(self, job: Job):
        self._job = job
        self._program: Program | None = None

    def train(self, seeds: tuple[int, ...], progress: Progress) -> tuple[FitResult, ...]:
        """One result a seed. The seeds of a call are in one program."""
        job, folder = self._job, "seed-" + "-".join(map(str, seeds))
        with _named(job, seeds):
            models = [job.create(rngs=nnx.Rngs(seed)) for seed in seeds]
            if self._program is None:
                self._program = make_program(
                    models[0],
                    job.train,
                    validation=job.validation,
                    config=job.config,
                    objective=job.objective,
                    preprocess=job.preprocess,
                    augment=job.augment,
                    several=len(seeds) > 1,
                )
            checkpoints = None if job.checkpoints is None else Path(job.checkpoints) / folder
            return run_program(self._program, models, seeds, checkpoints, progress)


@contextmanager
def _named(job: Job, seeds: Sequence[int]) -> Iterator[None]:
    """Lets an error say which of several jobs it is of."""
    try:
        yield
    except ZooError as error:
        if job.label:
            error.args = (f"{job.name(seeds)}: {error}",)
        raise
