"""Many seeds of one configuration in one call."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from pickle import PicklingError
from typing import Any, Literal, cast

import jax
from flax import nnx

from zoo.data import Split, unit_range
from zoo.errors import ZooError
from zoo.training.arrays import named_arrays, with_arrays
from zoo.training.checks import check_seeds
from zoo.training.config import TrainingConfig
from zoo.training.functions import Augment, Preprocess
from zoo.training.history import Epoch
from zoo.training.loop import FitResult, make_program, run_program
from zoo.training.objective import Classification, Objective
from zoo.training.program import Program
from zoo.training.progress import Progress, Silent, shown

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

    Ways to do it, with the same results but for rounding:

    - `processes`: independent processes side by side, each on one core of its own and with one
      seed after the other. What they are given has to be importable or picklable (a function of a
      module, a `functools.partial` of one), and a script has to call this under
      `if __name__ == "__main__":`.
    - `vmap`: all seeds in one compiled program.
    - `in_turn`: one after the other, with all cores.
    - `auto`: `vmap` on an accelerator; on a CPU `processes`, or `in_turn` for a single seed.

    Args:
        create: called as `create(rngs=nnx.Rngs(seed))` to make a model.
        train: as in `fit`, like all arguments that are not named here.
        seeds: different whole numbers from 0 on; a seed sets initial weights, dropout, order
            and augmentation.
        how: one of the ways above.
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
    check_seeds(seeds)
    if how not in ("auto", "processes", "vmap", "in_turn"):
        raise ZooError(f"how must be 'auto', 'processes', 'vmap' or 'in_turn', got {how!r}.")
    if how == "auto":
        on_cpu = jax.default_backend() == "cpu"
        how = "vmap" if not on_cpu else "processes" if len(seeds) > 1 else "in_turn"
    job = _Job(create, train, validation, config, objective, preprocess, augment, checkpoints)
    if how == "vmap":
        name = f"{min(seeds)} to {max(seeds)}" if len(seeds) > 1 else f"{seeds[0]}"
        return _Trainer(job).train(seeds, shown(f"seeds {name}") if progress else Silent())
    if how == "in_turn":
        trainer = _Trainer(job)
        return tuple(
            trainer.train((seed,), shown(f"seed {seed}") if progress else Silent())[0]
            for seed in seeds
        )
    return _in_processes(job, seeds, progress)


@dataclass(frozen=True)
class _Job:
    """All of a run but its seeds."""

    create: Callable[..., nnx.Module]
    train: Split
    validation: Split | None
    config: TrainingConfig
    objective: Objective
    preprocess: Preprocess
    augment: Augment | None
    checkpoints: str | os.PathLike[str] | None


class _Trainer:
    """Trains the seeds of a job, always as many at a time, with the program of the first ones."""

    def __init__(self, job: _Job):
        self._job = job
        self._program: Program | None = None

    def train(self, seeds: tuple[int, ...], progress: Progress) -> tuple[FitResult, ...]:
        job, folder = self._job, "seed-" + "-".join(map(str, seeds))
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


def _in_processes(job: _Job, seeds: tuple[int, ...], progress: bool) -> tuple[FitResult, ...]:
    """As many processes side by side as there are cores; each asks for seed after seed."""
    context = multiprocessing.get_context("spawn")
    waiting = list(seeds)
    running: dict[Connection, _Worker] = {}
    results: dict[int, FitResult] = {}

    def give_next_seed(connection: Connection, process: Any) -> None:
        if waiting:
            seed = waiting.pop(0)
            bar = shown(f"seed {seed}", seeds.index(seed)) if progress else Silent()
            running[connection] = _Worker(process, seed, bar)
            connection.send(seed)
        else:
            del running[connection]
            connection.close()  # which ends the process

    try:
        for core in _cores()[: len(seeds)]:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(job, core, theirs), daemon=True)
            try:
                process.start()
            except (AttributeError, TypeError, PicklingError) as error:
                raise ZooError(
                    "create, preprocess and augment must be functions of a module, or a "
                    f"functools.partial of one, to be sent to another process: {error}. Or "
                    "use how='in_turn'."
                ) from error
            theirs.close()
            give_next_seed(ours, process)
        while running:
            for connection in cast("list[Connection]", wait(list(running))):
                worker = running[connection]
                try:
                    kind, content = connection.recv()
                except (EOFError, ConnectionResetError):
                    worker.process.join()
                    raise ZooError(
                        f"the process of seed {worker.seed} ended without a result (exit code "
                        f"{worker.process.exitcode}). A script that calls fit_seeds must do so "
                        "under if __name__ == '__main__':; a process killed for lack of memory "
                        "is helped by how='in_turn'. Finished seeds are not trained again where "
                        "checkpoints are kept."
                    ) from None
                if kind == "error":
                    raise content
                if kind != "result":
                    getattr(worker.progress, kind)(*content)
                    continue
                arrays, result = content
                model = job.create(rngs=nnx.Rngs(worker.seed))
                model.eval()
                graphdef, state = nnx.split(model)
                model = nnx.merge(graphdef, with_arrays(state, arrays))
                results[worker.seed] = replace(result, model=model)
                give_next_seed(connection, worker.process)
    finally:
        for worker in running.values():
            worker.process.kill()
            worker.progress.close()
    return tuple(results[seed] for seed in seeds)


@dataclass(frozen=True)
class _Worker:
    process: Any
    seed: int
    progress: Progress


class _Sent:
    """Progress that is told to the parent process."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def start(self, step: int, total_steps: int) -> None:
        self._connection.send(("start", (step, total_steps)))

    def advance(self, step: int, loss: float, accuracy: float) -> None:
        self._connection.send(("advance", (step, loss, accuracy)))

    def end_epoch(self, epoch: Epoch) -> None:
        self._connection.send(("end_epoch", (epoch,)))

    def close(self) -> None:
        self._connection.send(("close", ()))


def _work(job: _Job, core: int, connection: Connection) -> None:
    """The life of one process, until no seed comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends this one
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    if hasattr(os, "sched_setaffinity"):
        # Before JAX starts its threads: one core each wastes less than sharing all.
        os.sched_setaffinity(0, {core})
    try:
        trainer = _Trainer(job)
        while True:
            seed = connection.recv()
            (result,) = trainer.train((seed,), _Sent(connection))
            arrays = named_arrays(nnx.state(result.model))
            connection.send(("result", (arrays, replace(result, model=nnx.Module()))))
    except EOFError:
        pass
    except Exception as error:
        connection.send(("error", error))


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
