"""The data set that is always there: the digits that come with scikit-learn."""

import numpy as np

from zoo.data.dataset import Dataset, Split, hold_out
from zoo.errors import require


def load_digits() -> Dataset:
    """1,797 handwritten digits of 8×8 pixels, a fifth of each class for testing.

    Their 17 shades of grey, 0 to 16, are spread over the bytes: `round(shade · 255 / 16)`.

    Source: Alpaydin and Kaynak, 1998, https://doi.org/10.24432/C50P49
    """
    bunch = require("sklearn.datasets", "data").load_digits()
    x = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    train, test = hold_out(Split(x, bunch.target.astype(np.int32)), 0.2, seed=0)
    return Dataset("digits", "scikit-learn, which holds it", tuple("0123456789"), train, test)
