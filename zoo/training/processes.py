"""Runs side by side: a process for each core, which trains one run after the other."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pickle import PicklingError
from typing import Any, cast

from flax import nnx

from zoo.errors import ZooError
from zoo.training.arrays import named_arrays, with_arrays
from zoo.training.devices import cores
from zoo.training.history import Epoch
from zoo.training.jobs import Job, Trainer
from zoo.training.loop import FitResult
from zoo.training.progress import Progress, Silent, shown


def in_processes(jobs: Sequence[Job], progress: bool) -> Generator[tuple[int, FitResult]]:
    """Results as they come; closing the generator ends the processes."""
    context = multiprocessing.get_context("spawn")
    schedule = _Schedule(jobs)
    running: dict[Connection, _Run] = {}

    def start_next(connection: Connection, process: Any, place: int, before: int | None) -> None:
        following = schedule.next(before)
        if following is None:
            running.pop(connection, None)
            connection.close()  # which ends the process
            return
        number, seed = following
        bar = shown(jobs[number].name((seed,)), place) if progress else Silent()
        running[connection] = _Run(process, place, number, seed, bar)
        try:
            connection.send((None if number == before else jobs[number], seed))
        except (AttributeError, TypeError, PicklingError) as error:
            raise ZooError(
                "create, preprocess and augment must be functions of a module, or a "
                f"functools.partial of one, to be sent to another process: {error}. Or "
                "use how='in_turn'."
            ) from error
        except ConnectionError:
            raise ended_early(running[connection]) from None

    def ended_early(run: _Run) -> ZooError:
        run.process.join()
        return ZooError(
            f"the process of {jobs[run.job].name((run.seed,))} ended without a result (exit code "
            f"{run.process.exitcode}). A script that trains in processes must do so under "
            "if __name__ == '__main__':; a process killed for lack of memory is helped by "
            "how='in_turn'. Finished seeds are not trained again where checkpoints are kept."
        )

    try:
        for place, core in enumerate(cores()[: sum(len(job.seeds) for job in jobs)]):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(core, theirs), daemon=True)
            process.start()
            theirs.close()
            start_next(ours, process, place, None)
        while running:
            for connection in cast("list[Connection]", wait(list(running))):
                run = running[connection]
                try:
                    kind, content = connection.recv()
                except (EOFError, ConnectionError):
                    raise ended_early(run) from None
                if kind == "error":
                    raise content
                if kind != "result":
                    getattr(run.progress, kind)(*content)
                    continue
                start_next(connection, run.process, run.place, run.job)
                arrays, result = content
                model = jobs[run.job].create(rngs=nnx.Rngs(run.seed))
                model.eval()
                graphdef, state = nnx.split(model)
                model = nnx.merge(graphdef, with_arrays(state, arrays))
                yield run.job, replace(result, model=model)
    finally:
        for run in running.values():
            run.process.kill()
            run.progress.close()


class _Schedule:
    """Deals out runs so that no core waits, and few processes compile the same program."""

    def __init__(self, jobs: Sequence[Job]):
        self._waiting = [list(job.seeds) for job in jobs]
        self._begun: set[int] = set()

    def next(self, before: int | None) -> tuple[int, int] | None:
        """The job and seed for a process that has just trained a seed of job `before`.

        Another seed of that job; or a job that nobody has begun; or a seed of the job with most
        of them left.
        """
        left = [number for number, seeds in enumerate(self._waiting) if seeds]
        if not left:
            return None
        if before in left:
            number = before
        else:
            fresh = [number for number in left if number not in self._begun]
            number = fresh[0] if fresh else max(left, key=lambda job: len(self._waiting[job]))
        self._begun.add(number)
        return number, self._waiting[number].pop(0)


@dataclass(frozen=True)
class _Run:
    process: Any
    place: int
    job: int
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


def _work(core: int, connection: Connection) -> None:
    """The life of one process, until no run comes any more."""
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
        while True:
            job, seed = connection.recv()
            if job is not None:  # else another seed of the one before
                trainer = Trainer(job)
            (result,) = trainer.train((seed,), _Sent(connection))
            arrays = named_arrays(nnx.state(result.model))
            connection.send(("result", (arrays, replace(result, model=nnx.Module()))))
    except EOFError:
        pass
    except Exception as error:
        connection.send(("error", error))
