"""A folder of one's own images, and a choice of classes."""

import io
import logging

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.functional.cases import zoo_error
from zoo.data import choose_classes, load, load_folder
from zoo.data.images import decode_image


def write(folder, name, size=(9, 7), mode="RGB", colour=None):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Red and grey images in several sizes and modes, five a class, and files that are none."""
    for i in range(5):
        write(tmp_path, f"red/{i}.png", (5 + i, 7), "RGB", (255, 0, 0))
    write(tmp_path, "grey/0.png", mode="L", colour=128)
    write(tmp_path, "grey/1.png", mode="RGBA", colour=(128, 128, 128, 255))
    write(tmp_path, "grey/2.png", mode="LA", colour=(128, 255))
    write(tmp_path, "grey/3.jpg", mode="L", colour=128)
    write(tmp_path, "grey/4.png", mode="P", colour=0)
    (tmp_path / "grey" / ".hidden").write_text("no image")
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").write_text("no class")
    return tmp_path


def test_sub_folders_are_the_classes(folder):
    data = load_folder(folder, (6, 8, 3))
    assert (data.name, data.source) == (folder.name, f"the folder {folder.name}")
    assert data.classes == ("grey", "red")
    assert data.train.x.shape == (8, 6, 8, 3)
    assert data.test.x.shape == (2, 6, 8, 3)
    assert data.train.x.dtype == np.uint8
    assert sorted(data.train.y) == [0] * 4 + [1] * 4
    for split in (data.train, data.test):
        np.testing.assert_array_equal(
            split.x[split.y == 1], np.broadcast_to([255, 0, 0], split.x[split.y == 1].shape)
        )
        grey = split.x[split.y == 0]
        np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_grey_is_asked_for(folder):
    assert load_folder(folder, (6, 8, 1)).train.x.shape == (8, 6, 8, 1)


def test_grey_of_16_bits_keeps_its_light(folder):
    for i, grey in enumerate((0, 100, 255)):
        Image.fromarray(np.full((6, 8), 257 * grey, np.uint16)).save(folder / f"grey/16-{i}.png")
    pixels = [
        decode_image((folder / f"grey/16-{i}.png").read_bytes(), (6, 8, 3), "it") for i in range(3)
    ]
    assert [set(image.ravel().tolist()) for image in pixels] == [{0}, {100}, {255}]
    Image.fromarray(np.zeros((6, 8), np.float32)).save(folder / "grey/float.tiff")
    with zoo_error("it is damaged: it has 32 bits a pixel, and must have 8 or 16 a channel."):
        decode_image((folder / "grey/float.tiff").read_bytes(), (6, 8, 3), "it")


def test_a_photo_is_turned_as_its_camera_was_held():
    """Orientation 6: the first row of the file is the right edge of what was seen."""
    stored = np.zeros((4, 8, 3), np.uint8)
    stored[:2] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    Image.fromarray(stored).save(file, format="PNG", exif=exif)
    seen = decode_image(file.getvalue(), (8, 4, 1), "it")[..., 0]
    assert (seen == np.where(np.arange(4) < 2, 0, 255)).all()


def test_the_seed_decides_what_is_held_out(tmp_path):
    for label in ("a", "b"):
        for i in range(10):
            write(tmp_path, f"{label}/{i}.png", mode="L", colour=i)
    first, again, other = (
        load_folder(tmp_path, (4, 4, 1), seed=seed).test.x[:, 0, 0, 0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_damaged_image_is_named_and_the_rest_goes_on(folder, caplog):
    damaged = folder / "red" / "damaged.png"
    damaged.write_bytes((folder / "red" / "0.png").read_bytes()[:40])
    with caplog.at_level(logging.WARNING, "zoo"):
        data = load_folder(folder, (6, 8, 3))
    assert len(data.train.y) + len(data.test.y) == 10
    (record,) = caplog.records
    assert record.getMessage().startswith(f"Left out: {damaged} is damaged: ")
    with zoo_error("it is damaged: no image format that Pillow knows."):
        decode_image(b"no image", (6, 8, 3), "it")


def test_refusals(folder, tmp_path):
    with zoo_error(f"folder must have a sub-folder for each class, got no folder {tmp_path}/no."):
        load_folder(tmp_path / "no", (6, 8, 3))
    with zoo_error(
        f"{folder / 'red'} must have at least two sub-folders, one for each class, got 0."
    ):
        load_folder(folder / "red", (6, 8, 3))
    (folder / "empty").mkdir()
    (folder / "junk").mkdir()
    (folder / "junk" / "a.png").write_text("no image")
    with zoo_error(
        f"each class of {folder} must have an image that can be decoded, got none for empty, junk."
    ):
        load_folder(folder, (6, 8, 3))


def test_classes_are_chosen_by_name():
    digits = load("digits")
    chosen = choose_classes(digits, ("7", "2"))
    assert chosen.classes == ("7", "2")
    for split, of in ((chosen.train, digits.train), (chosen.test, digits.test)):
        np.testing.assert_array_equal(split.x[split.y == 0], of.x[of.y == 7])
        np.testing.assert_array_equal(split.x[split.y == 1], of.x[of.y == 2])
        assert len(split.y) == np.isin(of.y, (2, 7)).sum()
        assert split.y.dtype == np.int32


def test_classes_that_cannot_be_chosen():
    digits = load("digits")
    with zoo_error(
        "unknown class of digits '77': did you mean '7'? Known: " + ", ".join("0123456789") + "."
    ):
        choose_classes(digits, ("77", "2"))
    for names in (("2",), ("2", "2")):
        with zoo_error(f"classes must be at least two different names, got {', '.join(names)}."):
            choose_classes(digits, names)
