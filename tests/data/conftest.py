"""Every test here has its own cache, no mirror folder, and no Hub."""

from dataclasses import replace
from pathlib import Path

import pytest

from zoo.data.catalogue import CATALOGUE, ImageDataset

from .files import SMALL


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_DATA_DIR", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.fixture
def small(tmp_path, monkeypatch) -> ImageDataset:
    """`SMALL` under its name in the catalogue, with no files anywhere yet."""
    dataset = replace(SMALL, idx_folder=str(tmp_path / "package"))
    monkeypatch.setitem(CATALOGUE, "small", dataset)
    return dataset
