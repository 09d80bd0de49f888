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
from zoo.reports.environment import environment
from zoo.reports.figures import confusion_matrix_figure, learning_curves_figure
from zoo.reports.run_folder import RunFolder, default_run_path
from zoo.reports.statistics import Interval, mean_interval
from zoo.reports.tables import Table

__all__ = [
    "ClassificationReport",
    "Interval",
    "RunFolder",
    "Table",
    "classification_report",
    "confusion_matrix",
    "confusion_matrix_figure",
    "default_run_path",
    "environment",
    "learning_curves_figure",
    "mean_interval",
]
