"""Convolution against loops over every product."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional import reference
from tests.functional.cases import zoo_error
from tests.functional.tolerances import assert_close
from zoo.errors import ZooError
from zoo.functional.convolution_ways import (
    Window,
    by_patches,
    by_xla,
    fastest_on_cpu,
    padded_by_xla,
    trained_by_patches,
    with_gradient_by_rows,
)

WAYS = "zoo.functional.convolution_ways"


@pytest.fixture(autouse=True)
def _as_in_a_large_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or everything here would be small enough for the one path."""
    monkeypatch.setattr(f"{WAYS}.FEW_NUMBERS", 0)


few_or_many = pytest.mark.parametrize("channels", [1, 4], ids=["few", "many"])


def compiled(params: F.ConvParams, x: jax.Array, **options: Any) -> jax.Array:
    """In one program: op by op, each slice would be compiled by itself."""
    return jax.jit(lambda params, x: F.conv2d(params, x, **options))(params, x)


def some(
    kernel: tuple[int, int], groups: int = 1, size: tuple[int, int] = (7, 6), channels: int = 4
) -> tuple[F.ConvParams, Any]:
    """4 channels to 6 filters."""
    rng = np.random.default_rng(1)
    params = F.ConvParams(
        jnp.asarray(rng.normal(size=(*kernel, channels // groups, 6))),
        jnp.asarray(rng.normal(size=6)),
    )
    return params, jnp.asarray(rng.normal(size=(2, *size, channels)))


# Filters of few numbers take another path on a CPU: both sides of the limit, in every way.
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation", "groups", "channels"),
    [
        ((3, 3), (1, 1), (1, 1), 1, 3),
        ((3, 3), (1, 1), (1, 1), 1, 4),
        ((1, 1), (3, 2), (1, 1), 1, 4),  # a stride that skips pixels
        ((2, 4), (1, 2), (1, 1), 1, 1),  # even: the odd zero goes to the bottom and the right
        ((2, 4), (1, 2), (1, 1), 1, 4),
        ((5, 4), (3, 2), (1, 1), 1, 1),
        ((2, 2), (2, 2), (1, 1), 2, 4),
        ((2, 3), (2, 3), (3, 2), 1, 2),  # everything at once
        ((2, 3), (2, 3), (3, 2), 2, 12),
    ],
    ids=str,
)
def test_conv2d(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    channels: int,
    padding: str,
) -> None:
    params, x = some(kernel, groups, channels=channels)
    options: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    expected = reference.conv2d(params.kernel, params.bias, x, **options)
    if padding == "same":
        assert expected.shape[1:3] == (-(-7 // strides[0]), -(-6 // strides[1]))
    assert_close(compiled(params, x, **options), expected)


@pytest.mark.parametrize("numbers", [0, 2**23], ids=["large", "small"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation", "groups", "channels", "way"),
    [
        ((3, 3), (1, 1), (1, 1), 1, 1, trained_by_patches),
        ((2, 4), (1, 2), (1, 1), 1, 1, trained_by_patches),
        ((3, 3), (1, 1), (1, 1), 1, 3, by_patches),
        ((5, 4), (1, 1), (1, 1), 1, 3, trained_by_patches),
        ((3, 3), (1, 1), (1, 1), 1, 4, with_gradient_by_rows),
        ((2, 4), (1, 1), (2, 1), 1, 6, with_gradient_by_rows),
        ((1, 1), (1, 1), (1, 1), 1, 28, by_patches),
        ((3, 3), (3, 2), (1, 1), 1, 4, None),
        ((5, 4), (1, 2), (1, 1), 1, 3, None),
        ((3, 2), (1, 1), (1, 1), 2, 8, by_xla),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_way_is_the_definition(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    channels: int,
    way: Any,
    padding: str,
    numbers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Values, gradients and second derivatives, on either side of the limits."""
    monkeypatch.setattr(f"{WAYS}.FEW_NUMBERS", numbers)
    monkeypatch.setattr(f"{WAYS}.CACHED_NUMBERS", numbers or 1)
    monkeypatch.setattr(f"{WAYS}.MANY_ROWS", 1 if numbers else math.inf)
    params, x = some(kernel, groups, channels=channels)
    window = Window(strides, padding.upper(), dilation, groups)
    if way is None:
        way = trained_by_patches if numbers else padded_by_xla
    assert fastest_on_cpu(window, x, params.kernel) is way
    check_against_the_definition(window, params, x)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel", "dilation"), [((3, 3), (1, 1)), ((2, 4), (2, 1)), ((4, 2), (1, 2))], ids=str
)
def test_gradient_where_the_batch_is_cut(
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a convolution, and not by rows."""
    monkeypatch.setattr(f"{WAYS}.batch_is_cut", lambda: True)
    monkeypatch.setattr(f"{WAYS}._gradient_of_kernel", None)
    params, x = some(kernel)
    window = Window((1, 1), padding.upper(), dilation, 1)
    assert fastest_on_cpu(window, x, params.kernel) is with_gradient_by_rows
    check_against_the_definition(window, params, x)


def check_against_the_definition(window: Window, params: F.ConvParams, x: jax.Array) -> None:
    """Values, gradients and second derivatives."""
    options: Any = window._asdict() | {"padding": window.padding.lower()}
    direction = jax.tree.map(jnp.cos, (params.kernel, x))

    def all_of(run: Any) -> Any:
        def loss(inputs: Any) -> jax.Array:
            return jnp.sum(jnp.sin(run(*inputs)))

        def along(inputs: Any) -> jax.Array:
            first = jax.grad(loss)(inputs)
            return sum(map(jnp.vdot, first, direction), jnp.zeros(()))

        inputs = params.kernel, x
        return run(*inputs), jax.grad(loss)(inputs), jax.grad(along)(inputs)

    actual = jax.jit(lambda: all_of(lambda k, x: F.conv2d(F.ConvParams(k), x, **options)))()
    assert_close(actual, jax.jit(lambda: all_of(lambda k, x: by_xla(window, x, k)))())


@pytest.mark.parametrize("numbers", [1, 700, 1200], ids=["one", "two", "three"])
def test_gradient_of_a_few_images_at_a_time(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five images, of which some parts are not full; 7·4·3·4 numbers are copied for each."""
    params, x = some((3, 3))
    images = jnp.concatenate((x, x + 1, x[:1] - 1))
    window = Window((1, 1), "VALID", (1, 1), 1)
    monkeypatch.setattr(f"{WAYS}.CACHED_NUMBERS", numbers)

    def gradient(way: Any) -> jax.Array:
        return jax.jit(jax.grad(lambda k: jnp.sum(jnp.sin(way(window, images, k)))))(params.kernel)

    assert_close(gradient(with_gradient_by_rows), gradient(by_xla))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 8)], ids=str)
@few_or_many
def test_same_padding_of_small_images(size: tuple[int, int], channels: int) -> None:
    """Also where the kernel is larger than the image."""
    params, x = some((3, 4), size=size, channels=channels)
    expected = reference.conv2d(params.kernel, params.bias, x, padding="same", strides=(2, 2))
    assert_close(compiled(params, x, padding="same", strides=2), expected)


def test_without_bias() -> None:
    params, x = some((3, 3))
    expected = reference.conv2d(params.kernel, None, x)
    assert_close(compiled(F.ConvParams(params.kernel), x), expected)


def test_depthwise() -> None:
    """As many groups as channels, two filters for each."""
    rng = np.random.default_rng(2)
    kernel, x = rng.normal(size=(2, 3, 1, 6)), rng.normal(size=(2, 4, 5, 3))
    expected = reference.conv2d(kernel, None, x, groups=3)
    assert_close(compiled(F.ConvParams(jnp.asarray(kernel)), jnp.asarray(x), groups=3), expected)


def test_one_number_is_both() -> None:
    params, x = some((2, 2))
    expected = reference.conv2d(params.kernel, params.bias, x, strides=(2, 2), dilation=(3, 3))
    assert_close(compiled(params, x, strides=2, dilation=3), expected)


@few_or_many
def test_empty_batch(channels: int) -> None:
    params, x = some((3, 3), channels=channels)
    assert compiled(params, x[:0]).shape == (0, 5, 4, 6)
    gradient = jax.grad(lambda params: jnp.sum(compiled(params, x[:0])))(params)
    assert_close(gradient, jax.tree.map(jnp.zeros_like, params))


def test_errors() -> None:
    params, x = some((3, 3))
    with zoo_error("x must have shape [B, H, W, in] (4 axes), got shape (7, 6, 4)."):
        F.conv2d(params, x[0])
    with zoo_error(
        "kernel must have shape [height, width, in / groups, out] (4 axes), got shape (3, 4, 6)."
    ):
        F.conv2d(F.ConvParams(params.kernel[0]), x)
    with pytest.raises(
        ZooError, match=r"x must be float\d\d for a kernel of that type, got bfloat16"
    ):
        F.conv2d(params, x.astype("bfloat16"))
    with zoo_error("padding must be 'valid' or 'same', got 'SAME'."):
        F.conv2d(params, x, padding="SAME")
    with zoo_error(
        "x with 3 channels, groups=1 and a kernel of shape (3, 3, 4, 6) do not fit: channels "
        "must be 4 × groups, and the 6 filters a multiple of groups."
    ):
        F.conv2d(params, x[..., :3])
    with zoo_error(
        "x with 4 channels, groups=4 and a kernel of shape (3, 3, 1, 6) do not fit: channels "
        "must be 1 × groups, and the 6 filters a multiple of groups."
    ):
        F.conv2d(F.ConvParams(params.kernel[:, :, :1]), x, groups=4)
    with zoo_error(
        "x with 4 channels, groups=0 and a kernel of shape (3, 3, 4, 6) do not fit: channels "
        "must be 4 × groups, and the 6 filters a multiple of groups."
    ):
        F.conv2d(params, x, groups=0)


@pytest.mark.parametrize("name", ["strides", "dilation"])
@pytest.mark.parametrize("value", [0, -1, (2,), (1, 2, 3), (1, 0), (1.5, 1), "ab", 2.0, None])
def test_steps_must_be_positive_integers(name: str, value: Any) -> None:
    params, x = some((3, 3))
    with zoo_error(f"{name} must be a positive integer or a pair of them, got {value!r}."):
        F.conv2d(params, x, **{name: value})


@pytest.mark.parametrize("shape", [(1,), (5,), (1, 6)], ids=str)
def test_bias_of_another_shape(shape: tuple[int, ...]) -> None:
    params, x = some((3, 3))
    with pytest.raises(ZooError, match="bias"):
        F.conv2d(params._replace(bias=jnp.ones(shape)), x)


@few_or_many
@pytest.mark.parametrize("kernel", [(3, 3), (9, 1)], ids=str)
def test_image_smaller_than_the_kernel(kernel: tuple[int, int], channels: int) -> None:
    """An empty picture would go on unseen and come out as NaN after the pooling."""
    params, x = some(kernel, size=(2, 6), channels=channels)
    with pytest.raises(ZooError, match=rf"x .*\(2, 2, 6, {channels}\)"):
        F.conv2d(params, x)
