"""HDF5 files from anyone, opened as data and nothing else.

Only hard links are followed, and each object once; data sets must hold their own numbers, in a
size that the file can account for, packed by filters that HDF5 itself brings. All of that is
looked at before any number is read.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.errors import ZooError, require
from zoo.keras.wording import short

_MAX_OBJECTS, _MAX_DEPTH = 100_000, 64
# deflate, shuffle, Fletcher's checksum, LZF: what h5py is able to write without plug-ins.
_FILTERS = {1, 2, 3, 32000}
# Weights hardly compress (a few percent), so 100 times is already far out of proportion; below
# the size from which that is asked, a lie does no harm.
_MAX_RATIO, _SMALL = 100, 1 << 24


class HDF5File:
    """The data sets of an open file by their path, and the attributes of its groups."""

    def __init__(self, file: Any, name: str):
        self._file, self.name = file, name
        self.datasets: Mapping[str, Any] = _checked_datasets(file, name)

    def attribute(self, path: str, name: str) -> Any:
        """An attribute of the group `path`: text, a list, or a number; None if absent."""
        with _reading(self.name):
            attributes = self._file[path].attrs
            return _decoded(attributes[name]) if name in attributes else None

    def names(self, path: str, name: str) -> list[str]:
        """An attribute that lists names; what was too long for one is in `name0`, `name1`, …."""
        found = self.attribute(path, name)
        parts = [] if found is None else [found]
        while found is None and (part := self.attribute(path, f"{name}{len(parts)}")) is not None:
            parts.append(part)
        names = [item for part in parts for item in (part if isinstance(part, list) else [part])]
        if not all(isinstance(part, list) for part in parts) or not all(
            isinstance(item, str) for item in names
        ):
            raise ZooError(f"{name} of {path} in {self.name} must list names, got {short(names)}.")
        return names

    def has_group(self, path: str) -> bool:
        """Whether there is a group at `path`."""
        # A soft link would have been refused by now, so this follows nothing.
        with _reading(self.name):
            return path in self._file and not hasattr(self._file[path], "dtype")

    def read(self, path: str) -> np.ndarray:
        """The numbers of a data set; bfloat16, which HDF5 lacks, from the type Keras notes."""
        with _reading(self.name):
            dataset = self.datasets[path]
            values = np.asarray(dataset[()])
            if _decoded(dataset.attrs.get("dtype", "")) == "bfloat16":
                import ml_dtypes  # comes with jax

                return values.view(ml_dtypes.bfloat16)
        if values.dtype.kind == "V":
            raise ZooError(f"{path} of {self.name} is of a type that is not named.")
        return values


@contextmanager
def open_hdf5(source: Path | BinaryIO, name: str) -> Iterator[HDF5File]:
    """Opens a file, or the bytes of one, for reading; `name` is what messages call it.

    Raises:
        ZooError: it is not HDF5, is damaged, or has what a file of weights has no use for; the
            message lists all of that.
    """
    h5py = require("h5py", "keras")
    try:
        file = h5py.File(source, "r")
    except (OSError, ValueError, RuntimeError) as error:
        raise ZooError(f"{name} must be a whole HDF5 file: {_first_line(error)}.") from error
    with file:
        with _reading(name):
            opened = HDF5File(file, name)
        yield opened


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """What h5py raises, of many kinds, as one: the file `name` is damaged."""
    try:
        yield
    except ZooError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ZooError(f"{name} is damaged: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return (text.splitlines() or [type(error).__name__])[0]


def _checked_datasets(file: Any, name: str) -> dict[str, Any]:
    h5py = require("h5py", "keras")
    datasets: dict[str, Any] = {}
    problems: list[str] = []
    seen = {h5py.h5o.get_info(file.id).addr}
    groups = [("", file)]
    while groups:
        prefix, group = groups.pop()
        for key in group:
            path = f"{prefix}{key}"
            kind = group.get(key, getlink=True)
            if not isinstance(kind, h5py.HardLink):
                problems.append(f"{path} is a link to elsewhere ({type(kind).__name__})")
                continue
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) > _MAX_OBJECTS or path.count("/") > _MAX_DEPTH:
                problems.append(f"{path} is linked twice, or one object too many or too deep")
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append((f"{path}/", item))
            elif isinstance(item, h5py.Dataset):
                problem = _dataset_problem(item)
                if problem:
                    problems.append(f"{path} {problem}")
                datasets[path] = item
            else:
                problems.append(f"{path} is neither a group nor a data set")
    declared, size = sum(item.nbytes for item in datasets.values()), file.id.get_filesize()
    if not problems and declared > _SMALL and declared > _MAX_RATIO * size:
        problems.append(f"all of it declares {declared:,} bytes in a file of {size:,}")
    if problems:
        raise ZooError(f"{name} is refused as a file of weights: {'; '.join(problems[:20])}.")
    return datasets


def _dataset_problem(dataset: Any) -> str | None:
    if dataset.is_virtual or dataset.external:
        return "has its numbers in other files"
    # Kind V, without fields, is how bfloat16 is stored.
    if dataset.dtype.kind not in "fiubV" or dataset.dtype.names or dataset.dtype.subdtype:
        return f"must hold numbers, got {dataset.dtype}"
    if dataset.dtype.kind == "V" and dataset.dtype.itemsize != 2:
        return f"must hold numbers, got {dataset.dtype}"
    if dataset.shape is None:
        return "is empty"
    plist = dataset.id.get_create_plist()
    if any(plist.get_filter(i)[0] not in _FILTERS for i in range(plist.get_nfilters())):
        return "is packed by a filter that is not part of HDF5"
    declared, stored = dataset.nbytes, dataset.id.get_storage_size()
    if (declared and not stored) or (declared > _SMALL and declared > _MAX_RATIO * stored):
        return f"declares {declared:,} bytes where {stored:,} are stored"
    return None


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, np.ndarray):
        return [_decoded(item) for item in value.ravel().tolist()]
    return value
