"""The parts of a `.keras` file, which is a ZIP archive or a folder with the same files."""

import io
import json
import stat
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from zoo.errors import ZooError

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MAX_JSON = 64 << 20
# Keras stores without compression; one that was zipped again shrinks by a few percent.
_MAX_RATIO, _SMALL = 100, 1 << 24


class Archive(NamedTuple):
    """A model's config and metadata, and where its weights are to be read from."""

    config: Mapping[str, Any]
    metadata: Mapping[str, Any]
    weights: Path | BinaryIO

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        if not isinstance(self.weights, Path):
            self.weights.close()


def read_archive(path: Path) -> Archive:
    """The parts of a `.keras` file.

    Raises:
        ZooError: not a whole archive, a part is missing, names lead out of it, or sizes are out
            of proportion to the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive, path)
            _check_parts(path, set(members))
            config, metadata = (archive.read(members[name]) for name in (_CONFIG, _METADATA))
            weights = _weights(archive, members[_WEIGHTS], path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and not path.exists():
            raise
        raise ZooError(f"{path} must be a whole .keras archive: {error}.") from error
    return _parsed(path, config, metadata, weights)


def read_folder(path: Path) -> Archive:
    """The parts of a `.keras` file that was unpacked into a folder.

    Raises:
        ZooError: a part is missing, or is not what it should be.
    """
    _check_parts(path, {file.name for file in path.iterdir() if file.is_file()})
    for name in (_CONFIG, _METADATA):
        if (path / name).stat().st_size > _MAX_JSON:
            raise ZooError(f"{path / name} must be at most {_MAX_JSON:,} bytes.")
    config, metadata = ((path / name).read_bytes() for name in (_CONFIG, _METADATA))
    return _parsed(path, config, metadata, path / _WEIGHTS)


def _weights(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> BinaryIO:
    """The file of weights within an archive: where it lies, if it is stored as it is."""
    if member.compress_type != zipfile.ZIP_STORED:
        return BytesIO(archive.read(member))
    with archive.open(member) as file:
        while file.read(1 << 20):  # to its end, where its checksum is compared
            pass
    # A member's own header repeats its name, and its extra field may have another length.
    with path.open("rb") as file:
        file.seek(member.header_offset + 26)
        name, extra = int.from_bytes(file.read(2), "little"), int.from_bytes(file.read(2), "little")
    start = member.header_offset + 30 + name + extra
    return io.BufferedReader(_Part(path, start, member.file_size))


class _Part(io.RawIOBase):
    """A stretch of a file, as a file of its own."""

    def __init__(self, path: Path, start: int, size: int):
        self._file, self._start, self._size, self._at = path.open("rb"), start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(self._size - self._at, 0)]
        self._file.seek(self._start + self._at)
        count = self._file.readinto(view)
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def parse_json(text: str | bytes, name: str) -> dict[str, Any]:
    """An object from its JSON text, which `name` stands for in messages."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ZooError(f"{name} must be JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ZooError(f"{name} must be a JSON object, got {type(value).__name__}.")
    return value


def _parsed(path: Path, config: bytes, metadata: bytes, weights: Path | BinaryIO) -> Archive:
    return Archive(
        parse_json(config, f"{_CONFIG} in {path}"),
        parse_json(metadata, f"{_METADATA} in {path}"),
        weights,
    )


def _check_parts(path: Path, names: set[str]) -> None:
    if "model.weights.npz" in names and _WEIGHTS not in names:
        raise ZooError(
            f"{path} keeps its weights as model.weights.npz, which holds pickled objects and is "
            "never read: save the model again with Keras's default format."
        )
    missing = [part for part in (_CONFIG, _METADATA, _WEIGHTS) if part not in names]
    if missing:
        raise ZooError(f"{path} must hold {', '.join(missing)}, got {sorted(names)[:10]}.")


def _checked_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members by name, once nothing about any of them is amiss."""
    members: dict[str, zipfile.ZipInfo] = {}
    problems = []
    size = path.stat().st_size
    for member in archive.infolist():
        name = member.filename
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\\" in name:
            problems.append(f"{name!r} leads out of the archive")
        elif name in members:
            problems.append(f"{name!r} is there twice")
        elif stat.S_ISLNK(member.external_attr >> 16):
            problems.append(f"{name!r} is a link")
        elif member.flag_bits & 1:
            problems.append(f"{name!r} is encrypted")
        elif member.compress_size > size or (
            member.file_size > _SMALL and member.file_size > _MAX_RATIO * member.compress_size
        ):
            problems.append(f"{name!r} declares {member.file_size:,} bytes in a file of {size:,}")
        elif name.endswith(".json") and member.file_size > _MAX_JSON:
            problems.append(f"{name!r} declares {member.file_size:,} bytes of JSON")
        members[name] = member
    if problems:
        raise ZooError(f"{path} is refused as a .keras archive: {'; '.join(problems[:20])}.")
    return members
