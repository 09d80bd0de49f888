"""What `zoo.functional` should compute, in NumPy, written from the contract alone.

Plain loops in float64 over examples, steps, pixels and gates: slow, and nothing like the
structure of the code under test.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

Vector = np.ndarray[Any, np.dtype[np.float64]]


def _selu(x: Vector) -> Vector:
    """The constants to which the fixed-point equations of Klambauer et al. 2017 lead."""
    tail, half = special.erfc(1 / math.sqrt(2)), special.erfc(math.sqrt(2))
    alpha = -math.sqrt(2 / math.pi) / (tail * math.exp(0.5) - 1)
    scale = (
        (1 - tail * math.sqrt(math.e))
        * math.sqrt(2 * math.pi)
        / math.sqrt(
            2 * half * math.e**2
            + math.pi * tail**2 * math.e
            - 2 * (2 + math.pi) * tail * math.sqrt(math.e)
            + math.pi
            + 2
        )
    )
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


ACTIVATIONS: dict[str, Callable[[Vector], Vector]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "softmax": lambda x: special.softmax(x, axis=-1),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": _selu,
    "gelu": lambda x: x * (1 + special.erf(x / math.sqrt(2))) / 2,
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "swish": lambda x: x * special.expit(x),
    "silu": lambda x: x * special.expit(x),
    "leaky_relu": lambda x: np.where(x >= 0, x, 0.2 * x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_sigmoid_keras2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
    "exponential": np.exp,
}


def _simple_rnn(kernel, recurrent, bias, x, state, phi, _sigma):  # type: ignore[no-untyped-def]
    (h,) = state
    total = x @ kernel + h @ recurrent
    return (phi(total if bias is None else total + bias),)


def _lstm(kernel, recurrent, bias, x, state, phi, sigma):  # type: ignore[no-untyped-def]
    h, c = state
    units = h.size
    total = {}
    for number, gate in enumerate("ifco"):
        block = slice(number * units, (number + 1) * units)
        total[gate] = x @ kernel[:, block] + h @ recurrent[:, block]
        if bias is not None:
            total[gate] = total[gate] + bias[block]
    new_c = sigma(total["f"]) * c + sigma(total["i"]) * phi(total["c"])
    return sigma(total["o"]) * phi(new_c), new_c


def _gru_blocks(kernel, recurrent, units):  # type: ignore[no-untyped-def]
    for number, gate in enumerate("zrh"):
        block = slice(number * units, (number + 1) * units)
        yield gate, block, kernel[:, block], recurrent[:, block]


def _gru_reset_after(kernel, recurrent, bias, x, state, phi, sigma):  # type: ignore[no-untyped-def]
    (h,) = state
    of_x, of_h = {}, {}
    for gate, block, w, u in _gru_blocks(kernel, recurrent, h.size):
        of_x[gate], of_h[gate] = x @ w, h @ u
        if bias is not None:
            of_x[gate], of_h[gate] = of_x[gate] + bias[0, block], of_h[gate] + bias[1, block]
    z, r = sigma(of_x["z"] + of_h["z"]), sigma(of_x["r"] + of_h["r"])
    candidate = phi(of_x["h"] + r * of_h["h"])
    return (z * h + (1 - z) * candidate,)


def _gru_reset_before(kernel, recurrent, bias, x, state, phi, sigma):  # type: ignore[no-untyped-def]
    (h,) = state
    of_x, weights = {}, {}
    for gate, block, w, u in _gru_blocks(kernel, recurrent, h.size):
        of_x[gate], weights[gate] = x @ w, u
        if bias is not None:
            of_x[gate] = of_x[gate] + bias[block]
    z, r = sigma(of_x["z"] + h @ weights["z"]), sigma(of_x["r"] + h @ weights["r"])
    candidate = phi(of_x["h"] + (r * h) @ weights["h"])
    return (z * h + (1 - z) * candidate,)


def _wang_lstm(kernel, recurrent, bias, x, state, phi, sigma):  # type: ignore[no-untyped-def]
    _, c = state
    units = c.size
    total = {}
    for number, gate in enumerate("ifxo"):
        block = slice(number * units, (number + 1) * units)
        total[gate] = x @ kernel[:, block] + c @ recurrent[:, block]
        if bias is not None:
            total[gate] = total[gate] + bias[block]
    r = sigma(total["f"]) * c + sigma(total["i"]) * phi(total["x"])
    return r * sigma(total["o"]), r


CELLS = {
    "simple_rnn": _simple_rnn,
    "lstm": _lstm,
    "wang_lstm": _wang_lstm,
    "gru": _gru_reset_after,
    "gru_reset_before": _gru_reset_before,
}


def recurrent(
    layer: str,
    params: tuple[Any, Any, Any],
    x: Any,
    state: tuple[Any, ...] | None = None,
    *,
    mask: Any = None,
    reverse: bool = False,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
) -> tuple[Vector, tuple[Vector, ...]]:
    """`(outputs [B, T, H], state)`, the state always a tuple, one row and one step at a time."""
    kernel, recurrent_kernel, bias = (
        None if value is None else np.asarray(value, np.float64) for value in params
    )
    x = np.asarray(x, np.float64)
    batch, steps, units = x.shape[0], x.shape[1], recurrent_kernel.shape[0]
    if state is None:
        state = (np.zeros((batch, units)),) * (2 if layer.endswith("lstm") else 1)
    outputs = np.full((batch, steps, units), np.nan)
    last = tuple(np.full((batch, units), np.nan) for _ in state)
    for row in range(batch):
        now = tuple(np.asarray(part, np.float64)[row] for part in state)
        previous_output = np.zeros(units)
        for step in reversed(range(steps)) if reverse else range(steps):
            if mask is None or mask[row][step]:
                now = CELLS[layer](
                    kernel,
                    recurrent_kernel,
                    bias,
                    x[row, step],
                    now,
                    ACTIVATIONS[activation],
                    ACTIVATIONS[recurrent_activation],
                )
                previous_output = now[0]
            outputs[row, step] = previous_output
        for part, value in zip(last, now, strict=True):
            part[row] = value
    return outputs, last


def _windows(size: int, window: int, stride: int, padding: str, dilation: int) -> list[list[int]]:
    """Along one axis: for each output place the pixels it reads, −1 where it reads padding."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        count, before = (size - reach) // stride + 1, 0
    else:
        count = -(-size // stride)
        before = max((count - 1) * stride + reach - size, 0) // 2
    places = [
        [stride * i - before + dilation * u for u in range(window)] for i in range(max(count, 0))
    ]
    return [[p if 0 <= p < size else -1 for p in window] for window in places]


def conv2d(
    kernel: Any,
    bias: Any,
    x: Any,
    *,
    strides: tuple[int, int] = (1, 1),
    padding: str = "valid",
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Vector:
    """`[B, H', W', out]`, one product at a time."""
    kernel, x = np.asarray(kernel, np.float64), np.asarray(x, np.float64)
    height, width, per_group, filters = kernel.shape
    rows = _windows(x.shape[1], height, strides[0], padding, dilation[0])
    columns = _windows(x.shape[2], width, strides[1], padding, dilation[1])
    y = np.zeros((x.shape[0], len(rows), len(columns), filters))
    for image, i, j, o in np.ndindex(*y.shape):
        first = o // (filters // groups) * per_group
        total = 0.0 if bias is None else float(bias[o])
        for u, row in enumerate(rows[i]):
            for v, column in enumerate(columns[j]):
                if row >= 0 and column >= 0:
                    for c in range(per_group):
                        total += x[image, row, column, first + c] * kernel[u, v, c, o]
        y[image, i, j, o] = total
    return y


def pool2d(
    reduce: Callable[[list[float]], Any],
    x: Any,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
) -> Vector:
    """`reduce` of the image's own values in each window."""
    x = np.asarray(x, np.float64)
    rows = _windows(x.shape[1], window[0], strides[0], padding, 1)
    columns = _windows(x.shape[2], window[1], strides[1], padding, 1)
    y = np.zeros((x.shape[0], len(rows), len(columns), x.shape[3]))
    for image, i, j, c in np.ndindex(*y.shape):
        y[image, i, j, c] = reduce(
            [x[image, r, k, c] for r in rows[i] for k in columns[j] if r >= 0 and k >= 0]
        )
    return y
