"""Images with several labels from files as COCO, Pascal VOC and the Hub have them."""

import io
import json
import logging
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from zoo.data import DatasetUnavailable, load_coco, load_label_lists, load_voc
from zoo.errors import ZooError

SHAPE = (4, 6, 3)
SHADES = {"one": 10, "two": 90, "three": 200}


def picture(shade, size=(6, 4), kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0]), shade, np.uint8)).save(out, format=kind)
    return out.getvalue()


@pytest.fixture
def coco(tmp_path):
    """Three images, one of another size; the cat is in the first one twice."""
    for name, shade in SHADES.items():
        size = (6, 4) if name == "one" else (9, 12)
        (tmp_path / f"{name}.png").write_bytes(picture(shade, size))
    content = {
        "categories": [
            {"id": 7, "name": "dog"},
            {"id": 3, "name": "cat"},
            {"id": 9, "name": "cow"},
        ],
        "images": [
            {"id": number, "file_name": f"{name}.png"} for number, name in enumerate(SHADES)
        ],
        "annotations": [
            {"image_id": image, "category_id": category, "bbox": [0, 0, 1, 1]}
            for image, category in ((0, 3), (0, 7), (0, 3), (1, 9), (2, 7))
        ],
    }

    def write(change=lambda _: None):
        changed = json.loads(json.dumps(content))
        change(changed)
        path = tmp_path / "instances.json"
        path.write_text(json.dumps(changed))
        return path

    return write


def test_coco(coco, tmp_path):
    split, classes = load_coco(coco(), tmp_path, shape=SHAPE, progress=False)
    assert classes == ("cat", "dog", "cow")  # by their ids
    assert split.y.tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert (split.x.shape, split.x.dtype, split.y.dtype) == ((3, *SHAPE), np.uint8, np.bool_)
    assert [int(image.min()) for image in split.x] == list(SHADES.values())


def test_coco_with_a_label_set_of_one_s_own(coco, tmp_path):
    classes = ["cow", "dog", "cat", "bird"]
    split, given = load_coco(coco(), tmp_path, shape=SHAPE, classes=classes, progress=False)
    assert given == tuple(classes)
    assert split.y.astype(int).tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_a_label_outside_of_the_label_set(coco, tmp_path):
    with pytest.raises(ZooError) as caught:
        load_coco(coco(), tmp_path, shape=SHAPE, classes=["cat"], progress=False)
    assert str(caught.value) == (
        f"{tmp_path / 'instances.json'} must have labels of the label set (cat), got 'cow' (1×), "
        "'dog' (2×). Pass the classes that belong to it."
    )
    path = coco(lambda c: c["annotations"].append({"image_id": 0, "category_id": 5}))
    with pytest.raises(ZooError, match=re.escape("got 'category 5' (1×)")):
        load_coco(path, tmp_path, shape=SHAPE, progress=False)


def incomplete(content):
    content["annotations"] += [{"image_id": 40 + i, "category_id": 3} for i in range(7)]
    content["images"] += [{"id": 8, "file_name": "gone.png"}]
    content["annotations"] += [{"image_id": 8, "category_id": 3}]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] != 1]


def test_what_is_incomplete_is_named_and_counted(coco, tmp_path):
    path = coco(incomplete)
    with pytest.raises(ZooError) as caught:
        load_coco(path, tmp_path, shape=SHAPE, progress=False)
    assert str(caught.value) == (
        f"{path} must have an image and a label for every entry, got 7 annotations without an "
        "image (40, 41, 42, 43, 44, …); 1 images without a label (two.png); 1 entries without an "
        "image file (gone.png). Mend the files, or pass incomplete='leave_out' to go on without "
        "these."
    )


def test_what_is_incomplete_can_be_left_out(coco, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "zoo")
    split, _ = load_coco(
        coco(incomplete), tmp_path, shape=SHAPE, incomplete="leave_out", progress=False
    )
    assert split.y.astype(int).tolist() == [[1, 1, 0], [0, 1, 0]]
    assert [int(image.min()) for image in split.x] == [10, 200]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "left out 7 annotations without an image (40, 41, 42, 43, 44, …)" in message
    with pytest.raises(ZooError, match="incomplete must be 'refuse' or 'leave_out', got 'skip'"):
        load_coco(coco(), tmp_path, shape=SHAPE, incomplete="skip", progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("categories"), "must have a list 'categories' of entries with id and"),
        (lambda c: c["images"].append({"id": 5}), "must have a list 'images' of entries with id"),
        (
            lambda c: c["categories"].append({"id": 1, "name": "cat"}),
            r"classes must be different names, at least one, got more than once: \['cat'\]",
        ),
        (lambda c: c["annotations"].clear(), "3 images without a label"),
        (
            lambda c: c["annotations"].append({"image_id": [1], "category_id": 3}),
            "must have a list 'annotations' of entries with image_id and category_id",
        ),
        (
            lambda c: c["images"].append({"id": 2, "file_name": "four.png"}),
            r"must have a different id for each of its images, got more than once: 2\.",
        ),
        (
            lambda c: c["images"].append({"id": 3, "file_name": "one.png"}),
            r"must have a different file_name for each of its images, got more than once: one\.png",
        ),
        (
            lambda c: c["categories"].append({"id": 7, "name": "bird"}),
            r"must have a different id for each of its categories, got more than once: 7\.",
        ),
    ],
)
def test_a_file_that_is_not_coco_s(coco, tmp_path, change, message):
    with pytest.raises(ZooError, match=message):
        load_coco(coco(change), tmp_path, shape=SHAPE, progress=False)


def test_damaged_files(coco, tmp_path):
    path = coco()
    (tmp_path / "two.png").write_bytes(b"no picture")
    with pytest.raises(ZooError, match=r"the image in two\.png is damaged"):
        load_coco(path, tmp_path, shape=SHAPE, progress=False)
    path.write_text("{")
    with pytest.raises(ZooError, match="must be a JSON file and is damaged"):
        load_coco(path, tmp_path, shape=SHAPE, progress=False)
    with pytest.raises(ZooError, match=r"shape must be \(height, width, 1 or 3\), got \(4, 6, 2\)"):
        load_coco(coco(), tmp_path, shape=(4, 6, 2), progress=False)


@pytest.fixture
def voc(tmp_path):
    for folder in ("ImageSets/Main", "Annotations", "JPEGImages"):
        (tmp_path / folder).mkdir(parents=True)
    objects = {
        "000001": [("dog", 0), ("dog", 0), ("person", 0)],
        "000002": [("cat", 0), ("sofa", 1)],
        "000003": [("train", 1)],
    }
    for name, found in objects.items():
        (tmp_path / "JPEGImages" / f"{name}.jpg").write_bytes(picture(100, kind="JPEG"))
        inner = "".join(
            f"<object><name>{kind}</name><difficult>{hard}</difficult></object>"
            for kind, hard in found
        )
        xml = f"<annotation><filename>{name}.jpg</filename>{inner}</annotation>"
        (tmp_path / "Annotations" / f"{name}.xml").write_text(xml)
    (tmp_path / "ImageSets/Main/train.txt").write_text("000001\n000002\n")
    (tmp_path / "ImageSets/Main/all.txt").write_text("000001\n000002\n000003\n000004\n")
    return tmp_path


def names(split, classes):
    return [{classes[k] for k in np.flatnonzero(row)} for row in split.y]


def test_voc(voc):
    split, classes = load_voc(voc, "train", shape=(4, 6, 1), progress=False)
    assert len(classes) == 20
    assert split.x.shape == (2, 4, 6, 1)
    assert names(split, classes) == [{"dog", "person"}, {"cat"}]
    split, _ = load_voc(voc, "train", shape=SHAPE, difficult=True, progress=False)
    assert names(split, classes) == [{"dog", "person"}, {"cat", "sofa"}]


def test_voc_with_what_is_missing(voc):
    with pytest.raises(ZooError) as caught:
        load_voc(voc, "all", shape=SHAPE, progress=False)
    assert "1 entries without an annotation file (000004)" in str(caught.value)
    assert "1 images without a label (000003)" in str(caught.value)
    with pytest.raises(ZooError, match="must be a folder of Pascal VOC, got no file"):
        load_voc(voc, "test", shape=SHAPE, progress=False)
    with pytest.raises(ZooError, match=re.escape("got 'person' (1×)")):
        load_voc(voc, "train", shape=SHAPE, classes=["dog", "cat"], progress=False)
    (voc / "Annotations" / "000001.xml").write_text("<annotation>")
    with pytest.raises(ZooError, match="must be an XML file and is damaged"):
        load_voc(voc, "train", shape=SHAPE, progress=False)


def mirror(root: Path, labels, features=None):
    folder = root / "someone" / "tags" / "default"
    folder.mkdir(parents=True)
    images = [{"bytes": picture(shade)} for shade in SHADES.values()]
    table = pa.table({"image": images, "labels": labels})
    if features is not None:
        schema = {"info": {"features": features}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(schema)})
    pq.write_table(table, folder / "train-00000-of-00001.parquet")


NAMED = {
    "image": {"_type": "Image"},
    "labels": {"_type": "List", "feature": {"_type": "ClassLabel", "names": ["cat", "dog"]}},
}


def load_tags(**options):
    return load_label_lists("someone/tags", "train", shape=SHAPE, progress=False, **options)


def test_the_hub_s_numbers_are_named_by_the_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    mirror(tmp_path, [[0], [1, 0, 1], [1]], NAMED)
    split, classes = load_tags()
    assert classes == ("cat", "dog")
    assert split.y.astype(int).tolist() == [[1, 0], [1, 1], [0, 1]]
    assert [int(image.min()) for image in split.x] == list(SHADES.values())
    split, _ = load_tags(classes=["dog", "cat"])
    assert split.y.astype(int).tolist() == [[0, 1], [1, 1], [1, 0]]


def test_words_need_a_label_set(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    mirror(tmp_path, [["cat"], ["dog", "cat"], []])
    with pytest.raises(ZooError, match="has no names for its labels: pass classes"):
        load_tags()
    with pytest.raises(ZooError, match=r"1 images without a label \(row 2\)"):
        load_tags(classes=["cat", "dog"])
    split, _ = load_tags(classes=["cat", "dog"], incomplete="leave_out")
    assert split.y.astype(int).tolist() == [[1, 0], [1, 1]]
    with pytest.raises(ZooError, match=re.escape("got 'dog' (1×)")):
        load_tags(classes=["cat"], incomplete="leave_out")
    with pytest.raises(ZooError, match="must have a column 'tags', got image, labels"):
        load_tags(label_column="tags")


def test_a_column_without_lists(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    mirror(tmp_path, ["cat", "dog", "cat"])
    with pytest.raises(ZooError, match=r"column 'labels' of someone/tags .* must hold lists"):
        load_tags(classes=["cat", "dog"])


def test_a_repository_that_is_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DatasetUnavailable, match="someone/tags was not found in the folder of"):
        load_tags()
