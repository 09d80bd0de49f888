"""The cache: whole or not at all, and never a reason to fail."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import Split
from zoo.data.cache import cache_folder, cached, files_fingerprint, fingerprint

SPLITS = {
    "train": Split(np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1), np.array([1, 0], np.int32)),
    "test": Split(np.ones((1, 3, 4, 1), np.uint8), np.array([1], np.int32)),
}


class Source:
    """Gives `SPLITS`, and counts how often."""

    calls = 0

    def __call__(self):
        self.calls += 1
        return SPLITS


@pytest.fixture
def source():
    return Source()


def same(ours, expected=SPLITS):
    assert sorted(ours) == sorted(expected)
    for name, split in expected.items():
        for one, other in zip(ours[name], split, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def test_a_second_load_makes_nothing(source, cache_folder, caplog):
    same(cached("key", source))
    same(cached("key", source))
    assert source.calls == 1
    assert [path.name for path in cache_folder.iterdir()] == ["key"]
    assert not caplog.records


def test_another_key_is_another_cache(source):
    cached("one", source)
    cached("other", source)
    assert source.calls == 2


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "a flipped bit": lambda folder: flip_a_byte(folder / "train-x.npy"),
    "an empty array": lambda folder: (folder / "train-x.npy").write_bytes(b""),
    "half an array": lambda folder: os.truncate(folder / "test-x.npy", 130),
    "an archive": lambda folder: (folder / "test-x.npy").write_bytes(b"PK\3\4"),
    "another array": lambda folder: np.save(folder / "train-y.npy", np.array([0, 1], np.int32)),
    "a missing array": lambda folder: (folder / "train-y.npy").unlink(),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: os.truncate(folder / "manifest.json", 20),
    "an empty manifest": lambda folder: (folder / "manifest.json").write_text("{}"),
    "another manifest": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "a manifest without labels": lambda folder: (folder / "manifest.json").write_text(
        json.dumps({"train-x": json.loads((folder / "manifest.json").read_text())["train-x"]})
    ),
    "nothing": lambda folder: [file.unlink() for file in folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_said_and_made_anew(source, cache_folder, caplog, damage):
    cached("key", source)
    damage(cache_folder / "key")
    same(cached("key", source))
    assert source.calls == 2
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("zoo", logging.WARNING)
    message = record.getMessage()
    assert message.startswith(f"The cache {cache_folder / 'key'} is damaged (")
    assert message.endswith(") and is made anew.")
    same(cached("key", source))
    assert source.calls == 2  # what was made anew is whole


def test_arrays_of_objects_are_never_loaded(source, cache_folder):
    cached("key", source)
    path = cache_folder / "key" / "train-y.npy"
    np.save(path, np.array([Path("a"), None]), allow_pickle=True)
    same(cached("key", source))
    assert source.calls == 2


def test_what_a_killed_process_left_is_not_taken_for_a_cache(source, cache_folder, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # as if there had been no time
    with pytest.raises(KeyboardInterrupt):
        cached("key", source)
    monkeypatch.undo()
    monkeypatch.setenv("ZOO_CACHE_DIR", str(cache_folder))
    (half,) = cache_folder.iterdir()
    assert half.name.startswith(".half-")
    same(cached("key", source))
    assert source.calls == 2


def test_without_a_place_for_a_cache_everything_else_goes_on(source, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "file"))
    same(cached("key", source))
    same(cached("key", source))
    assert source.calls == 2
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    for message in messages:
        assert message.startswith(f"The cache {tmp_path / 'file' / 'key'} cannot be written (")
        assert message.endswith("); going on without.")


def test_a_full_disk_leaves_nothing_behind(source, cache_folder, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    same(cached("key", source))
    assert "No space left on device" in caplog.text
    assert not list(cache_folder.iterdir())


def test_a_process_that_was_faster_is_believed(source, cache_folder, caplog):
    def slower():
        cached("key", source)  # meanwhile
        return SPLITS

    same(cached("key", slower))
    assert [path.name for path in cache_folder.iterdir()] == ["key"]
    assert not caplog.records
    same(cached("key", source))
    assert source.calls == 1


def test_an_error_of_the_source_keeps_nothing(cache_folder):
    with pytest.raises(ZeroDivisionError):
        cached("key", lambda: 1 / 0)
    assert not cache_folder.exists()


def test_fingerprints(tmp_path):
    assert fingerprint("a", (1, 2)) == fingerprint("a", (1, 2)) != fingerprint("a", (1, 3))
    file = tmp_path / "file"
    file.write_text("one")
    os.utime(file, ns=(0, 0))
    first = files_fingerprint([file], "x")
    assert files_fingerprint([file], "x") == first != files_fingerprint([file], "y")
    os.utime(file, ns=(0, 1))
    assert files_fingerprint([file], "x") != first  # a new time
    file.write_text("four")
    os.utime(file, ns=(0, 0))
    assert files_fingerprint([file], "x") != first  # a new size


def test_where_the_cache_is(monkeypatch):
    assert cache_folder() == Path(os.environ["ZOO_CACHE_DIR"])
    monkeypatch.delenv("ZOO_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/where")
    assert cache_folder() == Path("/some/where/zoo")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/zoo")
