"""Images with several labels from annotation files: COCO's JSON, Pascal VOC's folders, the Hub.

All of them give a split with `y [N, K]`, boolean, and images of one size. What does not fit is
gathered and said in one error: labels outside of the label set, entries without an image, images
without a label. A label that is given twice for one image counts once.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np

from zoo.data.catalogue import ImageDataset
from zoo.data.dataset import DatasetUnavailable, Split
from zoo.data.hub import HubUnavailable, hub_tables
from zoo.data.images import decode_images
from zoo.data.tables import read_parquet
from zoo.errors import ZooError, require

_log = logging.getLogger("zoo")

Incomplete = Literal["refuse", "leave_out"]

# fmt: off
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)
# fmt: on


@dataclass
class _Problems:
    """What does not fit, by kind, each with the names of those it was found at."""

    where: str
    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: Hashable) -> None:
        self.found.setdefault(kind, []).append(str(name))

    def settle(self, incomplete: Incomplete) -> None:
        """Refuses, or says that those at fault are left out."""
        if incomplete not in ("refuse", "leave_out"):
            raise ZooError(f"incomplete must be 'refuse' or 'leave_out', got {incomplete!r}.")
        if not self.found:
            return
        kinds = "; ".join(
            f"{len(names)} {kind} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})"
            for kind, names in self.found.items()
        )
        if incomplete == "refuse":
            raise ZooError(
                f"{self.where} must have an image and a label for every entry, got {kinds}. Mend "
                "the files, or pass incomplete='leave_out' to go on without these."
            )
        _log.warning("%s: left out %s.", self.where, kinds)


def check_label_names(classes: Sequence[str]) -> tuple[str, ...]:
    """`classes` as a tuple, unless there are none or one is there twice."""
    twice = sorted({name for name in classes if list(classes).count(name) > 1})
    if isinstance(classes, str) or not classes or twice:
        raise ZooError(
            "classes must be different names, at least one, got "
            f"{f'more than once: {twice}' if twice else repr(classes)}."
        )
    return tuple(classes)


def _indicators(where: str, labels: Sequence[Iterable[str]], classes: Sequence[str]) -> np.ndarray:
    """`[N, K]`: whether each of the lists has each of the classes."""
    number = {name: k for k, name in enumerate(classes)}
    unknown: dict[str, int] = {}
    y = np.zeros((len(labels), len(classes)), bool)
    for row, names in enumerate(labels):
        for name in names:
            if name in number:
                y[row, number[name]] = True
            else:
                unknown[name] = unknown.get(name, 0) + 1
    if unknown:
        counts = ", ".join(f"{name!r} ({count}×)" for name, count in sorted(unknown.items()))
        raise ZooError(
            f"{where} must have labels of the label set ({', '.join(classes)}), got {counts}. "
            "Pass the classes that belong to it."
        )
    return y


def load_coco(
    annotations: Path,
    images: Path,
    *,
    shape: tuple[int, int, int],
    classes: Sequence[str] | None = None,
    incomplete: Incomplete = "refuse",
    progress: bool = True,
) -> tuple[Split, tuple[str, ...]]:
    """A split from a COCO-style annotation file: `images`, `annotations` and `categories`.

    Args:
        annotations: the JSON file. Of its annotations only `image_id` and `category_id` are read.
        images: the folder with the files that `images` names.
        shape: height, width and channels (1 or 3) that every image is brought to.
        classes: the label set, in the order of the labels; None means the file's categories in
            the order of their ids. A test split needs those of its training split.
        incomplete: what to do about annotations without an image and images without an
            annotation: "refuse", or "leave_out" with a warning that names and counts them.
        progress: whether to show a bar at a terminal.

    Returns:
        The split, and the label set.

    Raises:
        ZooError: the file is damaged or not of this form, a label is not in the label set, an image
            cannot be decoded, or nothing is left.

    Source: Lin et al., 2014, https://arxiv.org/abs/1405.0312
    """
    where = str(annotations)
    content = _read_coco(annotations)
    categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    named = [categories[key] for key in sorted(categories)]
    label_set = check_label_names(named if classes is None else classes)
    problems = _Problems(where)
    files = {entry["id"]: str(entry["file_name"]) for entry in content["images"]}
    labels: dict[Any, list[str]] = {key: [] for key in files}
    for entry in content["annotations"]:
        if entry["image_id"] not in files:
            problems.add("annotations without an image", entry["image_id"])
        else:
            category = entry["category_id"]
            labels[entry["image_id"]].append(categories.get(category, f"category {category}"))
    kept = {files[key]: (images / files[key], names) for key, names in labels.items()}
    return _split(where, kept, label_set, problems, shape, incomplete, progress), label_set


def _read_coco(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ZooError(f"{path} must be a JSON file and is damaged: {error}.") from error
    needed = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id"),
        "categories": ("id", "name"),
    }
    for part, names in needed.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and all(isinstance(entry.get(n), int | str) for n in names)
            for entry in entries
        ):
            raise ZooError(
                f"{path} must have a list {part!r} of entries with {' and '.join(names)}, as "
                "COCO's annotation files do."
            )
    for part, name in (("images", "id"), ("images", "file_name"), ("categories", "id")):
        counts = Counter(str(entry[name]) for entry in content[part])
        twice = [value for value, count in counts.items() if count > 1]
        if twice:
            raise ZooError(
                f"{path} must have a different {name} for each of its {part}, got more than once: "
                f"{', '.join(twice[:5])}{', …' if len(twice) > 5 else ''}."
            )
    return content


def load_voc(
    folder: Path,
    split: str,
    *,
    shape: tuple[int, int, int],
    classes: Sequence[str] = VOC_CLASSES,
    difficult: bool = False,
    incomplete: Incomplete = "refuse",
    progress: bool = True,
) -> tuple[Split, tuple[str, ...]]:
    """A split from a Pascal VOC folder, such as `VOCdevkit/VOC2007`.

    Args:
        folder: has `ImageSets/Main/<split>.txt`, `Annotations/*.xml` and `JPEGImages/*.jpg`.
        split: e.g. "trainval" or "test".
        shape: as in `load_coco`.
        classes: the label set; the default is VOC's own twenty.
        difficult: whether objects marked as difficult count; the challenge leaves them out.
        incomplete: as in `load_coco`; entries are those of the split's list.
        progress: as in `load_coco`.

    Returns:
        The split, and the label set.

    Raises:
        ZooError: as in `load_coco`, or a file of the folder is missing.

    Source: Everingham et al., 2010, https://doi.org/10.1007/s11263-009-0275-4
    """
    label_set = check_label_names(classes)
    listing = folder / "ImageSets" / "Main" / f"{split}.txt"
    if not listing.is_file():
        raise ZooError(f"{folder} must be a folder of Pascal VOC, got no file {listing}.")
    problems = _Problems(str(listing))
    kept: dict[str, tuple[Path, list[str]]] = {}
    for name in listing.read_text().split("\n"):
        if not name.strip():
            continue
        stem = name.split()[0]
        annotation = folder / "Annotations" / f"{stem}.xml"
        if not annotation.is_file():
            problems.add("entries without an annotation file", stem)
            continue
        kept[stem] = (folder / "JPEGImages" / f"{stem}.jpg", _read_voc(annotation, difficult))
    where = str(folder / "Annotations")
    return _split(where, kept, label_set, problems, shape, incomplete, progress), label_set


def _read_voc(path: Path, difficult: bool) -> list[str]:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ZooError(f"{path} must be an XML file and is damaged: {error}.") from error
    return [
        (found.findtext("name") or "").strip()
        for found in root.iter("object")
        if difficult or (found.findtext("difficult") or "0").strip() != "1"
    ]


def _split(
    where: str,
    entries: Mapping[str, tuple[Path, Sequence[str]]],
    classes: tuple[str, ...],
    problems: _Problems,
    shape: tuple[int, int, int],
    incomplete: Incomplete,
    progress: bool,
) -> Split:
    """Images and labels of those entries that have both."""
    kept = []
    for name, (file, labels) in entries.items():
        if not file.is_file():
            problems.add("entries without an image file", name)
        elif not labels:
            problems.add("images without a label", name)
        else:
            kept.append(name)
    y = _indicators(where, [entries[name][1] for name in kept], classes)
    problems.settle(incomplete)
    if not kept:
        raise ZooError(f"{where} must have at least one image with a label, got none.")
    files = [entries[name][0] for name in kept]
    contents = (file.read_bytes() for file in files)
    x = decode_images(list(contents), shape, where, names=kept, resize=True, progress=progress)
    return Split(x, y)


def load_label_lists(
    repository: str,
    split: str,
    *,
    shape: tuple[int, int, int],
    config: str = "default",
    image_column: str = "image",
    label_column: str = "labels",
    classes: Sequence[str] | None = None,
    incomplete: Incomplete = "refuse",
    progress: bool = True,
) -> tuple[Split, tuple[str, ...]]:
    """A split of a data set on the Hugging Face Hub that has a column of label lists.

    It is looked for in the mirror folder of `ZOO_DATA_DIR` first, as by `load`.

    Args:
        repository: `<owner>/<name>`.
        split: e.g. "train".
        shape: as in `load_coco`.
        config: the data set's configuration.
        image_column: the column with the encoded images.
        label_column: the column with lists of labels: numbers that the data set names, or words.
        classes: the label set; None means the names that the data set has for its numbers.
        incomplete: as in `load_coco`; an entry is a row.
        progress: as in `load_coco`.

    Returns:
        The split, and the label set.

    Raises:
        ZooError: as in `load_coco`; no such columns or split; words without `classes`.
        DatasetUnavailable: there is no mirror of it, and the Hub does not answer.
    """
    where = f"{repository} ({config}, {split})"
    table = _table(repository, config, split)
    for column in (image_column, label_column):
        if column not in table.column_names:
            raise ZooError(
                f"{where} must have a column {column!r}, got {', '.join(table.column_names)}."
            )
    lists = table[label_column].to_pylist()
    if not all(isinstance(labels, list) or labels is None for labels in lists):
        raise ZooError(f"column {label_column!r} of {where} must hold lists of labels.")
    features = require("datasets", "data").Features.from_arrow_schema(table.schema)
    names = getattr(getattr(features[label_column], "feature", None), "names", None)
    label_set = classes if classes is not None else names
    if label_set is None:
        raise ZooError(
            f"column {label_column!r} of {where} has no names for its labels: pass classes."
        )
    label_set = check_label_names(label_set)
    problems = _Problems(where)
    kept: list[int] = []
    words: list[list[str]] = []
    contents: list[bytes] = []
    for row, (image, labels) in enumerate(zip(table[image_column].to_pylist(), lists, strict=True)):
        content = image.get("bytes") if isinstance(image, dict) else image
        if not content:
            problems.add("rows without an image", row)
        elif not labels:
            problems.add("images without a label", f"row {row}")
        else:
            kept.append(row)
            contents.append(content)
            words.append([_word(label, names) for label in labels])
    y = _indicators(where, words, label_set)
    problems.settle(incomplete)
    if not kept:
        raise ZooError(f"{where} must have at least one image with a label, got none.")
    rows = [f"row {row}" for row in kept]
    x = decode_images(contents, shape, where, names=rows, resize=True, progress=progress)
    return Split(x, y), label_set


def _word(label: Any, names: Sequence[str] | None) -> str:
    if isinstance(label, int) and names is not None and 0 <= label < len(names):
        return names[label]
    return str(label)


def _table(repository: str, config: str, split: str) -> Any:
    root = os.environ.get("ZOO_DATA_DIR")
    folder = Path(root or "", repository, config)
    if root and folder.is_dir():
        files = sorted(folder.glob(f"{split}-*.parquet"))
        if not files:
            raise ZooError(f"{folder} must have files {split}-*.parquet, got none.")
        return read_parquet(files)
    try:
        tables = hub_tables(ImageDataset(repository, repository, config, "", (0, 0, 0), ()))
    except HubUnavailable as error:
        raise DatasetUnavailable(
            f"{repository} was not found in the folder of ZOO_DATA_DIR ({folder}), and not had "
            f"from the Hugging Face Hub: {error}."
        ) from error
    if split not in tables:
        raise ZooError(f"{repository} must have a split {split!r}, got {', '.join(tables)}.")
    return tables[split]
