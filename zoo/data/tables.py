"""Arrow tables as the Hub has them: a column of encoded images or of texts, and one of labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.catalogue import ImageDataset, TableDataset
from zoo.data.dataset import Split
from zoo.data.images import decode_images
from zoo.errors import ZooError, require


def read_parquet(files: Sequence[Path]) -> Any:
    """The shards of a split as one table.

    Raises:
        ZooError: a file is damaged, or the shards have different columns.
    """
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    tables = []
    for file in files:
        try:
            tables.append(parquet.read_table(file))
        except (OSError, arrow.ArrowException) as error:
            raise ZooError(
                f"{file} is damaged: {str(error).rstrip('.')}. Fetch the file anew."
            ) from error
    try:
        return arrow.concat_tables(tables)
    except arrow.ArrowException as error:
        raise ZooError(f"the files beside {files[0]} do not fit together: {error}.") from error


def table_split(dataset: TableDataset, table: Any, where: str, *, progress: bool) -> Split:
    """A split from its table; images are decoded in parallel.

    Args:
        dataset: says which columns and classes to expect, and the shape of images.
        table: a `pyarrow.Table` whose schema carries the Hub's features.
        where: the table in words, for errors.
        progress: whether to show a bar at a terminal.

    Raises:
        ZooError: a missing column, an unknown class, an image that cannot be decoded or has
            another size, a text that is none, no rows.
    """
    content = dataset.image_column if isinstance(dataset, ImageDataset) else dataset.text_column
    for column in (content, "label"):
        if column not in table.column_names:
            raise ZooError(
                f"{where} must have a column {column!r}, got {', '.join(table.column_names)}."
            )
    if table.num_rows == 0:
        raise ZooError(f"{where} must have at least one row, got none.")
    y = _labels(dataset, table, where)
    column = table[content].to_pylist()
    if isinstance(dataset, ImageDataset):
        images = [_bytes_of(image, row, where) for row, image in enumerate(column)]
        return Split(decode_images(images, dataset.shape, where, progress=progress), y)
    for row, text in enumerate(column):
        if not isinstance(text, str):
            raise ZooError(f"{where}: row {row} must have a text, got {text!r}.")
    return Split(np.array(column, np.str_), y)


def _labels(dataset: TableDataset, table: Any, where: str) -> np.ndarray:
    """Our labels, found by the names of the classes and not by their numbers."""
    feature = require("datasets", "data").Features.from_arrow_schema(table.schema)["label"]
    names = getattr(feature, "names", None)
    values = table["label"].to_pylist()
    if names is None and not all(isinstance(value, str) for value in values):
        raise ZooError(
            f"{where} must name its classes (a ClassLabel in the schema, or labels that are "
            f"words), got {table.schema.field('label').type} without names."
        )
    ours = {_plain(name): i for i, name in enumerate(dataset.classes)}
    unknown = sorted({str(n) for n in (names or values) if _plain(str(n)) not in ours})
    if unknown:
        raise ZooError(
            f"{where} has classes that {dataset.name} has not: {', '.join(unknown)}. Known: "
            f"{', '.join(dataset.classes)}."
        )
    if names is not None:
        for row, value in enumerate(values):
            if value is None or not 0 <= value < len(names):
                raise ZooError(
                    f"{where}: the label in row {row} must be between 0 and {len(names) - 1}, "
                    f"got {value}."
                )
        values = [names[value] for value in values]
    return np.array([ours[_plain(value)] for value in values], np.int32)


def _plain(name: str) -> str:
    """A class's name without case, spaces and punctuation, which differ between sources."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _bytes_of(image: Any, row: int, where: str) -> bytes:
    content = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(content, bytes):
        raise ZooError(
            f"{where}: the image in row {row} must be an encoded one, got {type(content).__name__}."
        )
    return content
