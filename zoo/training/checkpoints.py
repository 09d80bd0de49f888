"""Training states on disk, written by Orbax."""

import gc
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, require
from zoo.training.arrays import digest, named_arrays, with_arrays

_log = logging.getLogger("zoo")


class Checkpoints:
    """The newest two states of one run, in a folder.

    Orbax writes a state beside its final place and renames it, so a kill leaves the older ones
    whole. A digest of the arrays is kept with them: a damaged state is noticed, said,
    set aside under another name, and passed over for the one before it.

    Args:
        folder: a path; made when it does not exist.
        run: what the states belong to, as names and values that JSON can hold. A state of
            another run is refused.

    Raises:
        ZooError: the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], run: Mapping[str, Any]):
        self._orbax = require("orbax.checkpoint", "train")
        self.folder = Path(folder).absolute()
        self._run = json.loads(json.dumps(run))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove_halves()
            self._manager = self._orbax.CheckpointManager(
                self.folder,
                options=self._orbax.CheckpointManagerOptions(
                    max_to_keep=2, enable_async_checkpointing=False
                ),
            )
        except OSError as error:
            raise ZooError(f"checkpoints cannot be written to {folder}: {error}.") from error

    def save(self, step: int, state: Any, notes: Mapping[str, Any]) -> None:
        """Writes `state` and `notes` (which JSON can hold); a step is written once only."""
        if step in self._manager.all_steps():
            return
        arrays = named_arrays(state)
        about = {"run": self._run, "digest": digest(arrays), "notes": dict(notes)}
        args = self._orbax.args
        parts = args.Composite(state=args.StandardSave(arrays), about=args.JsonSave(about))
        try:
            with _without_echoes():
                self._manager.save(step, args=parts)
        except (OSError, ValueError) as error:  # Orbax has a full disk as the one or the other
            self._remove_halves()
            raise ZooError(
                f"the checkpoint of step {step} cannot be written to {self.folder}: "
                f"{_in_short(error)}."
            ) from error

    def restore(self, template: Any) -> tuple[Any, dict[str, Any]] | None:
        """The newest whole state and its notes, or None where there is none.

        Args:
            template: a state of the same structure, whose values do not matter.

        Raises:
            ZooError: the newest whole state is of another run (the message says what differs), or
                a damaged one cannot be set aside.
        """
        for step in sorted(self._manager.all_steps(), reverse=True):
            with _without_echoes():
                stored = self._read(step)
                gc.collect()  # the errors of further reads are logged when they are collected
            if isinstance(stored, str):
                aside = self._set_aside(step)
                _log.warning(
                    "The checkpoint of step %d in %s is damaged and left out: %s. "
                    "It is kept as %s.",
                    *(step, self.folder, stored, aside.name),
                )
                continue
            arrays, about = stored
            self._check_same("run", about["run"], self._run)
            self._check_same("model", _forms(arrays), _forms(named_arrays(template)))
            return with_arrays(template, arrays), about["notes"]
        return None

    def _read(self, step: int) -> tuple[dict[str, Any], dict[str, Any]] | str:
        """The arrays of a state and what was saved about it; or how it is damaged."""
        args = self._orbax.args
        parts = args.Composite(state=args.StandardRestore(), about=args.JsonRestore())
        try:
            stored = self._manager.restore(step, args=parts)
            arrays, about = stored["state"], stored["about"]
            if {"run", "notes"} - about.keys() or digest(arrays) != about["digest"]:
                return "its arrays are not the ones that were written"
        except Exception as error:  # a damaged file can fail in any way
            return _in_short(error)
        return arrays, about

    def _set_aside(self, step: int) -> Path:
        """Renames a damaged state, which may be whole after all if what failed was the reading."""
        aside = self.folder / f"{step}.damaged"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            (self.folder / str(step)).rename(aside)
        except OSError as error:
            raise ZooError(
                f"the damaged checkpoint of step {step} in {self.folder} cannot be renamed to "
                f"{aside.name}: {error}. Move or remove it to go on from the one before it."
            ) from error
        self._manager.reload()
        return aside

    def _remove_halves(self) -> None:
        """Removes what a kill or a full disk has left of a state that was being written."""
        for half in self.folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(half, ignore_errors=True)

    def newest(self) -> str:
        """Where the newest state is, in words."""
        step = self._manager.latest_step()
        return "none was written" if step is None else f"step {step} in {self.folder}"

    def close(self) -> None:
        """Releases Orbax's resources."""
        self._manager.close()

    def _check_same(self, what: str, stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        differences = [
            f"{name} was {stored.get(name)!r} and is now {now.get(name)!r}"
            for name in sorted({*stored, *now})
            if stored.get(name) != now.get(name)
        ]
        if differences:
            more = f"; and {len(differences) - 5} more" if len(differences) > 5 else ""
            raise ZooError(
                f"the checkpoints in {self.folder} are of another {what}: "
                f"{'; '.join(differences[:5])}{more}. Use the same options to continue it, or "
                "another folder."
            )


def _forms(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Type and shape of each array."""
    return {name: f"{array.dtype} of shape {array.shape}" for name, array in arrays.items()}


def _in_short(error: Exception) -> str:
    return str(error).split("\n")[0][:200].rstrip(".")


@contextmanager
def _without_echoes() -> Iterator[None]:
    """Keeps Orbax from logging the error that it raises, and others that failed along with it."""
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
