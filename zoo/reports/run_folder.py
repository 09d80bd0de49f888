"""The folder that holds all of a run: metrics, tables, pictures and weights."""

import contextlib
import io
import json
import math
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ZooError, require
from zoo.reports.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def default_run_path(recipe: str) -> Path:
    """Where a run that was told no folder goes: `runs/<recipe>-<YYYYmmdd-HHMMSS>`."""
    return Path("runs") / f"{recipe}-{time.strftime('%Y%m%d-%H%M%S')}"


class RunFolder:
    """Saves results in a folder, which is created if need be; may hold those of a run before.

    A file is complete in memory before its folder is touched, and takes the place of one of
    the same name in a single step: whatever happens, there is the old one or the new one.
    Names are plain file names with the extension of their kind. Every method that saves raises
    ZooError for another name, a value that has no such form, or a file that cannot be written.

    Raises:
        ZooError: `path` cannot be created or written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Only writing tells whether it can be done, and better now than after the training.
            tempfile.TemporaryFile(dir=self.path).close()
        except FileExistsError as error:
            raise ZooError(
                f"the run folder {str(self.path)!r} must be a folder, and a file of that name "
                "is in its place: remove it or choose another path."
            ) from error
        except OSError as error:
            raise ZooError(
                f"the run folder {str(self.path)!r} cannot be created or written to "
                f"({error.strerror}): choose a path in a folder that you may write to."
            ) from error

    @classmethod
    def existing(cls, path: str | os.PathLike[str]) -> "RunFolder":
        """The folder of a run before, to read from: it need not be writable.

        Raises:
            ZooError: there is no such folder.
        """
        folder = cls.__new__(cls)
        folder.path = Path(path)
        if not folder.path.is_dir():
            raise ZooError(f"the run folder {str(path)!r} must be there, and it is not.")
        return folder

    def save_json(self, name: str, value: object) -> Path:
        """Saves a value as `<...>.json`, readable and in the order given.

        Beside what JSON has: dataclasses and named tuples become objects of their fields, other
        tuples and arrays lists, NumPy scalars numbers, paths strings. NaN and the infinities,
        which JSON does not know, become null.
        """
        data = json.dumps(_as_json(value, name), indent=2, ensure_ascii=False, allow_nan=False)
        return self._save(name, ".json", f"{data}\n".encode())

    @staticmethod
    def as_json(value: object) -> Any:
        """What `load_json` gives after `save_json(..., value)`: to compare one with the other."""
        return _as_json(value, "value")

    def load_json(self, name: str) -> Any:
        """What `save_json` saved.

        Raises:
            ZooError: there is no such file, or it is damaged.
        """
        path = self._file(name, ".json")
        try:
            return json.loads(path.read_bytes())
        except OSError as error:
            raise ZooError(f"{str(path)!r} cannot be read ({error.strerror}).") from error
        except ValueError as error:
            raise ZooError(
                f"{str(path)!r} must be a JSON file and is damaged ({error}): "
                "remove it and run again."
            ) from error

    def save_table(self, stem: str, table: Table) -> tuple[Path, Path]:
        """Saves a table twice, as `<stem>.md` and `<stem>.csv`."""
        markdown, values = f"{table.markdown()}\n", table.csv()
        return (
            self._save(f"{stem}.md", ".md", markdown.encode()),
            self._save(f"{stem}.csv", ".csv", values.encode()),
        )

    def save_figure(self, name: str, figure: "Figure") -> Path:
        """Saves a picture as `<...>.png`."""
        out = io.BytesIO()
        figure.savefig(out, format="png")
        return self._save(name, ".png", out.getvalue())

    def save_weights(self, name: str, arrays: Mapping[str, np.ndarray]) -> Path:
        """Saves named arrays as `<...>.safetensors`, read by `safetensors.numpy.load_file`."""
        safetensors = require("safetensors", "train")
        # The library writes the memory of an array as it lies, a transposed view's in the wrong
        # order: so in row order first.
        tensors = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        try:
            data = require("safetensors.numpy", "train").save(tensors)
        except (safetensors.SafetensorError, TypeError) as error:
            raise ZooError(f"{name}: must be named arrays of numbers ({error}).") from error
        return self._save(name, ".safetensors", data)

    def _file(self, name: str, suffix: str) -> Path:
        if name != Path(name).name or Path(name).suffix != suffix:
            raise ZooError(
                f"a file of the run folder must have a plain name that ends in {suffix!r}, "
                f"got {name!r}."
            )
        return self.path / name

    def _save(self, name: str, suffix: str, data: bytes) -> Path:
        path = self._file(name, suffix)
        temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise ZooError(f"{str(path)!r} cannot be written ({error.strerror}).") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return path


def _as_json(value: object, where: str) -> Any:
    """`value` in the types of JSON; `where` names it in an error."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biufU":
        return _as_json(value.tolist(), where)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ZooError(f"{where}: keys must be strings, got {key!r}.")
        return {key: _as_json(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise ZooError(
        f"{where}: cannot be written as JSON, got {type(value).__name__}: give numbers, strings, "
        "lists, mappings, dataclasses or NumPy arrays."
    )
