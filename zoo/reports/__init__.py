"""From results (NumPy arrays, mappings, numbers) to what a person reads.

Tables, statistics, pictures, and the run folder they are saved in. Nothing here knows a model.
The libraries that compute and draw are imported when first used, and come with the extra
"reports" (for weights: "train").
"""

from zoo.reports.classification import (
    ClassificationReport,
    classification_report,
    confusion_matrix,
)
from zoo.reports.curves import curve_measures
from zoo.reports.environment import environment
from zoo.reports.figures import confusion_matrix_figure, learning_curves_figure
from zoo.reports.findings import Finding, Verdict, verdict
from zoo.reports.forest import forest_figure
from zoo.reports.multilabel import (
    MultilabelReport,
    average_precision_at,
    cooccurrence,
    multilabel_report,
    neighbours_table,
)
from zoo.reports.multilabel_figures import cooccurrence_figure, labelled_images_figure
from zoo.reports.run_folder import RunFolder, default_run_path
from zoo.reports.sequence_figure import Sequences, sequences_figure
from zoo.reports.statistics import (
    Interval,
    PairedDifference,
    holm,
    mean_interval,
    paired_difference,
    paired_differences,
)
from zoo.reports.tables import Table
from zoo.reports.top_classes import top_classes_figure

__all__ = [
    "ClassificationReport",
    "Finding",
    "Interval",
    "MultilabelReport",
    "PairedDifference",
    "RunFolder",
    "Sequences",
    "Table",
    "Verdict",
    "average_precision_at",
    "classification_report",
    "confusion_matrix",
    "confusion_matrix_figure",
    "cooccurrence",
    "cooccurrence_figure",
    "curve_measures",
    "default_run_path",
    "environment",
    "forest_figure",
    "holm",
    "labelled_images_figure",
    "learning_curves_figure",
    "mean_interval",
    "multilabel_report",
    "neighbours_table",
    "paired_difference",
    "paired_differences",
    "sequences_figure",
    "top_classes_figure",
    "verdict",
]
