"""IDX files: read to the byte, or refused."""

import gzip

import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.data.idx import find_idx, read_idx, read_idx_split
from zoo.errors import ZooError

from .files import SMALL, idx, pictures, write_idx


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_split_from_its_files(tmp_path, compressed):
    files = find_idx(write_idx(tmp_path, compressed=compressed))
    assert files is not None
    assert sorted(files) == ["test", "train"]
    x, y = read_idx_split(SMALL, *files["train"])
    assert (x.dtype, y.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(x, pictures(4))
    assert y.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("shape", [(0,), (7,), (2, 3), (2, 3, 4)])
def test_any_array_of_bytes(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    path = tmp_path / "array"
    path.write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(path, axes=len(shape)), array)


def test_a_package_that_is_not_there_is_none_and_half_of_one_is_an_error(tmp_path):
    assert find_idx(tmp_path / "none") is None
    write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ZooError, match=r"got no t10k-labels-idx1-ubyte\. Install the files anew"):
        find_idx(tmp_path)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "an empty file"),
        (b"\0\0", "0000"),
        (idx(np.zeros((2, 2))), "00000802"),  # two axes
        (b"\0\0\x0d" + idx(np.zeros(2))[3:], "00000d01"),  # floats
        (b"\0\0\x08\x01\0\0", "00000801"),  # ends inside the header
    ],
)
def test_a_file_of_another_form(tmp_path, content, got):
    path = tmp_path / "labels"
    path.write_bytes(content)
    with zoo_error(
        f"{path} must be an IDX file of bytes with 1 axes (starting with 00000801), got {got}. "
        "Install the file anew."
    ):
        read_idx(path, axes=1)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_shorter_or_longer_than_it_says(tmp_path, change):
    content = idx(np.zeros((2, 3, 4)))
    path = tmp_path / "images"
    path.write_bytes(content[:-1] if change < 0 else content + b"\0")
    with zoo_error(
        f"{path} is damaged: it must hold 24 bytes of values for its shape (2, 3, 4), got "
        f"{24 + change}. Install the file anew."
    ):
        read_idx(path, axes=3)


def test_damaged_compression(tmp_path):
    path = tmp_path / "images.gz"
    whole = gzip.compress(idx(pictures(4)[..., 0]))
    flipped = bytearray(whole)
    flipped[30] ^= 255
    for content in (b"", whole[:-12], b"not gzip", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(ZooError) as error:
            read_idx(path, axes=3)
        assert str(error.value).startswith(f"{path} ")
        assert str(error.value).endswith(" Install the file anew.")


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ZooError, match=r"is damaged: .*Is a directory"):
        read_idx(tmp_path, axes=1)


@pytest.mark.parametrize(
    ("images", "labels", "got"),
    [
        (pictures(4), 3, "4 of (4, 5) and 3 labels"),
        (pictures(4, (5, 4, 1)), 4, "4 of (5, 4) and 4 labels"),
        (pictures(0), 0, "0 of (4, 5) and 0 labels"),
    ],
    ids=["counts", "size", "empty"],
)
def test_two_files_that_do_not_fit(tmp_path, images, labels, got):
    paths = tmp_path / "images", tmp_path / "labels"
    paths[0].write_bytes(idx(images[..., 0]))
    paths[1].write_bytes(idx(np.zeros(labels)))
    with zoo_error(
        f"{paths[0]} must hold images of (4, 5) pixels, as many as {paths[1]} has labels, got "
        f"{got}. Install the files anew."
    ):
        read_idx_split(SMALL, *paths)


def test_a_label_out_of_range(tmp_path):
    paths = tmp_path / "images", tmp_path / "labels"
    paths[0].write_bytes(idx(pictures(4)[..., 0]))
    paths[1].write_bytes(idx(np.array([0, 1, 3, 2])))
    with zoo_error(f"{paths[1]} must hold labels from 0 to 2, got 3. Install the file anew."):
        read_idx_split(SMALL, *paths)
