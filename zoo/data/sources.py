"""Data sets by name, from the first source that has them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.data.cache import Splits, cached, files_fingerprint, fingerprint
from zoo.data.catalogue import CATALOGUE, ImageDataset, TableDataset, TextDataset, nusax
from zoo.data.dataset import Dataset, DatasetUnavailable
from zoo.data.digits import load_digits
from zoo.data.hub import HubUnavailable, authors_tables, hub_tables
from zoo.data.idx import find_idx, read_idx_split
from zoo.data.tables import read_parquet, table_split
from zoo.errors import ZooError, unknown_name


class _Absent(Exception):  # noqa: N818
    """A source does not have the data set; the message says why."""


def list_datasets() -> tuple[str, ...]:
    """The names that `load` knows.

    >>> list_datasets()
    ('cifar10', 'digits', 'fashion_mnist', 'mnist', 'nusax')
    """
    return tuple(sorted((*CATALOGUE, "digits", "nusax")))


def load(name: str, *, lang: str | None = None, progress: bool = True) -> Dataset:
    """A data set of images or texts by name, with labels in the order of its class names.

    Sources, in this order: the folder in the environment variable `ZOO_DATA_DIR`, laid out
    like the Hub (`<owner>/<name>/<config>/<split>-*.parquet`); the IDX files of a system
    package (Debian's dataset-fashion-mnist); the Hugging Face Hub, or with HF_HUB_OFFLINE=1
    what its client keeps; of texts the authors' own files. `digits` comes with scikit-learn.
    Arrays are kept in `ZOO_CACHE_DIR` (by default `~/.cache/zoo`), so images are decoded once.
    What came from the net is not asked for again while it is kept there.

    Args:
        name: one of `list_datasets()`.
        lang: the language of `nusax`, by its ISO 639-3 code; None means "ind", Indonesian.
        progress: whether to show a bar at a terminal while images are decoded.

    Raises:
        DatasetUnavailable: no source answered; the message has each one and why.
        ZooError: an unknown name or language, or a source that is there but damaged: that is
            never passed over in silence for the next one.
    """
    if lang is not None and name != "nusax":
        raise ZooError(f"lang is for nusax, which comes in several languages, got it for {name!r}.")
    if name == "digits":
        return load_digits()
    if name != "nusax" and name not in CATALOGUE:
        raise unknown_name("data set", name, list_datasets())
    dataset = nusax(lang or "ind") if name == "nusax" else CATALOGUE[name]
    tried = []
    for source in _sources(dataset):
        try:
            where, splits = source(dataset, progress)
        except _Absent as reason:
            tried.append(f"  - {reason}")
            continue
        return Dataset(
            dataset.name,
            where,
            dataset.classes,
            splits["train"],
            splits["test"],
            splits.get("validation"),
        )
    package = getattr(dataset, "package", None)
    install = f" or apt-get install {package}," if package else ""
    *others, last = (f"{split}-*.parquet" for split in dataset.splits)
    raise DatasetUnavailable(
        f"data set {dataset.name!r} was found nowhere:\n" + "\n".join(tried) + "\nTo mend it, go "
        f"online,{install} or set ZOO_DATA_DIR to a folder with "
        f"{dataset.repository}/{dataset.config}/{', '.join(others)} and {last}."
    )


def _sources(dataset: TableDataset) -> tuple[Callable[..., tuple[str, Splits]], ...]:
    """Where to look for it, in this order."""
    if isinstance(dataset, TextDataset):
        return _from_mirror, _from_hub, _from_authors
    return _from_mirror, _from_system_package, _from_hub


def _from_mirror(dataset: TableDataset, progress: bool) -> tuple[str, Splits]:
    root = os.environ.get("ZOO_DATA_DIR")
    if not root:
        raise _Absent("a mirror folder: ZOO_DATA_DIR is not set")
    if not Path(root).is_dir():
        raise ZooError(f"ZOO_DATA_DIR must be a folder, got {root!r}, which is none.")
    folder = Path(root, dataset.repository, dataset.config)
    files = {split: sorted(folder.glob(f"{split}-*.parquet")) for split in dataset.splits}
    if not any(files.values()):
        raise _Absent(f"the mirror folder {root}: no {dataset.repository}/{dataset.config} in it")
    missing = [split for split in dataset.splits if not files[split]]
    if missing:
        raise ZooError(f"{folder} must have files {missing[0]}-*.parquet, got none.")

    def decode() -> Splits:
        tables = {split: read_parquet(files[split]) for split in dataset.splits}
        return {
            split: table_split(dataset, table, f"{folder}/{split}-*", progress=progress)
            for split, table in tables.items()
        }

    every = [file for split in dataset.splits for file in files[split]]
    key = files_fingerprint(every, str(folder), *dataset.form)
    # Without the path: where a result came from is printed in tables that others read.
    return "the mirror folder in ZOO_DATA_DIR", cached(f"{dataset.name}-{key}", decode)


def _from_system_package(dataset: ImageDataset, progress: bool) -> tuple[str, Splits]:  # noqa: ARG001
    # No cache: reading the files takes no longer than reading one.
    if dataset.idx_folder is None:
        raise _Absent("a system package: there is none for this data set")
    files = find_idx(Path(dataset.idx_folder))
    if files is None:
        raise _Absent(f"the system package {dataset.package}: no files in {dataset.idx_folder}")
    splits = {split: read_idx_split(dataset, *pair) for split, pair in files.items()}
    return f"the system package {dataset.package}", splits


def _from_hub(dataset: TableDataset, progress: bool) -> tuple[str, Splits]:
    where = f"the Hugging Face Hub ({dataset.repository})"
    key = fingerprint("hub", dataset.repository, dataset.config, *dataset.form)
    return where, _fetched(key, dataset, where, lambda: hub_tables(dataset), progress)


def _from_authors(dataset: TextDataset, progress: bool) -> tuple[str, Splits]:
    where = "the authors' own files"
    key = fingerprint("authors", sorted(dataset.authors_files.items()), *dataset.form)
    return where, _fetched(key, dataset, where, lambda: authors_tables(dataset), progress)


def _fetched(
    key: str,
    dataset: TableDataset,
    where: str,
    tables_of: Callable[[], dict[str, Any]],
    progress: bool,
) -> Splits:
    """The splits from the tables of a source on the net, or as they were kept before."""

    def fetch() -> Splits:
        tables = tables_of()
        missing = [split for split in dataset.splits if split not in tables]
        if missing:
            raise ZooError(f"{where} must have a split {missing[0]!r}, got {', '.join(tables)}.")
        return {
            split: table_split(dataset, tables[split], f"{where}, {split}", progress=progress)
            for split in dataset.splits
        }

    try:
        return cached(f"{dataset.name}-{key}", fetch)
    except HubUnavailable as error:
        raise _Absent(f"{where}: {error}") from error
