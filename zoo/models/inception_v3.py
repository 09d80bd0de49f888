"""Inception v3, whole or a stretch of it, as Keras's applications have it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.errors import ZooError, unknown_name
from zoo.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)
from zoo.layers.interception import calls_are_intercepted
from zoo.models.images import check_image_config, check_images, sized_pixels
from zoo.models.registry import register_model


class Conv(NamedTuple):
    """Convolution without a bias, BatchNorm without a scale, ReLU.

    With `averaged` all that is of the means over 3×3 windows of what comes in, and `size` is 1. The
    mean is linear in positions and such a convolution in channels, so that their order does not
    matter but for rounding, and after the convolution there are fewer channels to average:
    Inception v3 took 234 instead of 243 ms for 8 images that way (two cores of an AMD EPYC, each
    with four). Who looks at calls of layers sees the mean first, as in Keras.
    """

    filters: int
    size: int | tuple[int, int]
    strides: int = 1
    padding: str = "same"
    averaged: bool = False


class MaxPool(NamedTuple):
    """The largest of each 3×3 window, every second one."""

    size: int = 3
    strides: int = 2


class Branches(NamedTuple):
    """Branches side by side, concatenated; Keras numbers those that have no name."""

    branches: tuple[tuple["Step", ...], ...]
    name: str | None = None


Step = Conv | MaxPool | Branches


def _35(name: str, pooled: int) -> Branches:
    """A block on 35×35 positions of an image of 299×299."""
    return Branches(
        (
            (Conv(64, 1),),
            (Conv(48, 1), Conv(64, 5)),
            (Conv(64, 1), Conv(96, 3), Conv(96, 3)),
            (Conv(pooled, 1, averaged=True),),
        ),
        name,
    )


def _17(name: str, n: int) -> Branches:
    """A block on 17×17 positions: 7×7 windows as rows and columns."""
    row, column = (1, 7), (7, 1)
    return Branches(
        (
            (Conv(192, 1),),
            (Conv(n, 1), Conv(n, row), Conv(192, column)),
            (Conv(n, 1), Conv(n, column), Conv(n, row), Conv(n, column), Conv(192, row)),
            (Conv(192, 1, averaged=True),),
        ),
        name,
    )


def _8(name: str, split_name: str) -> Branches:
    """A block on 8×8 positions: branches that branch again."""
    split = (Conv(384, (1, 3)),), (Conv(384, (3, 1)),)
    return Branches(
        (
            (Conv(320, 1),),
            (Conv(384, 1), Branches(split, split_name)),
            (Conv(448, 1), Conv(384, 3), Branches(split)),
            (Conv(192, 1, averaged=True),),
        ),
        name,
    )


STEM: tuple[Step, ...] = (
    Conv(32, 3, 2, "valid"),
    Conv(32, 3, 1, "valid"),
    Conv(64, 3),
    MaxPool(),
    Conv(80, 1, 1, "valid"),
    Conv(192, 3, 1, "valid"),
    MaxPool(),
)
_HALVED = (Conv(64, 1), Conv(96, 3), Conv(96, 3, 2, "valid"))
_HALVED_BY_SEVENS = (Conv(192, 1), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, 2, "valid"))
BLOCKS: tuple[Branches, ...] = (
    _35("mixed0", 32),
    _35("mixed1", 64),
    _35("mixed2", 64),
    Branches(((Conv(384, 3, 2, "valid"),), _HALVED, (MaxPool(),)), "mixed3"),
    _17("mixed4", 128),
    _17("mixed5", 160),
    _17("mixed6", 160),
    _17("mixed7", 192),
    Branches(((Conv(192, 1), Conv(320, 3, 2, "valid")), _HALVED_BY_SEVENS, (MaxPool(),)), "mixed8"),
    _8("mixed9", "mixed9_0"),
    _8("mixed10", "mixed9_1"),  # so are they called in Keras
)
TAPS: tuple[str, ...] = tuple(str(block.name) for block in BLOCKS)
SMALLEST = 75

# (step, names of its layers, what reaches it) to what leaves it.
Visit = Callable[[Step, tuple[str, ...], Any], Any]


def _kinds(step: Step) -> tuple[str, ...]:
    """Keras's names of a step's layers, one after the other, without numbers."""
    if isinstance(step, Conv):
        mean = ("average_pooling2d",) if step.averaged else ()
        return (*mean, "conv2d", "batch_normalization", "activation")
    return (step.name or "concatenate" if isinstance(step, Branches) else "max_pooling2d",)


class InceptionBlocks(nnx.Module):
    """A stretch of the network: what comes after the block `after`, to the block `until`.

    Layers have the names of Keras's application, whatever the stretch: `conv2d_85` is the same
    layer in each that has it.

    Args:
        channels: of what the stretch is called with.
        after: a name of `TAPS`; None means from the images on.
        until: a name of `TAPS`.
        rngs: the stream `params` draws the weights.
    """

    def __init__(
        self, channels: int, *, after: str | None = None, until: str = TAPS[-1], rngs: nnx.Rngs
    ):
        check_taps(after, until)
        self.after, self.until = after, until

        def create(step: Step, names: tuple[str, ...], channels: Any) -> int:
            layers: tuple[nnx.Module, ...]
            if isinstance(step, Conv):
                layers = (
                    *((AveragePooling2D(3, 1, "same"),) if step.averaged else ()),
                    Conv2D(channels, *step[:4], use_bias=False, rngs=rngs),
                    BatchNormalization(step.filters, scale=False),
                    Activation("relu"),
                )
                channels = step.filters
            elif isinstance(step, Branches):
                layers, channels = (Concatenate(),), sum(channels)
            else:
                layers = (MaxPooling2D(*step),)
            for name, layer in zip(names, layers, strict=True):
                setattr(self, name, layer)
            return int(channels)

        *_, (_, self.channels) = self._walk(channels, create)

    def taps(self, x: jax.Array) -> dict[str, jax.Array]:
        """The output `[B, H', W', C']` of each block of the stretch, by its name."""

        def apply(step: Step, names: tuple[str, ...], x: Any) -> Any:
            if isinstance(step, Conv) and step.averaged and not calls_are_intercepted():
                mean, conv, *others = names
                names = (conv, mean, *others)
            return reduce(lambda y, name: getattr(self, name)(y), names, x)

        return {name: y for name, y in self._walk(x, apply) if name in TAPS}

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, C]` to the output of the last block; of no block, `x` itself."""
        *_, last = (x, *self.taps(x).values())
        return last

    def _walk(self, x: Any, visit: Visit) -> Iterator[tuple[str | None, Any]]:
        """Name and output of each step, from what comes in on."""
        counts: Counter[str] = Counter()
        inside = self.after is None
        yield None, x
        for step in (*STEM, *BLOCKS):
            name = step.name if isinstance(step, Branches) else None
            x = _follow(step, x, counts, visit if inside else _pass)
            if inside:
                yield name, x
            inside = inside or name == self.after
            if name == self.until:
                return


def _follow(step: Step, x: Any, counts: Counter[str], visit: Visit) -> Any:
    if isinstance(step, Branches):
        outputs = []
        for branch in step.branches:
            y = x
            for inner in branch:
                y = _follow(inner, y, counts, visit)
            outputs.append(y)
        x = outputs
    kinds = _kinds(step)
    # As Keras numbers layers: none for the first of a kind.
    names = tuple(f"{kind}_{counts[kind]}" if counts[kind] else kind for kind in kinds)
    counts.update(kinds)
    return visit(step, names, x)


def _pass(step: Step, names: tuple[str, ...], x: Any) -> Any:  # noqa: ARG001
    return x[0] if isinstance(step, Branches) else x


def check_taps(after: str | None, until: str) -> None:
    """Raises unless both are names of blocks, and `after` is not behind `until`."""
    for name in (after, until):
        if name is not None and name not in TAPS:
            raise unknown_name("block of Inception v3", str(name), TAPS)
    if after is not None and TAPS.index(after) > TAPS.index(until):
        raise ZooError(f"after must not be behind until={until!r}, got {after!r}.")


@dataclass(frozen=True)
class InceptionV3Config:
    """What Keras's application is asked for, and where the network ends.

    `include_top` is the mean over the image and a dense layer of `classes`. Without it `pooling`
    says whether the feature map is returned as it is (None) or its mean ("avg") or largest values
    ("max"). `until` is the last block; the whole network ends with "mixed10".
    """

    input_shape: tuple[int, int, int] = (299, 299, 3)
    classes: int = 1000
    include_top: bool = True
    pooling: Literal["avg", "max"] | None = None
    until: str = TAPS[-1]

    def __post_init__(self) -> None:
        check_image_config(self.input_shape, self.classes)
        check_inception_size(self.input_shape)
        check_taps(None, self.until)
        if self.pooling not in (None, "avg", "max"):
            raise ZooError(f"pooling must be None, 'avg' or 'max', got {self.pooling!r}.")
        if self.pooling and self.include_top:
            raise ZooError("pooling is for include_top=False: the top has its own.")

    def preprocess(self, images: jax.Array) -> jax.Array:
        """See `inception_preprocess`."""
        return inception_preprocess(images, self.input_shape)


def check_inception_size(input_shape: tuple[int, int, int]) -> None:
    """Raises unless something of an image is left after all windows without padding."""
    if min(input_shape[:2]) < SMALLEST:
        raise ZooError(
            f"input_shape must be at least {SMALLEST} pixels high and wide, got {input_shape}."
        )


def inception_preprocess(images: jax.Array, input_shape: tuple[int, int, int]) -> jax.Array:
    """Images as Inception v3 was trained on them: bytes as floats between −1 and 1.

    What is not bytes is taken as prepared and left as it is.

    Args:
        images: `[B, H, W, C]` of any size; grey ones and RGBA are made RGB.
        input_shape: height, width and channels that the model takes.

    Raises:
        ZooError: images of other axes or channels.
    """
    return sized_pixels(images, input_shape) / 127.5 - 1 if images.dtype == jnp.uint8 else images


@register_model("inception_v3", InceptionV3Config)
class InceptionV3(InceptionBlocks):
    """Inception v3, equal to `keras.applications.InceptionV3`.

    A stem of five convolutions, eleven blocks of branches side by side (`mixed0` to `mixed10`),
    the mean over the image and a dense layer: 23,851,784 parameters, 21,802,784 without the top.
    Every convolution has no bias and is followed by BatchNorm (no scale) and ReLU. Images are
    prepared by `config.preprocess`. Returns logits where Keras has softmax on them.

    `zoo.keras.load_weights` reads the official files (`inception_v3_weights_tf_dim_ordering_tf_
    kernels.h5`, and the one ending in `_notop.h5` with `include_top=False`).

    | block | output for 299×299 |
    | --- | --- |
    | stem | 35, 35, 192 |
    | mixed0; mixed1 and mixed2 | 35, 35, 256; 288 |
    | mixed3 to mixed7 | 17, 17, 768 |
    | mixed8 | 8, 8, 1280 |
    | mixed9 and mixed10 | 8, 8, 2048 |

    Source: Szegedy et al., 2016, https://arxiv.org/abs/1512.00567
    """

    def __init__(self, config: InceptionV3Config, *, rngs: nnx.Rngs):
        super().__init__(config.input_shape[-1], until=config.until, rngs=rngs)
        self.config = config
        if config.include_top:
            self.avg_pool = GlobalAveragePooling2D()
            self.predictions = Dense(self.channels, config.classes, rngs=rngs)
        elif config.pooling == "avg":
            self.global_average_pooling2d = GlobalAveragePooling2D()
        elif config.pooling == "max":
            self.global_max_pooling2d = GlobalMaxPooling2D()

    def __call__(self, x: jax.Array) -> jax.Array:
        """Images `[B, H, W, C]` to logits `[B, classes]`.

        Without the top to the feature map `[B, H', W', C']`, with `pooling` to `[B, C']`.
        """
        check_images(x, self.config.input_shape, prepare="config.preprocess")
        x = super().__call__(x)
        if self.config.include_top:
            return self.predictions(self.avg_pool(x))
        if self.config.pooling == "avg":
            return self.global_average_pooling2d(x)
        return self.global_max_pooling2d(x) if self.config.pooling == "max" else x
