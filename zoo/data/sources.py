"""Data sets by name, from the first source that has them."""

import os
from pathlib import Path

from zoo.data.cache import Splits, cached, files_fingerprint, fingerprint
from zoo.data.catalogue import CATALOGUE, ImageDataset
from zoo.data.dataset import Dataset, DatasetUnavailable
from zoo.data.digits import load_digits
from zoo.data.hub import HubUnavailable, hub_tables
from zoo.data.idx import find_idx, read_idx_split
from zoo.data.tables import read_parquet, table_split
from zoo.errors import ZooError, unknown_name

SPLITS = ("train", "test")


class _Absent(Exception):  # noqa: N818
    """A source does not have the data set; the message says why."""


def list_datasets() -> tuple[str, ...]:
    """The names that `load` knows.

    >>> list_datasets()
    ('cifar10', 'digits', 'fashion_mnist', 'mnist')
    """
    return tuple(sorted((*CATALOGUE, "digits")))


def load(name: str, *, progress: bool = True) -> Dataset:
    """A data set of images by name, with labels in the order of its class names.

    Sources, in this order: the folder in the environment variable `ZOO_DATA_DIR`, laid out
    like the Hub (`<owner>/<name>/<config>/<split>-*.parquet`); the IDX files of a system
    package (Debian's dataset-fashion-mnist); the Hugging Face Hub, or with HF_HUB_OFFLINE=1
    what its client keeps. `digits` comes with scikit-learn. Images are decoded once and kept as
    arrays in `ZOO_CACHE_DIR` (by default `~/.cache/zoo`). What came from the Hub is not asked
    for again while it is kept there.

    Args:
        name: one of `list_datasets()`.
        progress: whether to show a bar at a terminal while images are decoded.

    Raises:
        DatasetUnavailable: no source answered; the message has each one and why.
        ZooError: an unknown name, or a source that is there but damaged: that is never passed
            over in silence for the next one.
    """
    if name == "digits":
        return load_digits()
    if name not in CATALOGUE:
        raise unknown_name("data set", name, list_datasets())
    dataset = CATALOGUE[name]
    tried = []
    for source in (_from_mirror, _from_system_package, _from_hub):
        try:
            where, splits = source(dataset, progress)
        except _Absent as reason:
            tried.append(f"  - {reason}")
            continue
        return Dataset(name, where, dataset.classes, splits["train"], splits["test"])
    package = f" or apt-get install {dataset.package}," if dataset.package else ""
    raise DatasetUnavailable(
        f"data set {name!r} was found nowhere:\n" + "\n".join(tried) + "\nTo mend it, go online,"
        f"{package} or set ZOO_DATA_DIR to a folder with "
        f"{dataset.repository}/{dataset.config}/train-*.parquet and test-*.parquet."
    )


def _from_mirror(dataset: ImageDataset, progress: bool) -> tuple[str, Splits]:
    root = os.environ.get("ZOO_DATA_DIR")
    if not root:
        raise _Absent("a mirror folder: ZOO_DATA_DIR is not set")
    if not Path(root).is_dir():
        raise ZooError(f"ZOO_DATA_DIR must be a folder, got {root!r}, which is none.")
    folder = Path(root, dataset.repository, dataset.config)
    files = {split: sorted(folder.glob(f"{split}-*.parquet")) for split in SPLITS}
    if not any(files.values()):
        raise _Absent(f"the mirror folder {root}: no {dataset.repository}/{dataset.config} in it")
    missing = [split for split in SPLITS if not files[split]]
    if missing:
        raise ZooError(f"{folder} must have files {missing[0]}-*.parquet, got none.")

    def decode() -> Splits:
        return {
            split: table_split(
                dataset, read_parquet(files[split]), f"{folder}/{split}-*", progress=progress
            )
            for split in SPLITS
        }

    every = [file for split in SPLITS for file in files[split]]
    key = files_fingerprint(every, str(folder), dataset.shape, dataset.classes)
    return f"the mirror folder {root}", cached(f"{dataset.name}-{key}", decode)


def _from_system_package(dataset: ImageDataset, progress: bool) -> tuple[str, Splits]:  # noqa: ARG001
    # No cache: reading the files takes no longer than reading one.
    if dataset.idx_folder is None:
        raise _Absent("a system package: there is none for this data set")
    files = find_idx(Path(dataset.idx_folder))
    if files is None:
        raise _Absent(f"the system package {dataset.package}: no files in {dataset.idx_folder}")
    splits = {split: read_idx_split(dataset, *pair) for split, pair in files.items()}
    return f"the system package {dataset.package}", splits


def _from_hub(dataset: ImageDataset, progress: bool) -> tuple[str, Splits]:
    where = f"the Hugging Face Hub ({dataset.repository})"

    def fetch() -> Splits:
        tables = hub_tables(dataset)
        missing = [split for split in SPLITS if split not in tables]
        if missing:
            raise ZooError(f"{where} must have a split {missing[0]!r}, got {', '.join(tables)}.")
        return {
            split: table_split(dataset, tables[split], f"{where}, {split}", progress=progress)
            for split in SPLITS
        }

    key = fingerprint("hub", dataset.repository, dataset.config, dataset.shape, dataset.classes)
    try:
        return where, cached(f"{dataset.name}-{key}", fetch)
    except HubUnavailable as error:
        raise _Absent(f"{where}: {error}") from error
