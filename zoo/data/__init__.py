"""Data sets by name, as NumPy arrays; random changes to images; texts as numbers."""

from zoo.data.annotations import VOC_CLASSES, load_coco, load_label_lists, load_voc
from zoo.data.augmentation import (
    cutout,
    drop_pieces,
    drop_words,
    in_copies,
    in_sequence,
    random_crop,
    random_flip,
    unit_range,
)
from zoo.data.dataset import Dataset, DatasetUnavailable, Split, hold_out
from zoo.data.folders import choose_classes, load_folder
from zoo.data.ngrams import NGramConfig, NGramEncoder
from zoo.data.scenes import SceneConfig, cooccurrence_table, scenes
from zoo.data.sources import list_datasets, load
from zoo.data.text import TextConfig, TextEncoder
from zoo.data.tfidf import TfidfConfig, TfidfEncoder

__all__ = [
    "VOC_CLASSES",
    "Dataset",
    "DatasetUnavailable",
    "NGramConfig",
    "NGramEncoder",
    "SceneConfig",
    "Split",
    "TextConfig",
    "TextEncoder",
    "TfidfConfig",
    "TfidfEncoder",
    "choose_classes",
    "cooccurrence_table",
    "cutout",
    "drop_pieces",
    "drop_words",
    "hold_out",
    "in_copies",
    "in_sequence",
    "list_datasets",
    "load",
    "load_coco",
    "load_folder",
    "load_label_lists",
    "load_voc",
    "random_crop",
    "random_flip",
    "scenes",
    "unit_range",
]
