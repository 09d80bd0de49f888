"""The run folder: round trips, damage, and writes that fail half-way."""

import errno
import json
import math
import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.image import imread
from safetensors.numpy import load_file

from zoo.errors import ZooError
from zoo.reports import (
    RunFolder,
    Table,
    confusion_matrix_figure,
    default_run_path,
    mean_interval,
)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "test")


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


@dataclass(frozen=True)
class Config:
    epochs: int
    out: Path


class Evaluation(NamedTuple):
    loss: float
    accuracy: float


def test_json_round_trip(folder):
    value = {"a": 1, "b": [0.5, "ü ±", None, True], "c": {"d": [], "e": {}}}
    assert folder.save_json("metrics.json", value) == folder.path / "metrics.json"
    assert folder.load_json("metrics.json") == value
    assert names(folder) == ["metrics.json"]
    assert "ü ±" in (folder.path / "metrics.json").read_text(encoding="utf-8")


def test_json_of_numpy_dataclasses_and_what_json_does_not_know(folder):
    value = {
        "scalars": (np.float32(0.5), np.int64(3), np.bool_(True), np.float64(0.25)),
        "array": np.arange(4).reshape(2, 2),
        "not finite": [math.nan, math.inf, np.float32(-np.inf), np.array([1.0, np.nan])],
        "config": Config(5, Path("runs") / "x"),
        "test": Evaluation(0.5, np.float64(0.9)),
        "interval": mean_interval([0.75]),
    }
    folder.save_json("metrics.json", value)
    assert folder.load_json("metrics.json") == {
        "scalars": [0.5, 3, True, 0.25],
        "array": [[0, 1], [2, 3]],
        "not finite": [None, None, None, [1.0, None]],
        "config": {"epochs": 5, "out": str(Path("runs") / "x")},
        "test": {"loss": 0.5, "accuracy": 0.9},
        "interval": {
            "mean": 0.75,
            "half_width": None,
            "n": 1,
            "standard_deviation": None,
            "confidence": 0.95,
        },
    }


def test_as_json_is_what_loading_gives(folder):
    value = {"config": Config(5, Path("x")), "losses": (np.float32(0.5), math.nan)}
    folder.save_json("config.json", value)
    assert folder.as_json(value) == folder.load_json("config.json")
    assert folder.as_json(value) == {"config": {"epochs": 5, "out": "x"}, "losses": [0.5, None]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"a": [1, {2}]},
            "metrics.json['a'][1]: cannot be written as JSON, got set: give numbers, strings, "
            "lists, mappings, dataclasses or NumPy arrays.",
        ),
        ({"a": {0: 1}}, "metrics.json['a']: keys must be strings, got 0."),
        (
            np.array([object()]),
            "metrics.json: cannot be written as JSON, got ndarray: give numbers, strings, "
            "lists, mappings, dataclasses or NumPy arrays.",
        ),
    ],
)
def test_json_that_cannot_be(folder, value, message):
    folder.save_json("metrics.json", {"old": True})
    with pytest.raises(ZooError) as error:
        folder.save_json("metrics.json", value)
    assert str(error.value) == message
    assert folder.load_json("metrics.json") == {"old": True}


@pytest.mark.parametrize("keep", [0, 1, 10, 20])
def test_truncated_json(folder, keep):
    path = folder.save_json("metrics.json", {"accuracy": 0.5, "loss": 1.5})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        ZooError, match=rf"^{re.escape(repr(str(path)))} must be a JSON file and is "
    ):
        folder.load_json("metrics.json")


def test_json_that_is_not_text(folder):
    path = folder.path / "metrics.json"
    path.write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(ZooError, match=r"is damaged \(.*\): remove it and run again\.$"):
        folder.load_json("metrics.json")


def test_json_that_is_not_there(folder):
    with pytest.raises(ZooError) as error:
        folder.load_json("metrics.json")
    path = str(folder.path / "metrics.json")
    assert str(error.value) == f"{path!r} cannot be read (No such file or directory)."


def test_table(folder):
    table = Table(["model", "accuracy"], [["CNN", 0.91], ["RNN", None]], title="Results")
    assert folder.save_table("results", table) == (
        folder.path / "results.md",
        folder.path / "results.csv",
    )
    read = (folder.path / "results.md").read_text(encoding="utf-8")
    assert read == f"{table.markdown()}\n"
    assert (folder.path / "results.csv").read_bytes() == b"model,accuracy\nCNN,0.91\nRNN,\n"
    assert names(folder) == ["results.csv", "results.md"]


def test_figure(folder):
    figure = confusion_matrix_figure([[3, 1], [0, 2]], ("a", "b"), title="")
    path = folder.save_figure("confusion.png", figure)
    width, height = figure.get_size_inches() * figure.dpi
    assert imread(path).shape == (int(height), int(width), 4)
    assert names(folder) == ["confusion.png"]


def test_weights(folder):
    arrays = {
        "dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
        "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "every other": np.arange(10)[::2],
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 4), np.float16),
    }
    path = folder.save_weights("model.safetensors", arrays)
    loaded = load_file(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array, strict=True)


def test_weights_that_are_no_numbers(folder):
    with pytest.raises(ZooError, match=r"^model\.safetensors: must be named arrays of numbers \("):
        folder.save_weights("model.safetensors", {"a": np.array(["text"])})
    assert names(folder) == []


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("metrics", ".json"),
        ("metrics.txt", ".json"),
        (".json", ".json"),
        ("", ".json"),
        ("a/metrics.json", ".json"),
        ("../metrics.json", ".json"),
        ("/metrics.json", ".json"),
    ],
)
def test_names(folder, name, suffix):
    for call in (lambda: folder.save_json(name, {}), lambda: folder.load_json(name)):
        with pytest.raises(ZooError) as error:
            call()
        assert str(error.value) == (
            f"a file of the run folder must have a plain name that ends in {suffix!r}, "
            f"got {name!r}."
        )
    assert names(folder) == []
    assert names(RunFolder(folder.path.parent)) == ["test"]


def save_something(folder):
    folder.save_weights("model.safetensors", {"a": np.ones(100_000, np.float32)})


def test_a_full_disk_in_the_middle_of_a_file(folder):
    """The system writes the first 4,096 bytes of a file and refuses the rest."""
    folder.save_weights("model.safetensors", {"a": np.zeros(3)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(ZooError) as error:
            save_something(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    path = str(folder.path / "model.safetensors")
    assert str(error.value) == f"{path!r} cannot be written (File too large)."
    assert names(folder) == ["model.safetensors"]
    assert load_file(path)["a"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ZooError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_nothing_half_written_stays(folder, monkeypatch, step, failure, seen):
    def fail(*_, **__):
        assert len(names(folder)) == 1, "the failure comes too early to show anything"
        raise failure

    monkeypatch.setattr(step, fail)
    with pytest.raises(seen):
        save_something(folder)
    assert names(folder) == []


def test_readers_see_the_old_file_until_the_new_one_is_whole(folder, monkeypatch):
    folder.save_json("metrics.json", "old")
    seen = []
    fsync = os.fsync
    monkeypatch.setattr(
        "os.fsync", lambda file: (seen.append(folder.load_json("metrics.json")), fsync(file))
    )
    folder.save_json("metrics.json", "new")
    assert (seen, folder.load_json("metrics.json")) == (["old"], "new")


def test_files_have_the_usual_permissions(folder):
    (folder.path / "usual").touch()
    path = folder.save_json("metrics.json", {})
    assert path.stat().st_mode == (folder.path / "usual").stat().st_mode


def test_an_existing_folder_is_used_and_kept(folder):
    folder.save_json("metrics.json", 1)
    again = RunFolder(str(folder.path))
    assert again.load_json("metrics.json") == 1
    assert names(again) == ["metrics.json"]


def test_reading_asks_for_no_right_to_write(folder, monkeypatch):
    folder.save_json("metrics.json", 1)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert RunFolder.existing(folder.path).load_json("metrics.json") == 1


def test_reading_makes_no_folder(tmp_path):
    with pytest.raises(ZooError, match="no-such-run' must be there, and it is not"):
        RunFolder.existing(tmp_path / "no-such-run")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file(tmp_path):
    path = tmp_path / "results"
    path.write_text("mine")
    with pytest.raises(ZooError) as error:
        RunFolder(path)
    assert str(error.value) == (
        f"the run folder {str(path)!r} must be a folder, and a file of that name is in its place: "
        "remove it or choose another path."
    )
    assert path.read_text() == "mine"


def test_a_folder_below_a_file(tmp_path):
    (tmp_path / "results").write_text("mine")
    path = tmp_path / "results" / "run"
    with pytest.raises(ZooError) as error:
        RunFolder(path)
    assert str(error.value) == (
        f"the run folder {str(path)!r} cannot be created or written to (Not a directory): "
        "choose a path in a folder that you may write to."
    )


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    """Root may write everywhere, so the system's answer is played."""

    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(ZooError, match=r"cannot be created or written to \(Permission denied\)"):
        RunFolder(tmp_path)


def test_a_folder_that_went_away(folder):
    folder.path.rmdir()
    with pytest.raises(ZooError) as error:
        folder.save_json("metrics.json", {})
    path = str(folder.path / "metrics.json")
    assert str(error.value) == f"{path!r} cannot be written (No such file or directory)."


def test_default_run_path():
    path = default_run_path("mnist_lstm")
    assert path.parent == Path("runs")
    assert re.fullmatch(r"mnist_lstm-20\d{6}-\d{6}", path.name)


def test_json_is_standard(folder):
    path = folder.save_json("metrics.json", {"b": [math.nan], "a": 1})
    text = path.read_text(encoding="utf-8")
    assert text == '{\n  "b": [\n    null\n  ],\n  "a": 1\n}\n'
    assert json.loads(text) == {"b": [None], "a": 1}
