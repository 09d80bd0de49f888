"""Training: the loop around the compiled program."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.data import Split, unit_range
from zoo.errors import ZooError
from zoo.training.checkpoints import Checkpoints
from zoo.training.checks import check_run, check_seeds
from zoo.training.config import TrainingConfig
from zoo.training.functions import Augment, Preprocess, described
from zoo.training.history import Epoch, History
from zoo.training.objective import Classification, Objective
from zoo.training.program import NEVER, Program, TrainingState, keys_of
from zoo.training.progress import Progress, Silent, shown

# A call of the program should last about this long: short enough for a lively progress bar,
# long enough that the way there and back does not count.
_SECONDS_PER_CALL = 0.5
# Options with which a run is still the same one.
_NOT_OF_A_RUN = ("checkpoint_seconds", "devices")


class NonFiniteLossError(ZooError):
    """Training was stopped because its loss was infinite or not a number."""


@dataclass(frozen=True)
class FitResult:
    """A trained model, and how it came about.

    Args:
        seed: of order and augmentation.
        model: in evaluation mode, with the last weights, or with the best ones if the run was
            asked to stop early.
        history: one row an epoch.
        compile_seconds: spent on compiling the training program (0 for a run that was complete
            already, or whose program an earlier seed had compiled).
        stopped_early: whether validation stopped the run before its last epoch.
    """

    seed: int
    model: nnx.Module
    history: History
    compile_seconds: float
    stopped_early: bool


def fit(
    model: nnx.Module,
    train: Split,
    *,
    validation: Split | None = None,
    config: TrainingConfig = TrainingConfig(),
    seed: int = 0,
    objective: Objective = Classification(),
    preprocess: Preprocess = unit_range,
    augment: Augment | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> FitResult:
    """Trains a copy of `model`, as a classifier unless another `objective` is given.

    Every epoch is a new random order of the examples; what does not fill a last batch sits out
    that epoch. The whole run is a function of its arguments: the same ones on the same machine
    give the same bits, whether or not the run was killed and continued in between.

    Args:
        model: any NNX module that takes a batch and returns logits `[B, classes]`.
        train: examples `[N, ...]` and labels `[N]` (or what the objective takes), kept on the
            device as they are.
        validation: looked at after each epoch.
        config: what to do.
        seed: of order and augmentation; initial weights and dropout come with `model`.
        objective: what the model is trained for: `Classification()`, and for several labels an
            example `IndependentLabels()` or `LabelPaths.of(train.y)`.
        preprocess: makes what the model takes of a batch; the default scales bytes to
            between 0 and 1.
        augment: `(key, batch [B, ...]) -> [k · B, ...]`, applied before `preprocess`: a version
            of the batch, or k of them one after the other (see `zoo.data.in_copies`).
        checkpoints: a folder for states to continue from; None writes none.
        progress: whether a bar (or, where there is no terminal, a line now and then) is shown.

    Returns:
        The trained copy with its history.

    Raises:
        ZooError: data, model and options do not fit together, or the checkpoints are of
            another run.
        NonFiniteLossError: the loss was infinite or not a number; the message has the step and
            the last good checkpoint.
    """
    check_seeds((seed,))
    program = make_program(
        model,
        train,
        validation=validation,
        config=config,
        objective=objective,
        preprocess=preprocess,
        augment=augment,
    )
    bar = shown(f"seed {seed}") if progress else Silent()
    (result,) = run_program(program, [model], (seed,), checkpoints, bar)
    return result


def make_program(
    model: nnx.Module,
    train: Split,
    *,
    validation: Split | None,
    config: TrainingConfig,
    objective: Objective,
    preprocess: Preprocess,
    augment: Augment | None,
    several: bool = False,
) -> Program:
    """The program that trains models like `model`, one seed at a time or `several` at once.

    Raises:
        ZooError: data, model and options do not fit together.
    """
    check_run(model, train, validation, config, objective, preprocess, augment)
    return Program(
        model,
        train,
        validation,
        config,
        several=several,
        objective=objective,
        preprocess=preprocess,
        augment=augment,
    )


def run_program(
    program: Program,
    models: Sequence[nnx.Module],
    seeds: tuple[int, ...],
    checkpoints: str | os.PathLike[str] | None,
    progress: Progress,
) -> tuple[FitResult, ...]:
    """Trains copies of the models, one a seed, with a program that was made for models like them.

    Arguments and errors as in `fit`.
    """
    run = _Run(program, models, seeds, checkpoints)
    try:
        run.to_the_end(progress)
        return run.results()
    finally:
        progress.close()
        run.close()


class _Run:
    """One call of `run_program`: the state on the device and the notes on the host."""

    def __init__(
        self,
        program: Program,
        models: Sequence[nnx.Module],
        seeds: tuple[int, ...],
        checkpoints: str | os.PathLike[str] | None,
    ):
        self._program, self._config, self._seeds = program, program.config, seeds
        self._keys = keys_of(seeds)
        self._state: TrainingState = program.initial_state(list(models))
        self._compile_seconds = 0.0
        # The notes: all that a state on the device does not say, and JSON can hold.
        self._step = 0
        self._histories: list[list[Epoch]] = [[] for _ in seeds]
        self._stopped = [False for _ in seeds]
        self._epoch_seconds = self._epoch_program_seconds = 0.0
        self._checkpoints = None
        if checkpoints is not None:
            about = {
                "model": f"{type(models[0]).__name__} {getattr(models[0], 'config', '')}",
                # The number of devices changes a run by rounding alone: another machine may go on.
                **{k: v for k, v in asdict(program.config).items() if k not in _NOT_OF_A_RUN},
                "seeds": list(seeds),
                **program.digests,
                "objective": repr(program.objective),
                "preprocess": described(program.preprocess),
                "augment": described(program.augment),
            }
            self._checkpoints = Checkpoints(checkpoints, about)
            restored = self._checkpoints.restore(self._state)
            if restored is not None:
                self._state, notes = restored
                self._take(notes)
        self._saved_at = time.monotonic()
        self._clock = time.perf_counter()

    def close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.close()

    def to_the_end(self, progress: Progress) -> None:
        program = self._program
        if not self._complete() and not program.compiled:
            begun = time.perf_counter()
            program.compile(self._state, self._keys)
            self._compile_seconds = time.perf_counter() - begun
        progress.start(self._step, program.total_steps)
        steps_per_call = 1
        while not self._complete():
            self._clock = time.perf_counter()
            epoch = self._step // program.steps_per_epoch
            end = min((epoch + 1) * program.steps_per_epoch, program.total_steps)
            order = program.order_of_epoch(self._keys, epoch)
            while self._step < end:
                begun = time.perf_counter()
                steps = min(steps_per_call, end - self._step)
                self._state = program.run(self._state, self._keys, order, steps)
                loss, accuracy = self._figures()
                self._step += steps
                seconds = time.perf_counter() - begun
                self._epoch_program_seconds += seconds
                steps_per_call = max(1, round(steps * min(_SECONDS_PER_CALL / seconds, 8)))
                progress.advance(self._step, float(np.mean(loss)), float(np.mean(accuracy)))
                if self._step < end:
                    self._save_now_and_then()
            self._end_epoch(epoch, progress)
            self._save_now_and_then()
        self._save()

    def _complete(self) -> bool:
        return self._step >= self._program.total_steps or all(self._stopped)

    def _figures(self) -> tuple[np.ndarray, np.ndarray]:
        """Loss and accuracy of the epoch so far, for each seed; waits for the device."""
        totals, first_bad_step = jax.device_get((self._state.totals, self._state.first_bad_step))
        if (first_bad_step != NEVER).any():
            worst = int(np.argmin(first_bad_step))
            newest = "none was asked for" if not self._checkpoints else self._checkpoints.newest()
            raise NonFiniteLossError(
                f"the loss of seed {self._seeds[worst]} was infinite or not a number at step "
                f"{int(first_bad_step[worst])} (counted from 0). Last good checkpoint: {newest}. "
                "Try a lower learning_rate, a warmup, or clip_norm."
            )
        return totals.loss / totals.steps, totals.correct / (
            totals.steps * self._program.rows_per_step
        )

    def _end_epoch(self, epoch: int, progress: Progress) -> None:
        loss, accuracy = self._figures()
        val_loss = val_accuracy = None
        validation = self._program.validation
        if validation is not None:
            begun = time.perf_counter()
            means, correct = jax.device_get(self._program.evaluate(self._state.weights))
            val_loss, val_accuracy = means, correct / len(validation.y)
            self._epoch_program_seconds += time.perf_counter() - begun
        now = time.perf_counter()
        for i, history in enumerate(self._histories):
            if not self._stopped[i]:
                history.append(
                    Epoch(
                        epoch=epoch + 1,
                        step=self._step,
                        loss=float(loss[i]),
                        accuracy=float(accuracy[i]),
                        val_loss=None if val_loss is None else float(val_loss[i]),
                        val_accuracy=None if val_accuracy is None else float(val_accuracy[i]),
                        seconds=self._epoch_seconds + now - self._clock,
                        program_seconds=self._epoch_program_seconds,
                    )
                )
        self._epoch_seconds = self._epoch_program_seconds = 0.0
        self._clock = now
        self._state = self._program.start_epoch(self._state)
        self._stop_early()
        progress.end_epoch(self._histories[0][-1])

    def _stop_early(self) -> None:
        """Keeps the weights of the seeds that have improved, and stops those that waited enough."""
        patience = self._config.patience
        if patience is None:
            return
        best_epochs = [self._best_epoch(history) for history in self._histories]
        improved = [
            not stopped and best == history[-1].epoch
            for stopped, best, history in zip(
                self._stopped, best_epochs, self._histories, strict=True
            )
        ]
        self._state = self._program.keep_best(self._state, jnp.asarray(improved))
        for i, history in enumerate(self._histories):
            self._stopped[i] |= history[-1].epoch - best_epochs[i] >= patience

    def _best_epoch(self, history: Sequence[Epoch]) -> int:
        """The first of the epochs with the lowest validation loss or the highest accuracy."""
        if self._config.monitor == "loss":
            return min(history, key=lambda epoch: epoch.val_loss or 0.0).epoch
        return max(history, key=lambda epoch: epoch.val_accuracy or 0.0).epoch

    def results(self) -> tuple[FitResult, ...]:
        weights = self._state.weights if self._state.best is None else self._state.best
        return tuple(
            FitResult(
                seed=seed,
                model=self._program.model_with(weights, i),
                history=tuple(self._histories[i]),
                compile_seconds=self._compile_seconds,
                stopped_early=self._histories[i][-1].step < self._program.total_steps,
            )
            for i, seed in enumerate(self._seeds)
        )

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved_at >= self._config.checkpoint_seconds:
            self._save()

    def _save(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.save(self._step, self._state, self._notes())
        self._saved_at = time.monotonic()

    def _notes(self) -> dict[str, Any]:
        return {
            "step": self._step,
            "histories": [[asdict(epoch) for epoch in history] for history in self._histories],
            "stopped": self._stopped,
            "epoch_seconds": self._epoch_seconds + time.perf_counter() - self._clock,
            "epoch_program_seconds": self._epoch_program_seconds,
        }

    def _take(self, notes: dict[str, Any]) -> None:
        self._step = notes["step"]
        self._histories = [[Epoch(**row) for row in history] for history in notes["histories"]]
        self._stopped = notes["stopped"]
        self._epoch_seconds = notes["epoch_seconds"]
        self._epoch_program_seconds = notes["epoch_program_seconds"]
