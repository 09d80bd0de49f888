"""Where a data set comes from: the order of the sources, and what is said when none has it."""

import dataclasses

import datasets
import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.data import DatasetUnavailable, list_datasets, load, sources
from zoo.data.catalogue import CATALOGUE
from zoo.errors import ZooError

from .files import CLASSES, SMALL, pictures, png, table, write_idx, write_mirror, write_parquet


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """An empty mirror folder."""
    root = tmp_path / "mirror"
    root.mkdir()
    monkeypatch.setenv("ZOO_DATA_DIR", str(root))
    return root


def hub_with(**splits):
    """The Hub's client with these numbers of examples."""

    def load_dataset(repository, config):
        assert (repository, config) == (SMALL.repository, SMALL.config)
        return {
            name: datasets.Dataset(
                table([png(image) for image in pictures(n)], [i % 3 for i in range(n)])
            )
            for name, n in splits.items()
        }

    return load_dataset


@pytest.mark.usefixtures("small")
def test_the_mirror_folder_comes_first_then_the_package_then_the_hub(mirror, monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", hub_with(train=7, test=5))
    data = load("small")
    assert data.source == "the Hugging Face Hub (owner/small)"
    assert (len(data.train.y), len(data.test.y)) == (7, 5)

    write_idx(mirror.parent / "package", count=4)
    data = load("small")
    assert data.source == "the system package dataset-small"
    assert (len(data.train.y), len(data.test.y)) == (4, 4)

    write_mirror(mirror, train=6, test=3)
    data = load("small")
    assert data.source == "the mirror folder in ZOO_DATA_DIR"
    assert (len(data.train.y), len(data.test.y)) == (6, 3)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("source", ["mirror", "package", "hub"])
def test_every_source_gives_the_same_arrays(mirror, monkeypatch, source):
    if source == "mirror":
        write_mirror(mirror, train=4, test=4)
    elif source == "package":
        write_idx(mirror.parent / "package", count=4)
    else:
        monkeypatch.setattr("datasets.load_dataset", hub_with(train=4, test=4))
    data = load("small", progress=False)
    assert (data.name, data.classes, data.validation) == ("small", CLASSES, None)
    for split in (data.train, data.test):
        assert (split.x.dtype, split.y.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(split.x, pictures(4))
        assert split.y.tolist() == [0, 1, 2, 0]


@pytest.mark.usefixtures("small")
def test_one_error_has_every_place_and_what_to_do(mirror, monkeypatch):
    def load_dataset(*_):
        raise ConnectionError("no network\nand so on")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    with pytest.raises(DatasetUnavailable) as error:
        load("small")
    assert str(error.value).splitlines() == [
        "data set 'small' was found nowhere:",
        f"  - the mirror folder {mirror}: no owner/small/plain in it",
        f"  - the system package dataset-small: no files in {mirror.parent / 'package'}",
        "  - the Hugging Face Hub (owner/small): ConnectionError: no network",
        "To mend it, go online, or apt-get install dataset-small, or set ZOO_DATA_DIR to a folder "
        "with owner/small/plain/train-*.parquet and test-*.parquet.",
    ]


def test_a_data_set_without_a_package_and_no_mirror_folder(small, monkeypatch):
    monkeypatch.setitem(
        CATALOGUE, "small", dataclasses.replace(small, idx_folder=None, package=None)
    )
    with pytest.raises(DatasetUnavailable) as error:
        load("small")
    lines = str(error.value).splitlines()
    assert lines[1:3] == [
        "  - a mirror folder: ZOO_DATA_DIR is not set",
        "  - a system package: there is none for this data set",
    ]
    assert lines[-1].startswith("To mend it, go online, or set ZOO_DATA_DIR to a folder with")


@pytest.mark.usefixtures("small")
def test_a_mirror_folder_that_is_none(tmp_path, monkeypatch):
    path = tmp_path / "none"
    monkeypatch.setenv("ZOO_DATA_DIR", str(path))
    with zoo_error(f"ZOO_DATA_DIR must be a folder, got {str(path)!r}, which is none."):
        load("small")


@pytest.mark.usefixtures("small")
def test_a_mirror_with_one_split_is_not_passed_over(mirror, monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", hub_with(train=7, test=5))
    folder = write_mirror(mirror)
    (folder / "test-00000-of-00001.parquet").unlink()
    with zoo_error(f"{folder} must have files test-*.parquet, got none."):
        load("small")


@pytest.mark.usefixtures("small")
def test_a_damaged_source_is_not_passed_over(mirror, monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", hub_with(train=7, test=5))
    folder = write_mirror(mirror)
    (folder / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(ZooError, match="is damaged") as error:
        load("small")
    assert not isinstance(error.value, DatasetUnavailable)


@pytest.mark.usefixtures("small")
def test_a_hub_with_one_split(monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", hub_with(train=7, validation=2))
    with zoo_error(
        "the Hugging Face Hub (owner/small) must have a split 'test', got train, validation."
    ):
        load("small")


@pytest.mark.usefixtures("small")
def test_shards_are_one_split_in_their_order(mirror):
    folder = mirror / SMALL.repository / SMALL.config
    images, labels = pictures(7), [0, 1, 2, 0, 1, 2, 0]
    for shard, rows in enumerate((range(3), range(3, 4), range(4, 7))):
        content = table([png(images[row]) for row in rows], [labels[row] for row in rows])
        write_parquet(content, folder / f"train-0000{shard}-of-00003.parquet")
    write_parquet(table([png(images[0])], [0]), folder / "test-00000-of-00001.parquet")
    data = load("small")
    np.testing.assert_array_equal(data.train.x, images)
    assert data.train.y.tolist() == labels


@pytest.mark.usefixtures("small")
def test_a_source_is_decoded_once(mirror, monkeypatch):
    write_mirror(mirror)
    first = load("small")
    monkeypatch.setattr(sources, "table_split", None)
    again = load("small")
    for split in ("train", "test"):
        for one, other in zip(getattr(again, split), getattr(first, split), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("small")
def test_what_came_from_the_hub_is_not_asked_for_again(monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", hub_with(train=7, test=5))
    load("small")
    monkeypatch.setattr(sources, "hub_tables", None)
    assert len(load("small").train.y) == 7


@pytest.mark.usefixtures("small")
def test_a_changed_file_is_decoded_anew(mirror):
    write_mirror(mirror, seed=0)
    load("small")
    write_mirror(mirror, seed=1)
    np.testing.assert_array_equal(load("small").train.x, pictures(6, seed=1))


def test_another_order_of_our_classes_is_another_cache(small, mirror, monkeypatch):
    write_mirror(mirror)
    load("small")
    monkeypatch.setitem(CATALOGUE, "small", dataclasses.replace(small, classes=CLASSES[::-1]))
    assert load("small").train.y.tolist() == [2, 1, 0, 2, 1, 0]


def test_unknown_names():
    with zoo_error(
        "unknown data set 'fashionmnist': did you mean 'fashion_mnist' or 'mnist'? Known: "
        "cifar10, digits, fashion_mnist, mnist, nusax."
    ):
        load("fashionmnist")


@pytest.mark.usefixtures("small")
def test_the_list_has_the_catalogue_and_digits():
    assert list_datasets() == ("cifar10", "digits", "fashion_mnist", "mnist", "nusax", "small")


def test_the_catalogue_is_consistent():
    for name, dataset in CATALOGUE.items():
        assert name == dataset.name
        assert len(set(dataset.classes)) == len(dataset.classes) == 10
        assert (dataset.idx_folder is None) == (dataset.package is None)
