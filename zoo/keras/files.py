"""What kind of Keras file a path leads to, by its content and not by its name."""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from zoo.errors import ZooError, require
from zoo.keras.archive import parse_json, read_archive, read_folder
from zoo.keras.hdf5 import HDF5File, open_hdf5
from zoo.keras.wording import short


class KerasFile(NamedTuple):
    """An open Keras file.

    `root` is where a legacy file keeps its layers' groups, or None where weights lie at the
    paths of Keras 3. `config` is None where there are only weights.
    """

    path: Path
    format: str
    keras_version: str
    config: Mapping[str, Any] | None
    weights: HDF5File
    root: str | None

    @property
    def version(self) -> tuple[int, int]:
        """The major and minor number of `keras_version`."""
        major, minor, *_ = (*re.findall("[0-9]+", self.keras_version), "0")
        return int(major), int(minor)


@contextmanager
def open_keras_file(path: str | os.PathLike[str]) -> Iterator[KerasFile]:
    """Opens a `.keras` file or folder, a `.weights.h5`, or a legacy `.h5`, for reading.

    Raises:
        FileNotFoundError: nothing is there.
        ZooError: it is none of these, is damaged, or is refused as unsafe.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if not path.is_dir() and not path.is_file():
        raise ZooError(f"{path} must be a file or a folder.")
    if path.is_dir() or zipfile.is_zipfile(path) or _begins_as_zip(path):
        archive = read_folder(path) if path.is_dir() else read_archive(path)
        version = _version(archive.metadata.get("keras_version"), path)
        with archive, open_hdf5(archive.weights, f"model.weights.h5 in {path}") as weights:
            kind = "Keras folder" if path.is_dir() else "Keras archive"
            yield KerasFile(path, kind, version, archive.config, weights, None)
        return
    if not require("h5py", "keras").is_hdf5(path):
        size = path.stat().st_size
        raise ZooError(
            f"{path} must be a .keras archive or an HDF5 file, got "
            f"{'an empty file' if size == 0 else f'{size:,} bytes of something else'}."
        )
    with open_hdf5(path, str(path)) as weights:
        yield _from_hdf5(path, weights)


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _from_hdf5(path: Path, weights: HDF5File) -> KerasFile:
    if weights.attribute("/", "layer_names") is not None:
        version = _version(weights.attribute("/", "keras_version") or "2.0.0", path)
        return KerasFile(path, "legacy HDF5 weights", version, None, weights, "")
    config = weights.attribute("/", "model_config")
    if config is not None and weights.has_group("model_weights"):
        if not isinstance(config, str):
            raise ZooError(f"model_config of {path} must be text, got {type(config).__name__}.")
        version = weights.attribute("/", "keras_version") or weights.attribute(
            "model_weights", "keras_version"
        )
        parsed = parse_json(config, f"model_config of {path}")
        return KerasFile(
            path, "legacy HDF5 model", _version(version, path), parsed, weights, "model_weights/"
        )
    if not any(name in weights.datasets or weights.has_group(name) for name in _ROOTS):
        raise ZooError(
            f"{path} is an HDF5 file but not one of Keras: it must have model_config, layer_names "
            f"or a group of layers, got {sorted(weights.datasets)[:5] or 'nothing'}."
        )
    return KerasFile(path, "Keras 3 weights", "3.0.0", None, weights, None)


_ROOTS = ("layers", "_layer_checkpoint_dependencies", "vars", "optimizer")


def _version(version: Any, path: Path) -> str:
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ZooError(f"keras_version of {path} must be a version, got {short(version)}.")
    return version


# As 3.6.0, 2.4.0-tf or 3.0.0.dev2024.
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}([.-]?[a-z]\w{0,40})?")
