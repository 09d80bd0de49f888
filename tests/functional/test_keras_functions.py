"""The functions that Keras files need beyond the first models', against plain NumPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional import reference
from tests.functional.tolerances import assert_close, assert_same
from zoo.errors import ZooError

RNG = np.random.default_rng(0)
STEPS, IMAGES = RNG.normal(size=(2, 7, 4)), RNG.normal(size=(2, 5, 6, 4))
MASK = np.array([[1, 0, 1, 1, 0, 0, 1], [0, 0, 1, 1, 1, 0, 0]], bool)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("strides", "dilation", "groups"), [(1, 1, 1), (2, 1, 2), (1, 3, 4)])
def test_conv1d(padding: str, strides: int, dilation: int, groups: int) -> None:
    kernel, bias = RNG.normal(size=(3, 4 // groups, 8)), RNG.normal(size=8)
    x = STEPS
    if padding == "causal":
        x = np.concatenate([np.zeros((2, 2 * dilation, 4)), STEPS], axis=1)
    expected = reference.conv2d(
        kernel[None],
        bias,
        x[:, None],
        strides=(1, strides),
        padding="same" if padding == "same" else "valid",
        dilation=(1, dilation),
        groups=groups,
    )
    params = F.ConvParams(jnp.asarray(kernel), jnp.asarray(bias))
    actual = F.conv1d(
        params,
        jnp.asarray(STEPS),
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    assert_close(actual, expected[:, 0])


def test_depthwise_and_separable() -> None:
    depthwise = RNG.normal(size=(3, 2, 4, 2))
    pointwise, bias = RNG.normal(size=(1, 1, 8, 5)), RNG.normal(size=5)
    between = np.zeros((2, 3, 5, 8))
    for channel in range(4):
        between[..., 2 * channel : 2 * channel + 2] = reference.conv2d(
            depthwise[:, :, channel : channel + 1], None, IMAGES[..., channel : channel + 1]
        )
    x = jnp.asarray(IMAGES)
    assert_close(F.depthwise_conv2d(F.ConvParams(jnp.asarray(depthwise)), x), between)
    params = F.SeparableConvParams(*map(jnp.asarray, (depthwise, pointwise, bias)))
    assert_close(F.separable_conv2d(params, x), between @ pointwise[0, 0] + bias)


@pytest.mark.parametrize(("pool", "reduce"), [(F.max_pool1d, max), (F.avg_pool1d, np.mean)])
@pytest.mark.parametrize(("window", "strides", "padding"), [(3, 2, "same"), (2, 1, "valid")])
def test_pooling(pool, reduce, window, strides, padding) -> None:  # type: ignore[no-untyped-def]
    x = STEPS - 5
    expected = reference.pool2d(reduce, x[:, None], (1, window), (1, strides), padding)
    assert_close(pool(jnp.asarray(x), window, strides, padding), expected[:, 0])


def test_global_pooling() -> None:
    x = jnp.asarray(STEPS)
    assert_close(F.global_avg_pool1d(x), STEPS.mean(1))
    assert_same(F.global_max_pool1d(x, keepdims=True), STEPS.max(1, keepdims=True))
    kept = np.stack([row[mask].mean(0) for row, mask in zip(STEPS, MASK, strict=True)])
    assert_close(F.global_avg_pool1d(x, jnp.asarray(MASK)), kept)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (-1, 1)])
def test_layer_norm(axis: int | tuple[int, ...]) -> None:
    axes = tuple(sorted(a % 3 for a in (axis if isinstance(axis, tuple) else (axis,))))
    shape = [STEPS.shape[a] for a in axes]
    gamma, beta = RNG.normal(size=shape), RNG.normal(size=shape)
    wide = [STEPS.shape[a] if a in axes else 1 for a in range(3)]
    mean, variance = STEPS.mean(axes, keepdims=True), STEPS.var(axes, keepdims=True)
    expected = (STEPS - mean) / np.sqrt(variance + 0.1) * gamma.reshape(wide) + beta.reshape(wide)
    params = F.LayerNormParams(jnp.asarray(gamma), jnp.asarray(beta))
    assert_close(F.layer_norm(params, jnp.asarray(STEPS), axis=axis, epsilon=0.1), expected)


def test_standardize_and_rescale() -> None:
    mean, variance = RNG.normal(size=7), np.array([0.0, 1, 2, 3, 4, 5, 6])
    x, stats = jnp.asarray(STEPS), (jnp.asarray(mean), jnp.asarray(variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)[:, None]
    assert_close(F.standardize(x, *stats, axis=1, invert=True), mean[:, None] + STEPS * deviation)
    fine = (stats[0][1:], stats[1][1:])
    assert_close(
        F.standardize(x[:, 1:], *fine, axis=1), (STEPS[:, 1:] - mean[1:, None]) / deviation[1:]
    )
    scale = np.array([1.0, 2.0, 3.0, 4.0])
    assert_close(F.rescale(x, jnp.asarray(scale), -1.0), STEPS * scale - 1)


def test_reshaping() -> None:
    x, image = jnp.asarray(STEPS), jnp.asarray(IMAGES)
    assert_same(F.reshape(x, (2, -1, 7)), STEPS.reshape(2, 2, 2, 7))
    assert_same(F.permute(image, (3, 1, 2)), IMAGES.transpose(0, 3, 1, 2))
    assert_same(F.repeat_vector(x[:, 0], 3), np.stack([STEPS[:, 0]] * 3, axis=1))
    assert_same(F.zero_pad(x, ((1, 2),)), np.pad(STEPS, ((0, 0), (1, 2), (0, 0))))
    assert_same(F.crop(image, ((1, 0), (2, 3))), IMAGES[:, 1:, 2:3])
    assert_same(F.upsample1d(x, 2), STEPS.repeat(2, axis=1))
    assert_same(F.upsample2d(image, (2, 3)), IMAGES.repeat(2, axis=1).repeat(3, axis=2))


def test_bilinear() -> None:
    """Pixels are the centres of their squares; at the edge the outermost pixel goes on."""
    expected = np.zeros((2, 10, 6, 4))
    for row in range(10):
        place = np.clip((row + 0.5) / 2 - 0.5, 0, 4)
        low = min(math.floor(place), 3)
        share = place - low
        expected[:, row] = (1 - share) * IMAGES[:, low] + share * IMAGES[:, low + 1]
    assert_close(F.upsample2d(jnp.asarray(IMAGES), (2, 1), "bilinear"), expected)


def test_merging() -> None:
    a, b, c = RNG.normal(size=(3, 2, 7, 4))
    xs = list(map(jnp.asarray, (a, b, c)))
    assert_close(F.add(xs), a + b + c)
    assert_close(F.subtract(xs[:2]), a - b)
    assert_close(F.multiply(xs), a * b * c)
    assert_close(F.average(xs), (a + b + c) / 3)
    assert_same(F.maximum(xs), np.max([a, b, c], axis=0))
    assert_same(F.minimum(xs), np.min([a, b, c], axis=0))
    assert_same(F.concatenate(xs, 1), np.concatenate([a, b, c], axis=1))
    assert_close(F.add([xs[0], xs[1][:, 0]]), a + b[:, :1])


def test_masked_merging() -> None:
    a, b = RNG.normal(size=(2, 2, 7, 4))
    other = MASK[::-1]
    xs, masks = [jnp.asarray(a), jnp.asarray(b)], [jnp.asarray(MASK), jnp.asarray(other)]
    expected = np.zeros_like(a)
    largest = np.zeros_like(a)
    for row, step in np.ndindex(2, 7):
        pair = [v[row, step] for v, m in ((a, MASK), (b, other)) if m[row, step]]
        expected[row, step] = np.prod(pair, axis=0) if pair else 0
        # Where both are masked, Keras lets the first win.
        largest[row, step] = np.max(pair, axis=0) if pair else a[row, step]
    assert_close(F.multiply(xs, masks), expected)
    assert_same(F.maximum(xs, masks), largest)


def test_dot() -> None:
    a, b = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(2, 5, 6))
    expected = np.stack([np.tensordot(x, y, axes=(2, 0)) for x, y in zip(a, b, strict=True)])
    assert_close(F.dot(jnp.asarray(a), jnp.asarray(b), axes=(3, 1)), expected)
    u, v = RNG.normal(size=(2, 2, 5))
    v[1] = 0
    cosine = [
        0 if not y.any() else x @ y / np.sqrt(x @ x * (y @ y)) for x, y in zip(u, v, strict=True)
    ]
    actual = F.dot(jnp.asarray(u), jnp.asarray(v), axes=-1, normalize=True)
    assert_close(actual, np.array(cosine)[:, None])


def test_activations_with_constants() -> None:
    x = np.linspace(-3, 3, 25).reshape(1, 25)
    expected = [min(v if v > 0.5 else 0.2 * (v - 0.5), 2) for v in x[0]]
    actual = F.relu(jnp.asarray(x), max_value=2, negative_slope=0.2, threshold=0.5)
    assert_close(actual[0], np.array(expected))
    assert_close(F.elu(jnp.asarray(x), alpha=0.5), np.where(x > 0, x, 0.5 * np.expm1(x)))


def test_softmax() -> None:
    powers = np.exp(STEPS)
    assert_close(
        F.softmax(jnp.asarray(STEPS), axis=(1, 2)), powers / powers.sum((1, 2), keepdims=True)
    )
    mask = np.concatenate([MASK[:1], np.zeros((1, 7), bool)])
    shares = np.exp(STEPS[..., 0]) * mask
    total = shares.sum(1, keepdims=True)
    expected = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
    actual = F.softmax(jnp.asarray(STEPS[..., 0]), mask=jnp.asarray(mask))
    assert_close(actual, expected)


def test_masks() -> None:
    x = STEPS * MASK[..., None]
    x[0, 0, 1:] = 0  # one value other than 0 is enough
    assert_same(F.steps_other_than(jnp.asarray(x), 0.0), MASK)
    assert_same(F.zero_masked(jnp.asarray(STEPS), jnp.asarray(MASK)), STEPS * MASK[..., None])


def test_time_distributed() -> None:
    def doubled_sum(rows: jax.Array) -> jax.Array:
        assert rows.shape == (14, 4)
        return 2 * jnp.sum(rows, axis=-1, keepdims=True)

    actual = F.time_distributed(doubled_sum, jnp.asarray(STEPS))
    assert_close(actual, 2 * STEPS.sum(-1, keepdims=True))


def test_noise() -> None:
    x = jnp.ones((4, 50, 500))
    dropped = np.asarray(F.spatial_dropout(jax.random.key(0), x, 0.25))
    assert set(np.unique(dropped)) == {0, 1 / 0.75}
    assert (dropped == dropped[:, :1]).all()
    # 2,000 channels: the share dropped is within five deviations of the rate.
    assert abs((dropped[:, 0] == 0).mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 2000)
    noise = np.asarray(F.gaussian_noise(jax.random.key(1), x, 0.5)) - 1
    assert abs(noise.std() - 0.5) < 0.01
    assert abs(noise.mean()) < 0.01


def test_errors() -> None:
    x = jnp.asarray(STEPS)
    for call, message in [
        (lambda: F.reshape(x, (5, -1)), r"shape must hold the 28 values of \(7, 4\), got"),
        (lambda: F.permute(x, (0, 1)), "dims must be the axes 1 to 2"),
        (lambda: F.crop(x, ((4, 3),)), "cropping must leave something"),
        (lambda: F.zero_pad(x, ((1, 1), (1, 1))), "padding must be 1 pairs"),
        (lambda: F.upsample2d(jnp.asarray(IMAGES), 2, "cubic"), "interpolation must be one of"),
        (lambda: F.concatenate([x, x[:, :3]]), "xs must have one shape but for axis -1"),
        (lambda: F.add([x, x[:, :3]]), "xs must have shapes that broadcast"),
        (lambda: F.add([]), "xs must be at least one array"),
        (lambda: F.subtract([x]), "xs must be two arrays, got 1"),
        (lambda: F.dot(x, x, axes=0), "axes must be axes after the batch"),
        (lambda: F.dot(x, x, axes=(1, 2)), "x and y must have one size"),
        (lambda: F.relu(x, negative_slope=-1), "must not be negative"),
        (lambda: F.conv1d(F.ConvParams(jnp.ones((8, 4, 1))), x), "x must be at least as long"),
        (lambda: F.conv1d(F.ConvParams(jnp.ones((2, 3, 1))), x), "x with 4 channels"),
        (lambda: F.conv1d(F.ConvParams(jnp.ones((2, 4, 1))), x, padding="full"), "'causal'"),
        (lambda: F.time_distributed(lambda y: y, x[:, 0]), "x must have shape"),
        (lambda: F.global_avg_pool1d(x, jnp.ones((2, 6), bool)), "mask must have shape"),
        (lambda: F.standardize(x, jnp.ones(3), jnp.ones(3)), "mean must have shape"),
    ]:
        with pytest.raises(ZooError, match=message):
            call()
