"""Many seeds of one configuration, or of several, in one call."""

import os
from collections.abc import Callable, Generator, Sequence
from typing import Literal

import jax
from flax import nnx

from zoo.data import Split, unit_range
from zoo.errors import ZooError
from zoo.training.config import TrainingConfig
from zoo.training.functions import Augment, Preprocess
from zoo.training.jobs import Job, Trainer
from zoo.training.loop import FitResult
from zoo.training.objective import Classification, Objective
from zoo.training.processes import in_processes
from zoo.training.progress import Silent, shown

How = Literal["auto", "processes", "vmap", "in_turn"]


def fit_seeds(
    create: Callable[..., nnx.Module],
    train: Split,
    *,
    seeds: Sequence[int],
    how: How = "auto",
    validation: Split | None = None,
    config: TrainingConfig = TrainingConfig(),
    objective: Objective = Classification(),
    preprocess: Preprocess = unit_range,
    augment: Augment | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> tuple[FitResult, ...]:
    """Trains one model for each seed and returns all results, in the order of `seeds`.

    Args:
        create: called as `create(rngs=nnx.Rngs(seed))` to make a model.
        train: as in `fit`, like all arguments that are not named here.
        seeds: different whole numbers from 0 on; a seed sets initial weights, dropout, order
            and augmentation.
        how: one of the ways of `fit_jobs`.
        validation: as in `fit`.
        config: as in `fit`.
        objective: as in `fit`.
        preprocess: as in `fit`.
        augment: as in `fit`.
        checkpoints: a folder; each seed (or the vmapped program) has a folder of its own in it,
            and seeds that were complete are not trained again.
        progress: as in `fit`; a bar for each seed.

    Raises:
        ZooError: as `fit`; or a process ended without a result.
    """
    seeds = tuple(seeds)
    job = Job(
        create=create,
        train=train,
        seeds=seeds,
        validation=validation,
        config=config,
        objective=objective,
        preprocess=preprocess,
        augment=augment,
        checkpoints=checkpoints,
    )
    results = {result.seed: result for _, result in fit_jobs([job], how=how, progress=progress)}
    return tuple(results[seed] for seed in seeds)


def fit_jobs(
    jobs: Sequence[Job], *, how: How = "auto", progress: bool = True
) -> Generator[tuple[int, FitResult]]:
    """Trains every seed of every job; yields the place of a job and a result as they are ready.

    Ways to do it, with the same results but for rounding:

    - `processes`: independent processes side by side, each on one core of its own. One takes a
      job, whose program it compiles once, with one seed after the other; then a job that nobody
      has begun; then it helps the others with their seeds. What they are given has to be
      importable or picklable (a function of a module, a `functools.partial` of one), and a script
      has to call this under `if __name__ == "__main__":`.
    - `vmap`: all seeds of a job in one compiled program, and job after job.
    - `in_turn`: one after the other, with all cores. Where they share each batch (`split_cpu`) that
      can be the faster way: five seeds of mnist_lstm for 600 steps took 20 s on two cores, and 25
      in processes.
    - `auto`: `vmap` on an accelerator; on a CPU `processes`, or `in_turn` for a single run.

    Args:
        jobs: what to train.
        how: one of the ways above.
        progress: as in `fit`; a bar for each run.

    Raises:
        ZooError: as `fit`, with the label of the job; or a process ended without a result.
    """
    if how not in ("auto", "processes", "vmap", "in_turn"):
        raise ZooError(f"how must be 'auto', 'processes', 'vmap' or 'in_turn', got {how!r}.")
    if how == "auto":
        on_cpu = jax.default_backend() == "cpu"
        runs = sum(len(job.seeds) for job in jobs)
        how = "vmap" if not on_cpu else "processes" if runs > 1 else "in_turn"
    if how == "processes":
        return in_processes(jobs, progress)
    return _in_this_process(jobs, how == "vmap", progress)


def _in_this_process(
    jobs: Sequence[Job], together: bool, progress: bool
) -> Generator[tuple[int, FitResult]]:
    for number, job in enumerate(jobs):
        trainer = Trainer(job)
        for seeds in [tuple(job.seeds)] if together else [(seed,) for seed in job.seeds]:
            shows = shown(job.name(seeds)) if progress else Silent()
            for result in trainer.train(seeds, shows):
                yield number, result
