"""A small data set of grey images, and its files as the Hub and the IDX format have them."""

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from zoo.data.catalogue import ImageDataset

CLASSES = ("Ankle boot", "Bag", "T-shirt/top")
SMALL = ImageDataset(
    name="small",
    repository="owner/small",
    config="plain",
    image_column="image",
    shape=(4, 5, 1),
    classes=CLASSES,
    package="dataset-small",
)


def pictures(count: int, shape: Sequence[int] = SMALL.shape, seed: int = 0) -> np.ndarray:
    """Random bytes `[count, H, W, C]`."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "png")
    return buffer.getvalue()


def table(
    images: Sequence[bytes],
    labels: Sequence[Any],
    names: Sequence[str] | None = CLASSES,
    image_column: str = "image",
) -> pyarrow.Table:
    """A table with the Hub's features; without `names` the labels have none."""
    if names is not None:
        label = datasets.ClassLabel(names=list(names))
    else:
        label = datasets.Value("string" if isinstance(labels[0], str) else "int64")
    features = datasets.Features({image_column: datasets.Image(), "label": label})
    columns = {
        image_column: [{"bytes": image, "path": None} for image in images],
        "label": list(labels),
    }
    return pyarrow.Table.from_pydict(columns, schema=features.arrow_schema)


def write_parquet(content: pyarrow.Table, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(content, path)
    return path


def write_mirror(root: Path, train: int = 6, test: int = 3, seed: int = 0) -> Path:
    """`SMALL` as a mirror folder has it, labels 0, 1, 2, 0, …; returns its folder."""
    folder = root / SMALL.repository / SMALL.config
    for split, count in (("train", train), ("test", test)):
        images = [png(image) for image in pictures(count, seed=seed)]
        content = table(images, [i % len(CLASSES) for i in range(count)])
        write_parquet(content, folder / f"{split}-00000-of-00001.parquet")
    return folder


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the IDX format."""
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes((0, 0, 8, array.ndim)) + lengths + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, *, compressed: bool = False, count: int = 4) -> Path:
    """`SMALL` as a system package has it, labels 0, 1, 2, 0, …; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(count) % len(CLASSES)
    for stem in ("train", "t10k"):
        for kind, array in (("images-idx3", pictures(count)[..., 0]), ("labels-idx1", labels)):
            content = idx(array)
            name = f"{stem}-{kind}-ubyte"
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def write_client_copy(folder: Path) -> None:
    """`SMALL` as the Hub's client keeps it after a download."""
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))}
    )
    kept = folder / "owner___small" / "plain" / "0.0.0" / ("0" * 40)
    kept.mkdir(parents=True)
    splits = {}
    for split, count in (("train", 6), ("test", 3)):
        content = table([png(image) for image in pictures(count)], [i % 3 for i in range(count)])
        with (
            pyarrow.OSFile(str(kept / f"small-{split}.arrow"), "wb") as sink,
            pyarrow.ipc.new_stream(sink, content.schema) as stream,
        ):
            stream.write_table(content)
        splits[split] = {"name": split, "num_examples": count, "dataset_name": "small"}
    info = {
        "builder_name": "parquet",
        "dataset_name": "small",
        "config_name": "plain",
        "features": features.to_dict(),
        "splits": splits,
        "version": {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0},
    }
    (kept / "dataset_info.json").write_text(json.dumps(info))
