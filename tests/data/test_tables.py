"""Tables of encoded images: labels by name, and everything that can be wrong with one."""

import io
from dataclasses import replace

import datasets
import numpy as np
import pyarrow
import pytest
from PIL import Image

from tests.functional.cases import zoo_error
from zoo.data.tables import read_parquet, table_split
from zoo.errors import ZooError

from .files import CLASSES, SMALL, pictures, png, table, write_parquet

IMAGES = pictures(4)
ENCODED = [png(image) for image in IMAGES]


def split(content, dataset=SMALL):
    return table_split(dataset, content, "the file", progress=False)


def test_images_and_labels():
    x, y = split(table(ENCODED, [2, 0, 1, 0]))
    assert (x.dtype, y.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(x, IMAGES)
    assert y.tolist() == [2, 0, 1, 0]


def test_labels_are_found_by_the_names_of_their_classes():
    _, y = split(table(ENCODED, [0, 1, 2, 1], names=["T-shirt / top", "ankle_boot", "BAG"]))
    assert [CLASSES[label] for label in y] == ["T-shirt/top", "Ankle boot", "Bag", "Ankle boot"]


def test_a_source_need_not_have_all_classes():
    _, y = split(table(ENCODED, [0, 1, 1, 0], names=["Bag", "Ankle boot"]))
    assert y.tolist() == [1, 0, 0, 1]


def test_labels_may_be_words():
    _, y = split(table(ENCODED, ["Bag", "T-shirt/top", "ankle boot", "Bag"], names=None))
    assert y.tolist() == [1, 2, 0, 1]


def test_another_image_column_and_colours():
    dataset = replace(SMALL, image_column="img", shape=(3, 2, 3))
    images = pictures(4, (3, 2, 3))
    content = table([png(image) for image in images], [0, 1, 2, 0], image_column="img")
    np.testing.assert_array_equal(split(content, dataset).x, images)


def test_colours_become_grey_where_grey_is_expected():
    """By the luma weights of ITU-R 601-2."""
    colours = pictures(4, (4, 5, 3))
    x, _ = split(table([png(image) for image in colours], [0, 1, 2, 0]))
    luma = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(x[..., 0] - luma).max() <= 1


def test_more_images_than_one_thread_takes_at_a_time_stay_in_order():
    images = pictures(600)
    x, y = split(table([png(image) for image in images], [i % 3 for i in range(600)]))
    np.testing.assert_array_equal(x, images)
    np.testing.assert_array_equal(y, np.arange(600) % 3)


@pytest.mark.parametrize("column", ["image", "label"])
def test_a_missing_column(column):
    content = table(ENCODED, [0, 1, 2, 0]).drop_columns(column)
    with zoo_error(f"the file must have a column {column!r}, got {content.column_names[0]}."):
        split(content)


def test_no_rows():
    with zoo_error("the file must have at least one row, got none."):
        split(table([], []))


def test_an_unknown_class():
    with zoo_error(
        "the file has classes that small has not: Hat, Sock. Known: Ankle boot, Bag, T-shirt/top."
    ):
        split(table(ENCODED, [0, 0, 1, 1], names=["Bag", "Sock", "Hat"]))
    with zoo_error(
        "the file has classes that small has not: Sock. Known: Ankle boot, Bag, T-shirt/top."
    ):
        split(table(ENCODED, ["Bag", "Sock", "Bag", "Sock"], names=None))


def test_labels_without_names():
    with zoo_error(
        "the file must name its classes (a ClassLabel in the schema, or labels that are words), "
        "got int64 without names."
    ):
        split(table(ENCODED, [0, 1, 2, 0], names=None))


@pytest.mark.parametrize("label", [-1, 3, None])
def test_a_bad_label(label):
    with zoo_error(f"the file: the label in row 2 must be between 0 and 2, got {label}."):
        split(table(ENCODED, [0, 1, label, 0]))


@pytest.mark.parametrize("damage", [b"", b"not an image", ENCODED[1][:-30]])
def test_a_damaged_image(damage):
    with pytest.raises(ZooError, match=r"^the file: the image in row 1 is damaged: .+\.$") as e:
        split(table([ENCODED[0], damage], [0, 1]))
    assert " at 0x" not in str(e.value)


def test_an_image_of_another_size():
    other = png(pictures(1, (5, 4, 1))[0])
    with zoo_error("the file: the image in row 1 must have (4, 5) pixels, got (5, 4)."):
        split(table([ENCODED[0], other], [0, 1]))


def test_an_image_that_is_not_there():
    with zoo_error("the file: the image in row 1 must be an encoded one, got NoneType."):
        split(table([ENCODED[0], None], [0, 1]))


def test_a_column_of_bytes_without_a_path():
    features = datasets.Features(
        {"image": datasets.Value("binary"), "label": datasets.ClassLabel(names=list(CLASSES))}
    )
    content = pyarrow.Table.from_pydict(
        {"image": ENCODED, "label": [0, 1, 2, 0]}, schema=features.arrow_schema
    )
    np.testing.assert_array_equal(split(content).x, IMAGES)


def test_other_encodings_are_decoded_too():
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 5), 90, np.uint8)).save(buffer, "jpeg")
    assert np.abs(split(table([buffer.getvalue()], [0])).x.astype(int) - 90).max() <= 2


def test_a_truncated_parquet_file(tmp_path):
    path = write_parquet(table(ENCODED, [0, 1, 2, 0]), tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        ZooError, match=r"a\.parquet is damaged: .+ Fetch the file anew\.$"
    ) as error:
        read_parquet([path])
    assert str(error.value).startswith(str(path))
    assert ".." not in str(error.value)


def test_shards_that_do_not_fit_together(tmp_path):
    content = table(ENCODED, [0, 1, 2, 0])
    one = write_parquet(content, tmp_path / "0.parquet")
    other = write_parquet(content.drop_columns("label"), tmp_path / "1.parquet")
    with pytest.raises(ZooError, match=r"the files beside .*0\.parquet do not fit together: "):
        read_parquet([one, other])
