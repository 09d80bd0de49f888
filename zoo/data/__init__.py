"""Data sets by name, as NumPy arrays, and random changes to images inside compiled programs."""

from zoo.data.annotations import VOC_CLASSES, load_coco, load_label_lists, load_voc
from zoo.data.augmentation import cutout, in_copies, random_crop, random_flip, unit_range
from zoo.data.dataset import Dataset, DatasetUnavailable, Split, hold_out
from zoo.data.folders import choose_classes, load_folder
from zoo.data.scenes import SceneConfig, cooccurrence_table, scenes
from zoo.data.sources import list_datasets, load

__all__ = [
    "VOC_CLASSES",
    "Dataset",
    "DatasetUnavailable",
    "SceneConfig",
    "Split",
    "choose_classes",
    "cooccurrence_table",
    "cutout",
    "hold_out",
    "in_copies",
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
