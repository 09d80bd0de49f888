"""NusaX: texts by language, from the mirror, the Hub, its converted files, the authors' files."""

from pathlib import Path

import datasets
import numpy as np
import pyarrow
import pyarrow.csv
import pytest

from tests.functional.cases import zoo_error
from zoo.data import DatasetUnavailable, catalogue, load
from zoo.data.catalogue import nusax
from zoo.errors import ZooError

from .files import write_parquet

NAMES = ["negative", "neutral", "positive"]
SIZES = {"train": 6, "validation": 3, "test": 4}


def rows(count: int) -> dict[str, list]:
    # "null" is a word, and quotes and line breaks belong to texts.
    texts = ["Makanannya enak", "null", 'Kata "baik",\nkatanya', "Biasa saja"]
    return {
        "text": [texts[i % 4] for i in range(count)],
        "label": [i % 3 for i in range(count)],
    }


def table(count: int, names: list[str] = NAMES) -> pyarrow.Table:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
    )
    return pyarrow.Table.from_pydict(rows(count), schema=features.arrow_schema)


def splits(names: list[str] = NAMES) -> dict[str, datasets.Dataset]:
    return {split: datasets.Dataset(table(count, names)) for split, count in SIZES.items()}


def write_authors_files(folder: Path) -> dict[str, str]:
    files = {}
    for split, count in SIZES.items():
        content = rows(count)
        named = pyarrow.table({**content, "label": [NAMES[i] for i in content["label"]]})
        path = folder / f"{split}.csv"
        pyarrow.csv.write_csv(named, path)
        files[split] = path.as_uri()
    return files


@pytest.fixture
def online(monkeypatch):
    """The Hub's client is not offline, and what it is asked first has an answer."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: None)


@pytest.fixture
def authors(tmp_path, monkeypatch):
    """The authors' files are on this machine."""
    files = write_authors_files(tmp_path)
    monkeypatch.setattr(
        "zoo.data.sources.nusax",
        lambda lang: catalogue.TextDataset(
            **{**vars(nusax(lang)), "authors_files": files},
        ),
    )


def check(data, source: str) -> None:
    assert (data.name, data.source, data.classes) == ("nusax-ind", source, tuple(NAMES))
    for split, count in SIZES.items():
        found = getattr(data, split)
        assert found.x.tolist() == rows(count)["text"]
        assert (found.y.tolist(), found.y.dtype) == (rows(count)["label"], np.int32)


def test_the_mirror(tmp_path, monkeypatch):
    for split, count in SIZES.items():
        folder = tmp_path / "indonlp" / "NusaX-senti" / "ind"
        write_parquet(table(count), folder / f"{split}-00000-of-00001.parquet")
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    check(load("nusax"), "the mirror folder in ZOO_DATA_DIR")
    check(load("nusax", lang="ind"), "the mirror folder in ZOO_DATA_DIR")  # now from the cache


@pytest.mark.usefixtures("online")
def test_the_hub_its_labels_by_name(monkeypatch):
    turned = NAMES[::-1]
    monkeypatch.setattr("datasets.load_dataset", lambda *_: splits(turned))
    data = load("nusax", lang="jav")
    assert data.source == "the Hugging Face Hub (indonlp/NusaX-senti)"
    assert data.train.y.tolist() == [2, 1, 0, 2, 1, 0]


@pytest.mark.usefixtures("online")
def test_the_converted_files_where_the_client_refuses_a_script(monkeypatch):
    asked = []

    def load_dataset(*arguments, **options):
        asked.append((arguments, options))
        if not options:
            raise RuntimeError("Dataset scripts are no longer supported, but found NusaX-senti.py")
        return splits()

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    check(load("nusax"), "the Hugging Face Hub (indonlp/NusaX-senti)")
    assert asked[0] == (("indonlp/NusaX-senti", "ind"), {})
    files = {split: f"ind/{split}/*.parquet" for split in SIZES}
    assert asked[1] == (
        ("indonlp/NusaX-senti",),
        {"revision": "refs/convert/parquet", "data_files": files},
    )


@pytest.mark.usefixtures("online", "authors")
def test_the_authors_files_come_last(monkeypatch):
    def load_dataset(*_, **__):
        raise RuntimeError("no")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    check(load("nusax"), "the authors' own files")


@pytest.mark.usefixtures("online")
def test_one_error_has_all_failures(monkeypatch):
    def load_dataset(*_, **options):
        raise RuntimeError("no files" if options else "no scripts")

    def urlopen(address, timeout):
        raise ConnectionError(f"{address.rpartition('/')[2]} refused after {timeout:g} s")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(DatasetUnavailable) as error:
        load("nusax")
    assert str(error.value) == (
        "data set 'nusax-ind' was found nowhere:\n"
        "  - a mirror folder: ZOO_DATA_DIR is not set\n"
        "  - the Hugging Face Hub (indonlp/NusaX-senti): RuntimeError: no scripts; "
        "its converted files: RuntimeError: no files\n"
        "  - the authors' own files: asking it failed (ConnectionError: train.csv refused after "
        "3 s)\n"
        "To mend it, go online, or set ZOO_DATA_DIR to a folder with "
        "indonlp/NusaX-senti/ind/train-*.parquet, validation-*.parquet and test-*.parquet."
    )


def test_offline_nothing_on_the_net_is_asked(monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", None)
    with pytest.raises(DatasetUnavailable, match="not asked, since HF_HUB_OFFLINE is set"):
        load("nusax")


def test_every_language_has_its_own_files():
    languages = catalogue.NUSAX_LANGUAGES
    assert len(languages) == 12
    assert nusax("sun").authors_files["validation"].endswith("/sentiment/sundanese/valid.csv")
    assert len({nusax(lang).authors_files["test"] for lang in languages}) == 12


def test_bad_names_and_texts(tmp_path, monkeypatch):
    with pytest.raises(ZooError, match=r"unknown language of NusaX 'idn': did you mean .*'ind'"):
        load("nusax", lang="idn")
    with zoo_error("lang is for nusax, which comes in several languages, got it for 'digits'."):
        load("digits", lang="ind")
    folder = tmp_path / "indonlp" / "NusaX-senti" / "ind"
    for split, count in SIZES.items():
        content = table(count)
        if split == "test":
            texts = pyarrow.array(["baik", None, "", "x"])
            content = content.set_column(0, "text", texts)
        write_parquet(content, folder / f"{split}-00000-of-00001.parquet")
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(ZooError, match=r"test-\*: row 1 must have a text, got None\.$"):
        load("nusax")
    for split, count in SIZES.items():
        content = table(count, ["negative", "mixed", "positive"])
        write_parquet(content, folder / f"{split}-00000-of-00001.parquet")
    with pytest.raises(ZooError, match="has classes that nusax-ind has not: mixed"):
        load("nusax")
