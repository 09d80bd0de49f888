"""How a convolution is computed: the definition, XLA's own, and what is faster on a CPU.

XLA's convolution on a CPU is good for the forward pass, but not for the gradients, which are
convolutions of odd shapes: in a compiled loop of training steps, where it has one core, a gradient
by the kernel took up to a hundred times as long as the same as matrix products.

Milliseconds of a training step's convolution (forward and gradients, by the input too from the
second row on), 3×3 "same", in a compiled loop of steps, two cores of an Intel Xeon, jax 0.10.2, in
brackets one core:

| B, pixels, in, out | `by_xla` | `by_patches` | `with_gradient_by_rows` |
| --- | --- | --- | --- |
| 64, 32×32, 3, 32 | 155 | **3.8 (7.1)** | 15.8 (28.0) |
| 64, 16×16, 32, 64 | 975 | 15.8 (40.5) | **15.6 (33.6)** |
| 64, 16×16, 64, 64 | 2,368 | 44.4 (74.5) | **31.0 (44.2)** |
| 64, 8×8, 64, 128 | 573 | **14.9** (22.6) | 15.8 (**19.9**) |
| 128, 32×32, 32, 32 | 6,679 | 135 (237) | **80.7 (127)** |

All but the first go by rows: not slower on two cores, and faster on one, which is what each seed
has where several are trained side by side.

Where nothing is differentiated, nothing has to be copied for a gradient either. Milliseconds of a
forward pass by itself, in brackets on one core:

| B, pixels, in, out | `by_xla` | `padded_by_xla` | `by_patches` |
| --- | --- | --- | --- |
| 32, 28×28, 1, 32, "valid" | **0.5 (0.3)** | | 0.6 (0.6) |
| 32, 13×13, 32, 64, "valid" | 2.2 (**1.5**) | **1.6** (1.6) | 2.0 (2.2) |
| 64, 32×32, 3, 32 | 5.7 (5.7) | 2.8 (5.9) | **1.6 (4.2)** |
| 64, 16×16, 32, 64 | 4.6 (**6.5**) | **3.4** (6.6) | 15.3 (28.5) |
| 64, 8×8, 64, 128 | 4.4 (**4.2**) | **3.1** (5.4) | 4.1 (7.8) |
| 128, 32×32, 32, 32 | 26.6 (33.6) | **15.7 (28.0)** | 128 (237) |
| 8, 147×147, 32, 64 | 83.1 (**83.1**) | **55.3** (103) | 187 (362) |
| 8, 73×73, 80, 192, "valid" | 147 (324) | **51.5 (94.8)** | 146 (308) |
| 8, 299×299, 3, 32, "valid", strides 2 | 17.0 (19.0) | 15.3 (**17.0**) | **10.3** (20.3) |
| 8, 35×35, 288, 384, "valid", strides 2 | 34.2 (78.4) | **25.6 (53.4)** | 27.6 (73.9) |

The times are of a noisy machine: what differs by a tenth is not told apart.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from zoo.functional._arrays import Array, at_least_float32, varying_alike
from zoo.functional.batch_axis import batch_is_cut


class Window(NamedTuple):
    """What a convolution is besides its kernel."""

    strides: tuple[int, int]
    padding: str
    dilation: tuple[int, int]
    groups: int


Way: TypeAlias = Callable[[Window, Array, Array], Array]

# A filter of at most this many numbers (3×3 over up to three channels) is cheaper as one matrix
# product, gradients included: there is little to copy. Over a single channel, only with gradients.
FEW_PRODUCTS = 27
# With strides so is any filter in training, while all patches together have at most this many
# numbers (32 MB): a batch of 32 to 64. Beyond it copying them costs more than it saves.
FEW_NUMBERS = 2**23
# Over up to so many channels a larger filter, too, is trained as one product, while all patches
# have at most this many numbers (64 MB). Batch 64, 32×32, 3 to 32 channels: 12.3 against 22.3 ms
# of one core for 5×5, 40.6 against 45.8 for 7×7.
FEW_CHANNELS, SOME_NUMBERS = 3, 2**24
# So many numbers (1 MB), copied for a gradient, stay in the cache of a core.
CACHED_NUMBERS = 2**18
# Images of at least so many rows get more of them, see `padded_by_xla`; at 4 rows they cost as much
# as they save. With jaxlib 0.12 they cost up to a third: there, none do.
MANY_ROWS = 6 if jax.__version_info__ < (0, 12) else math.inf


def fastest_on_cpu(window: Window, x: Array, kernel: Array) -> Way:
    """The way to convolve these shapes on a CPU."""
    if window.groups > 1:
        return by_xla
    if kernel.shape[:2] == (1, 1):
        return by_patches  # a matrix product as it stands: nothing is copied, and twice as fast
    if kernel[..., 0].size <= FEW_PRODUCTS:
        return trained_by_patches if kernel.shape[2] == 1 else by_patches
    copied = _numbers_in_patches(window, x, kernel)
    if window.strides != (1, 1):
        return trained_by_patches if copied <= FEW_NUMBERS else padded_by_xla
    few = kernel.shape[2] <= FEW_CHANNELS and copied <= SOME_NUMBERS
    return trained_by_patches if few else with_gradient_by_rows


def _numbers_in_patches(window: Window, x: Array, kernel: Array) -> int:
    return x[..., 0].size // (window.strides[0] * window.strides[1]) * kernel[..., 0].size


def by_xla(window: Window, x: Array, kernel: Array) -> Array:
    """The definition."""
    return _by_xla(window, x, kernel, window.padding)


def _by_xla(
    window: Window, x: Array, kernel: Array, padding: str | Sequence[tuple[int, int]]
) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=window.strides,
        padding=padding,
        rhs_dilation=window.dilation,
        feature_group_count=window.groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def padded_by_xla(window: Window, x: Array, kernel: Array) -> Array:
    """`by_xla`, with more zeros below the image than it needs, whose outputs are cut off.

    XLA leaves a convolution to YNNPACK unless its result is larger than the image, and before
    jaxlib 0.12 YNNPACK keeps most of them to one core: so there are zeros for one row more than the
    image has. Not where the batch is cut over devices, which have a core each: a training step of
    crnn over two took 83 to 85 instead of 86 to 87 ms. Else one row of zeros under an image without
    any padding keeps XLA from copying all patches first. Images of one channel it computes best as
    they are.
    """
    return _padded_by_xla(window, x, kernel, _pads(window, x, kernel)[1:3])


def _padded_by_xla(
    window: Window, x: Array, kernel: Array, pads: Sequence[tuple[int, int]]
) -> Array:
    (top, bottom), sides = pads
    span = _spans(window, kernel)[0]
    rows = (x.shape[1] + top + bottom - span) // window.strides[0] + 1
    if kernel.shape[2] > 1:
        if window.strides == (1, 1) and x.shape[1] >= MANY_ROWS and not batch_is_cut():
            bottom = max(bottom, span - top)
        elif (top, bottom) == (0, 0):
            bottom = 1
    return _by_xla(window, x, kernel, [(top, bottom), sides])[:, :rows]


def by_patches(window: Window, x: Array, kernel: Array) -> Array:
    """One matrix product: every window's pixels `[B·H'·W', h·w·in]` by the filters."""
    patches = _patches(window, x, kernel)
    filters = kernel.shape[3]
    y = jnp.matmul(_rows(patches), jnp.reshape(kernel, (-1, filters)))
    return jnp.reshape(y, (*patches.shape[:3], filters))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def trained_by_patches(window: Window, x: Array, kernel: Array) -> Array:
    """`by_patches` where it is differentiated, else `padded_by_xla`."""
    return padded_by_xla(window, x, kernel)


def _patches_and_keep(window: Window, x: Array, kernel: Array) -> tuple[Array, Any]:
    return jax.vjp(partial(by_patches, window), x, kernel)


def _gradient_by_patches(_: Window, pull: Any, of_y: Array) -> tuple[Array, Array]:
    of_x, of_kernel = pull(of_y)
    return of_x, of_kernel


trained_by_patches.defvjp(_patches_and_keep, _gradient_by_patches)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def with_gradient_by_rows(window: Window, x: Array, kernel: Array) -> Array:
    """`padded_by_xla`, or where it is differentiated the faster way, with gradients by hand.

    For strides of 1.

    By the kernel: for each of its rows one matrix product, see `_gradient_of_kernel`, or where the
    batch is cut over devices a convolution, see `_gradient_as_convolution`. By the input: the
    convolution of the outputs' gradient with the kernel turned about, which for strides of 1 is a
    convolution like any other.
    """
    return padded_by_xla(window, x, kernel)


def _convolve_and_keep(
    window: Window, x: Array, kernel: Array
) -> tuple[Array, tuple[Array, Array]]:
    return padded_by_xla(window, x, kernel), (x, kernel)


def _gradient_by_rows(
    window: Window, kept: tuple[Array, Array], of_y: Array
) -> tuple[Array, Array]:
    x, kernel = kept
    spans, pads = _spans(window, kernel), _pads(window, x, kernel)[1:3]
    turned = jnp.swapaxes(jnp.flip(kernel, (0, 1)), 2, 3)
    pads_back = [
        (span - 1 - before, span - 1 - after)
        for span, (before, after) in zip(spans, pads, strict=True)
    ]
    of_x = _padded_by_xla(window, of_y, turned, pads_back)
    of_kernel = _gradient_as_convolution if batch_is_cut() else _gradient_of_kernel
    return of_x, of_kernel(window, x, kernel, of_y)


with_gradient_by_rows.defvjp(_convolve_and_keep, _gradient_by_rows)


def _gradient_of_kernel(window: Window, x: Array, kernel: Array, of_y: Array) -> Array:
    """For each row of the kernel one product, of what the row meets by the outputs' gradient.

    A few images at a time, so that the pixels copied for it are still in the cache when they are
    multiplied. The outputs' gradient is turned before: a product contracted along the first axis of
    its left side takes up to twice as long.
    """
    (height, width), (down, right) = _spans(window, kernel), window.dilation
    batch, rows, columns, filters = of_y.shape
    pads, row = _pads(window, x, kernel)[1:], kernel[0, ..., 0].size
    copied = (x.shape[1] + sum(pads[0])) * columns * row
    parts = max(min(batch, math.ceil(batch * copied / CACHED_NUMBERS)), 1)
    images = math.ceil(batch / parts)

    def in_parts(array: Array, pads: Sequence[tuple[int, int]]) -> Array:
        array = jnp.pad(array, [(0, parts * images - batch), *pads])
        return jnp.reshape(array, (parts, images, *array.shape[1:]))

    def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
        x, of_y = part
        shifted = [x[:, :, v : v + columns] for v in range(0, width, right)]
        met = jnp.concatenate(shifted, axis=-1)
        turned = lax.optimization_barrier(_rows(of_y).T)
        products = [turned @ _rows(met[:, u : u + rows]) for u in range(0, height, down)]
        return total + at_least_float32(jnp.stack(products)), None

    zero = at_least_float32(jnp.zeros((kernel.shape[0], filters, row), kernel.dtype))
    zero, of_y = varying_alike((zero, of_y))
    total, _ = lax.scan(add, zero, (in_parts(x, pads), in_parts(of_y, [(0, 0)] * 3)))
    return jnp.reshape(jnp.swapaxes(total, 1, 2), kernel.shape).astype(kernel.dtype)


def _gradient_as_convolution(window: Window, x: Array, kernel: Array, of_y: Array) -> Array:
    """The image convolved with the outputs' gradient, the batch in the place of the channels.

    YNNPACK takes it, on one core, which is all that a device has. Milliseconds on one core of an
    AMD EPYC, vectors of 512 bits, jax 0.10.2, 3×3 "same", against `_gradient_of_kernel`:

    | B, pixels, in, out | by rows | as a convolution |
    | --- | --- | --- |
    | 32, 16×16, 32, 64 | 4.4 | **3.7** |
    | 32, 8×8, 64, 128 | 3.6 | **3.1** |
    | 64, 16×16, 32, 64 | 10.2 | **8.5** |
    | 64, 32×32, 32, 32 | 25.3 | **17.0** |

    On both cores, uncut, it is 8.2 against 6.7 for the third, which is why it is not taken there.
    """
    x, of_y = at_least_float32(x), at_least_float32(of_y)
    images, gradients = lax.optimization_barrier(  # turned at once and not in the convolution
        (jnp.transpose(x, (3, 1, 2, 0)), jnp.transpose(of_y, (1, 2, 0, 3)))
    )
    total = lax.conv_general_dilated(
        images,
        gradients,
        window_strides=window.dilation,
        padding=_pads(window, x, kernel)[1:3],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return jnp.transpose(total, (1, 2, 0, 3)).astype(kernel.dtype)


def _patches(window: Window, x: Array, kernel: Array) -> Array:
    """What each place of the kernel meets, `[B, H', W', h·w·in]`.

    First what lies side by side is put together, then what lies above each other: few copies of
    long pieces, where one copy for each place would be many of as few numbers as `x` has channels.
    """
    (down, right), (down_step, right_step) = window.strides, window.dilation
    height, width = _spans(window, kernel)
    x = jnp.pad(x, _pads(window, x, kernel))
    last_row, last_column = x.shape[1] - height + 1, x.shape[2] - width + 1
    beside = [x[:, :, v : v + last_column : right] for v in range(0, width, right_step)]
    x = jnp.concatenate(beside, axis=-1)
    below = [x[:, u : u + last_row : down] for u in range(0, height, down_step)]
    return jnp.concatenate(below, axis=-1)


def _spans(window: Window, kernel: Array) -> tuple[int, int]:
    """How many pixels the dilated kernel reaches over, vertically and horizontally."""
    height, width = (
        (size - 1) * step + 1 for size, step in zip(kernel.shape[:2], window.dilation, strict=True)
    )
    return height, width


def _pads(window: Window, x: Array, kernel: Array) -> list[tuple[int, int]]:
    """The zeros before and after each axis of `x`."""
    spans, strides = (1, *_spans(window, kernel), 1), (1, *window.strides, 1)
    return list(lax.padtype_to_pads(x.shape, spans, strides, window.padding))


def _rows(pixels: Array) -> Array:
    return jnp.reshape(pixels, (-1, pixels.shape[3]))
