"""Decoded arrays on disk, so that a second start is immediate."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zoo.data.dataset import Split

_log = logging.getLogger("zoo")
_FORMAT = 2

Splits = dict[str, Split]


def cache_folder() -> Path:
    """`ZOO_CACHE_DIR` if set, else `zoo` in `XDG_CACHE_HOME` or in `~/.cache`."""
    if folder := os.environ.get("ZOO_CACHE_DIR"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zoo"


def fingerprint(*parts: object) -> str:
    """A short name for the source of something: the same parts, the same name."""
    text = json.dumps([_FORMAT, *parts], default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def files_fingerprint(files: Sequence[Path], *parts: object) -> str:
    """A fingerprint that changes when a file does: by its name, size and time of change."""
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return fingerprint(stats, *parts)


def cached(key: str, make: Callable[[], Splits]) -> Splits:
    """The arrays kept under `key`, or what `make` gives, which is then kept.

    A cache is complete in a folder of its own before it takes its name, and its files are
    checked against their digests before they are read: half a cache is never taken for a whole
    one, and a damaged one is said and made anew. Where no cache can be written, that is said
    and everything else goes on.
    """
    folder = cache_folder() / key
    try:
        if folder.exists():
            return _read(folder)
    except (OSError, ValueError, KeyError) as error:
        _log.warning("The cache %s is damaged (%s) and is made anew.", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
    splits = make()
    try:
        _write(folder, splits)
    except OSError as error:
        _log.warning("The cache %s cannot be written (%s); going on without.", folder, error)
    return splits


def _read(folder: Path) -> Splits:
    manifest = json.loads((folder / "manifest.json").read_text())
    if not isinstance(manifest, dict) or not manifest:
        raise ValueError("manifest.json names no arrays")
    arrays = {}
    for name, digest in manifest.items():
        if _digest(folder / f"{name}.npy") != digest:
            raise ValueError(f"{name}.npy is not what was written")
        arrays[name] = np.load(folder / f"{name}.npy", allow_pickle=False)
    return {
        name: Split(arrays[f"{name}-x"], arrays[f"{name}-y"])
        for name in sorted({array.rpartition("-")[0] for array in arrays})
    }


def _write(folder: Path, splits: Splits) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".half-", dir=folder.parent))
    try:
        manifest = {}
        for name, split in splits.items():
            for field, array in split._asdict().items():
                np.save(half / f"{name}-{field}.npy", array, allow_pickle=False)
                manifest[f"{name}-{field}"] = _digest(half / f"{name}-{field}.npy")
        (half / "manifest.json").write_text(json.dumps(manifest))
        if not folder.exists():  # another process may have been faster
            half.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
