"""What learning curves look like, in numbers."""

from collections.abc import Mapping, Sequence

import numpy as np


def curve_measures(history: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Figures of one run's learning curves.

    - `best epoch`: the epoch, counted from 1, with the lowest validation loss.
    - `best validation accuracy`: the highest of all epochs, as one reads it off a curve.
    - `overfitting`: how far the validation loss has risen again by the last epoch.
    - `unsteadiness`: how much the training loss rises from one epoch to the next, on average;
      a loss that only falls has 0.

    Args:
        history: the columns `loss`, `val_loss` and `val_accuracy`, a value an epoch.
    """
    loss, val_loss = np.asarray(history["loss"]), np.asarray(history["val_loss"])
    rises = np.maximum(np.diff(loss), 0.0)
    return {
        "best epoch": float(np.argmin(val_loss)) + 1,
        "best validation accuracy": float(np.max(history["val_accuracy"])),
        "overfitting": float(val_loss[-1] - np.min(val_loss)),
        "unsteadiness": float(np.mean(rises)) if len(rises) else 0.0,
    }
