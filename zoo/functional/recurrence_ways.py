"""Which way a recurrent layer is run: the rule, and the measurements that it comes from."""

from typing import Literal

import numpy as np

from zoo.functional._arrays import Array
from zoo.functional.recurrence import RecurrentParams

Way = Literal["scan", "by_units", "by_rows"]
"""`scan_time`, the definition; or one of the two of `fused_recurrence`, or `wide_gru`."""

# These look at all units of a row at once; the fused loop cuts and orders units as it likes.
_OF_WHOLE_ROWS = ("softmax", "log_softmax")


def fastest_way(params: RecurrentParams, x: Array, *activations: str) -> Way:
    """The way to run a layer with these weights over `x [B, T, in]`, with states of H units.

    - The definition where there is nothing to do (no steps or rows) or an activation is not a
      function of single numbers (softmax).
    - `by_units` where rows are many for the widths, `B ≥ 4 · in + H`. Its gain is element-wise
      work in long rows and little fresh memory.
    - `by_rows` otherwise. Its gain is few and large products outside of the loop, the only ones
      that XLA's CPU runtime runs on several cores.

    Milliseconds of a gradient step (forward and backward, in a compiled loop of such steps, by the
    input too where it says so), two cores of an AMD EPYC, vectors of 256 bits, jax 0.10.2, tanh,
    float32:

    | layer, B, T, in, H | scan | by_units | by_rows |
    | --- | --- | --- | --- |
    | LSTM 128, 1024, 1, 16 | 78 | **46** | 92 |
    | LSTM 128, 256, 1, 64 | 109 | **69** | 103 |
    | LSTM 512, 64, 16, 16 | 17.5 | **11.7** | 17.5 |
    | LSTM 32, 200, 1, 16 | 2.7 | **2.4** | 2.8 |
    | LSTM 32, 200, 16, 32, by input | 7.1 | 7.3 | **6.3** |
    | LSTM 8, 1024, 1, 16 | 6.5 | 8.4 | **6.1** |
    | LSTM 32, 100, 128, 64, by input | 15.4 | 19.8 | **12.8** |
    | LSTM 32, 28, 28, 128 | 6.7 | 6.8 | **5.2** |
    | LSTM 128, 28, 28, 128 | 20.4 | 23.0 | **18.4** |
    | SimpleRNN 128, 512, 1, 16 | 8.3 | **5.5** | 8.2 |
    | SimpleRNN 32, 100, 32, 32, by input | 1.5 | 1.4 | **1.0** |
    | SimpleRNN 32, 100, 128, 64, by input | 4.6 | 5.9 | **3.3** |
    | GRU 128, 512, 1, 16 | 35 | **21** | 34 |

    Each row is one run of the three in turns, on a machine with other work: the ratios hold, the
    milliseconds hardly. From the second row on `by_rows` still had the input's product in the
    loop; out of it, as it is now, was equal within the noise on one core.

    A GRU's `by_rows` is `wide_gru`, which has a table of its own; the last figure here is of a loop
    with zeros for what only x or only h adds, which is not run any more. The rule does not ask for
    the device: on a GPU and a TPU nothing was measured.
    """
    rows, steps, inputs = np.shape(x)
    if not rows * steps or set(activations) & set(_OF_WHOLE_ROWS):
        return "scan"
    return "by_units" if rows >= 4 * inputs + params.units else "by_rows"
