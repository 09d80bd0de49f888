"""InterruptedRunError runs, damaged files, and processes that are killed."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from zoo.data import Split, unit_range
from zoo.errors import ZooError
from zoo.models import weights_of
from zoo.training import TrainingConfig, fit
from zoo.training.checkpoints import Checkpoints

from .conftest import Tiny, noise

CONFIG = TrainingConfig(
    epochs=6, batch_size=10, learning_rate=0.02, patience=5, checkpoint_seconds=0
)


class InterruptedRunError(Exception):
    """Stands for whatever ends a process in the middle of an epoch."""


def run(model, train, validation, folder, config=CONFIG):
    return fit(
        model,
        train,
        validation=validation,
        config=config,
        augment=noise,
        checkpoints=folder,
        progress=False,
    )


def figures(result):
    """All of a history but the seconds."""
    return [
        (e.epoch, e.step, e.loss, e.accuracy, e.val_loss, e.val_accuracy) for e in result.history
    ]


def assert_same(one, other):
    assert figures(one) == figures(other)
    expected = weights_of(one.model)
    for name, value in weights_of(other.model).items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.fixture(scope="module")
def whole(train, validation, tmp_path_factory):
    return run(Tiny(rngs=nnx.Rngs(0)), train, validation, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("calls", [1, 4, 9, 23])
def test_a_run_that_is_continued_has_the_same_bits(
    model, train, validation, whole, tmp_path, monkeypatch, calls
):
    monkeypatch.setattr("zoo.training.loop._SECONDS_PER_CALL", 0.0)  # one step a call
    from zoo.training.program import Program

    train_on, count = Program.run, 0

    def interrupted(self, *call):
        nonlocal count
        count += 1
        if count > calls:
            raise InterruptedRunError
        return train_on(self, *call)

    monkeypatch.setattr(Program, "run", interrupted)
    with pytest.raises(InterruptedRunError):
        run(model, train, validation, tmp_path)
    monkeypatch.setattr(Program, "run", train_on)
    assert_same(whole, run(model, train, validation, tmp_path))


def test_a_complete_run_is_not_trained_again(model, train, validation, tmp_path, monkeypatch):
    first = run(model, train, validation, tmp_path)
    monkeypatch.setattr("zoo.training.program.Program.run", None)
    again = run(model, train, validation, tmp_path)
    assert_same(first, again)
    assert again.compile_seconds == 0
    assert [e.seconds for e in again.history] == [e.seconds for e in first.history]


def largest_file(folder: Path) -> Path:
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    """What is left of a file that was not on the disk yet when the power failed."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit, Path.unlink])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    model, train, validation, whole, tmp_path, caplog, damage
):
    run(model, train, validation, tmp_path)
    kept = sorted(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit())
    assert len(kept) == 2
    damage(largest_file(tmp_path / str(kept[-1]) / "state"))
    assert_same(whole, run(model, train, validation, tmp_path))
    (message,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert f"The checkpoint of step {kept[-1]} in {tmp_path} is damaged and left out" in message
    assert message.endswith(f"It is kept as {kept[-1]}.damaged.")
    assert (tmp_path / f"{kept[-1]}.damaged" / "state").is_dir()


def test_a_damaged_checkpoint_that_cannot_be_set_aside_is_said(model, train, validation, tmp_path):
    run(model, train, validation, tmp_path)
    newest = max(int(p.name) for p in tmp_path.iterdir() if p.name.isdigit())
    truncate(largest_file(tmp_path / str(newest) / "state"))
    in_the_way = tmp_path / f"{newest}.damaged"
    in_the_way.write_text("a file")
    with pytest.raises(
        ZooError, match=f"step {newest} in .* cannot be renamed to {newest}.damaged"
    ):
        run(model, train, validation, tmp_path)
    assert (tmp_path / str(newest)).is_dir()
    in_the_way.unlink()
    run(model, train, validation, tmp_path)


def test_when_all_are_damaged_the_run_starts_anew(
    model, train, validation, whole, tmp_path, caplog
):
    run(model, train, validation, tmp_path)
    for checkpoint in [p for p in tmp_path.iterdir() if p.name.isdigit()]:
        truncate(largest_file(checkpoint / "state"))
    assert_same(whole, run(model, train, validation, tmp_path))
    assert len([r for r in caplog.records if "is damaged and left out" in r.getMessage()]) == 2


def test_checkpoints_of_another_run_are_refused(model, train, validation, tmp_path):
    run(model, train, validation, tmp_path)
    other = TrainingConfig(epochs=7, batch_size=10, learning_rate=0.02, patience=5)
    with pytest.raises(ZooError) as caught:
        run(model, train, validation, tmp_path, other)
    assert str(caught.value) == (
        f"the checkpoints in {tmp_path} are of another run: epochs was 6 and is now 7. Use the "
        "same options to continue it, or another folder."
    )


def test_a_folder_that_cannot_be_written(model, train, validation, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ZooError, match="checkpoints cannot be written to"):
        run(model, train, validation, tmp_path / "file" / "folder")


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from flax import nnx
sys.path.insert(0, {tests!r})
from tests.training.conftest import Tiny, blobs, noise
from zoo.models import weights_of
from zoo.training import TrainingConfig, fit
from zoo.training.checkpoints import Checkpoints
import zoo.training.loop as module

module._SECONDS_PER_CALL = 0.0  # one step a call, so that the kill comes between two of them
config = TrainingConfig(epochs=40, batch_size=10, learning_rate=0.02, checkpoint_seconds=0.05)
result = fit(
    Tiny(rngs=nnx.Rngs(0)), blobs(90, 0), validation=blobs(37, 1), config=config, augment=noise,
    checkpoints=Path(sys.argv[1]), progress=False,
)
np.savez(sys.argv[2], **weights_of(result.model), losses=[e.val_loss for e in result.history])
"""


@pytest.fixture(scope="module")
def training_process(tmp_path_factory):
    """Starts a training run in a process of its own."""
    script = tmp_path_factory.mktemp("script") / "train.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parents[2])))
    return lambda folder, out: subprocess.Popen([sys.executable, script, folder, out])


def test_a_killed_process_continues_with_the_same_bits(training_process, tmp_path):
    assert training_process(tmp_path / "whole", tmp_path / "whole.npz").wait() == 0
    folder, out = tmp_path / "killed", tmp_path / "killed.npz"
    kills = 0
    for delay in (0.0, 0.11, 0.3):
        process = training_process(folder, out)
        have = newest(folder)
        while process.poll() is None and newest(folder) == have:
            time.sleep(0.01)
        time.sleep(delay)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
    assert kills >= 2
    assert training_process(folder, out).wait() == 0
    whole, killed = np.load(tmp_path / "whole.npz"), np.load(out)
    assert sorted(whole) == sorted(killed)
    for name in whole:
        np.testing.assert_array_equal(killed[name], whole[name])


def newest(folder: Path) -> int:
    """The step of the newest checkpoint."""
    if not folder.exists():
        return -1
    return max((int(p.name) for p in folder.iterdir() if p.name.isdigit()), default=-1)


def other_noise(key: jax.Array, x: jax.Array) -> jax.Array:
    return noise(key, x)


class Narrow(Tiny):
    def __init__(self, *, rngs: nnx.Rngs):
        super().__init__(rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)


Narrow.__name__ = "Tiny"  # so that only its arrays tell it from the other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augment": other_noise}, r"augment was '.*\.noise' and is now '.*\.other_noise'"),
        ({"augment": None}, r"augment was '.*\.noise' and is now 'None'"),
        (
            {"preprocess": partial(unit_range)},
            r"preprocess was '.*\.unit_range' and is now '.*\(\)'",
        ),
        ({"train": "reversed"}, "of another run: train was"),
        ({"validation": "reversed"}, "of another run: validation was"),
        (
            {"model": Narrow},
            r"of another model: .*norm\.beta was 'float32 of shape \(1, 8\)' and is",
        ),
    ],
)
def test_whatever_the_bits_depend_on_is_a_part_of_the_run(
    model, train, validation, tmp_path, change, message
):
    def run(model=model, train=train, validation=validation, augment=noise, **options):
        return fit(
            model,
            train,
            validation=validation,
            config=TrainingConfig(epochs=1),
            augment=augment,
            checkpoints=str(tmp_path),  # a plain path will do
            progress=False,
            **options,
        )

    run()
    if change.get("model"):
        change = {"model": Narrow(rngs=nnx.Rngs(0))}
    for name, split in (("train", train), ("validation", validation)):
        if name in change:
            change = {name: Split(split.x[::-1], split.y)}
    with pytest.raises(ZooError, match=message):
        run(**change)


def test_a_full_disk_is_one_error_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    (tmp_path / "4.orbax-checkpoint-tmp").mkdir()  # of a run that was killed
    checkpoints = Checkpoints(tmp_path, {})
    assert list(tmp_path.iterdir()) == []

    def save(step, **_):
        (tmp_path / f"{step}.orbax-checkpoint-tmp").mkdir()
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device\nand a page more")

    monkeypatch.setattr(checkpoints._manager, "save", save)
    with pytest.raises(ZooError) as caught:
        checkpoints.save(5, {"x": np.zeros(2)}, {})
    assert str(caught.value) == (
        f"the checkpoint of step 5 cannot be written to {tmp_path}: RESOURCE_EXHAUSTED: No space "
        "left on device."
    )
    assert list(tmp_path.iterdir()) == []
    checkpoints.close()
