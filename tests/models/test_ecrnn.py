"""The ECRNN study's models: the report's table row by row, and their arithmetic in NumPy."""

import jax
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.functional import reference
from tests.functional.cases import zoo_error
from zoo.explain import count_parameters, layer_table
from zoo.layers import BatchNormalization
from zoo.models import model_config, weights_of

# As it stands in the report, but for its first and its last row, which have no weights: the
# input, and the softmax that our models leave to the loss.
REPORT = """
| 2 | Conv 3×3 same | 32,32,32 | 896 |
| 3 | BN | | 128 |
| 4 | MaxPool 2 | 16,16,32 | |
| 5 | Conv | 16,16,64 | 18,496 |
| 6 | BN | | 256 |
| 7 | MaxPool | 8,8,64 | |
| 8 | Conv | 8,8,128 | 73,856 |
| 9 | BN | | 512 |
| 10 | MaxPool | 4,4,128 | |
| 11 | Conv | 4,4,256 | 295,168 |
| 12 | BN | | 1,024 |
| 13 | MaxPool | 2,2,256 | |
| 14 | Flatten | 1024 | |
| 15 | Dense | 512 | 524,800 |
| 16 | BN | | 2,048 |
| 17 | Dense | 256 | 131,328 |
| 18 | BN | | 1,024 |
| 19 | Dense | 512 | 131,584 |
| 20 | BN | | 2,048 |
| 21 | Dense | 1,024 | 525,312 |
| 22 | BN | | 4,096 |
| 23 | Reshape | 1024,1 | |
| 24 | BiLSTM 16 | 32 | 2,304 |
| 25 | Dense | 10 | 330 |
"""
TOTAL = 1_715_210
KINDS = {
    "Conv": "Conv2D",
    "BN": "BatchNormalization",
    "MaxPool": "MaxPooling2D",
    "Flatten": "Flatten",
    "Dense": "Dense",
    "Reshape": "Reshape",
    "BiLSTM": "Bidirectional",
}


def report_rows():
    """Class, output size and weights of each row; a row without an output keeps the last one."""
    rows, output = [], 0
    for line in REPORT.strip().splitlines():
        _, layer, shape, weights = (cell.strip() for cell in line.strip("|").split("|"))
        if layer == "Dense" and shape == "1,024":  # one number, not two
            shape = "1024"
        output = tuple(map(int, shape.split(","))) if shape else output
        rows.append((KINDS[layer.split()[0]], output, int(weights.replace(",", "") or 0)))
    return rows


def our_rows(name, **options):
    model = zoo.create_model(name, rngs=nnx.Rngs(0), **options)
    rows = layer_table(model, model.config.input_shape)
    return [(row.kind, row.output_shape, row.trainable + row.moving) for row in rows]


def test_the_summary_is_the_report_s_table(capsys):
    assert our_rows("ecrnn") == report_rows()
    zoo.summary(zoo.create_model("ecrnn", rngs=nnx.Rngs(0)))
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{TOTAL:,} parameters:")


def test_the_other_families_are_its_parts():
    rows = report_rows()
    assert our_rows("ecrnn_cnn") == [*rows[:13], ("Dense", (10,), 10_250)]
    with_dense = our_rows("ecrnn_cnn", encoder_decoder=True)
    assert with_dense == [*rows[:21], ("Dense", (10,), 10_250)]
    assert our_rows("crnn") == [*rows[:13], *rows[21:]]


@pytest.mark.parametrize(("name", "total"), [("ecrnn_cnn", 400_586), ("crnn", 392_970)])
def test_as_many_parameters_as_their_docstrings_say(name, total):
    model = zoo.create_model(name, rngs=nnx.Rngs(0))
    assert count_parameters(model) == total
    assert f"{total:,} parameters" in type(model).__doc__


# Sides that do not halve evenly, and as few weights as there can be.
SMALL = {"input_shape": (5, 6, 2), "filters": (3, 4), "classes": 3}
IMAGES = np.asarray(jax.random.uniform(jax.random.key(0), (4, 5, 6, 2)))


def small(name, seed=0, **options):
    """A small model in evaluation mode with every weight drawn, statistics as well."""
    model = zoo.create_model(name, rngs=nnx.Rngs(seed), **SMALL, **options)
    rng = np.random.default_rng(seed)
    for path, variable in nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat))):
        values = rng.normal(0, 0.6, variable.shape)
        positive = path[-1] in ("moving_variance", "gamma")
        variable[...] = np.abs(values) + 0.3 if positive else values
    model.eval()
    return model, {name: np.asarray(v, np.float64) for name, v in weights_of(model).items()}


def normalised(weights, at, x):
    gamma, beta, mean, variance = (
        weights[f"{at}.{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def features(weights):
    x = IMAGES.astype(np.float64)
    for i in range(len(SMALL["filters"])):
        at = f"features.blocks.{i}"
        x = reference.conv2d(
            weights[f"{at}.conv.kernel"], weights[f"{at}.conv.bias"], x, padding="same"
        )
        x = normalised(weights, f"{at}.norm", np.maximum(x, 0))
        x = reference.pool2d(max, x, (2, 2), (2, 2), "same")
    return x.reshape(len(x), -1)


def test_the_cnn_s_arithmetic():
    model, weights = small("ecrnn_cnn")
    logits = features(weights) @ weights["logits.kernel"] + weights["logits.bias"]
    np.testing.assert_allclose(model(IMAGES), logits, rtol=1e-4, atol=1e-5)


def test_what_the_rnn_is_given():
    model, weights = small("crnn", units=(2,))
    assert model.config.features == 2 * 2 * 4
    np.testing.assert_allclose(
        model.sequence(IMAGES), features(weights)[..., None], rtol=1e-4, atol=1e-5
    )
    model, weights = small("crnn", units=(2,), batch_norm=True)
    np.testing.assert_allclose(
        model.sequence(IMAGES)[..., 0],
        normalised(weights, "norm", features(weights)),
        rtol=1e-4,
        atol=1e-5,
    )
    model, weights = small("ecrnn", units=(2,))
    x = features(weights)
    for i, width in enumerate((8, 4, 8, 16)):
        x = x @ weights[f"dense.blocks.{i}.dense.kernel"] + weights[f"dense.blocks.{i}.dense.bias"]
        assert x.shape[1] == width
        x = normalised(weights, f"dense.blocks.{i}.norm", np.maximum(x, 0))
    np.testing.assert_allclose(model.sequence(IMAGES)[..., 0], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("units", [(2,), (2, 3)], ids=["one layer", "two"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_the_rnn_s_arithmetic(cell, bidirectional, units):
    model, weights = small("crnn", cell=cell, units=units, bidirectional=bidirectional)
    x = np.random.default_rng(0).normal(size=(3, 5, 1))
    logits = model.classify(x.astype(np.float32))
    for i in range(len(units)):
        ways = ("forward_layer.", "backward_layer.") if bidirectional else ("",)
        found = [
            reference.recurrent(
                cell,
                tuple(
                    weights[f"recurrent.layers.{i}.{way}{part}"]
                    for part in ("kernel", "recurrent_kernel", "bias")
                ),
                x,
                reverse=way.startswith("backward"),
            )
            for way in ways
        ]
        x = np.concatenate([outputs for outputs, _ in found], axis=-1)
        last = np.concatenate([state[0] for _, state in found], axis=-1)
    expected = last @ weights["logits.kernel"] + weights["logits.bias"]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["crnn", "ecrnn"])
def test_the_controls(name):
    plain, _ = small(name, units=(2,))
    zeros, _ = small(name, units=(2,), given="zeros")
    assert not np.asarray(zeros.sequence(IMAGES)).any()
    logits = np.asarray(zeros(IMAGES))
    np.testing.assert_array_equal(logits, np.broadcast_to(logits[0], logits.shape))
    shuffled, _ = small(name, units=(2,), given="shuffled")
    one, other = np.asarray(shuffled.recurrent.sequence(np.arange(32).reshape(2, 16)))[..., 0]
    assert sorted(one) == list(range(16)) != one.tolist()
    np.testing.assert_array_equal(other, one + 16)
    given = np.asarray(plain.sequence(IMAGES))
    np.testing.assert_array_equal(shuffled.sequence(IMAGES), given[:, one])


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((32, 32, 3), 1024),
        ((28, 28, 1), 1024),
        ((8, 8, 1), 256),
        ((1, 1, 1), 256),
        ((33, 64, 3), 3072),
    ],
)
def test_any_size_of_image(shape, count):
    config = model_config("ecrnn", input_shape=shape)
    assert config.features == count
    assert config.widths == (count // 2, count // 4, count // 2, count)


def test_dense_layers_of_other_widths():
    assert model_config("ecrnn", dense=(7,)).widths == (7, 1024)
    assert (
        our_rows("ecrnn", **SMALL, dense=(16, 16, 16))[-11:-4:2] == [("Dense", (16,), 16 * 17)] * 4
    )


@pytest.mark.parametrize(("name", "norms"), [("ecrnn_cnn", 2), ("crnn", 3), ("ecrnn", 6)])
def test_the_momentum_is_that_of_every_batch_norm(name, norms):
    options = {"batch_norm": True} if name == "crnn" else {}
    model = zoo.create_model(name, rngs=nnx.Rngs(0), **SMALL, momentum=0.5, **options)
    found = [m.momentum for _, m in nnx.iter_modules(model) if isinstance(m, BatchNormalization)]
    assert found == [0.5] * norms


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cell": "lsmt"},
            "unknown cell 'lsmt': did you mean 'lstm'? Known: gru, lstm, simple_rnn.",
        ),
        (
            {"given": "zero"},
            "unknown given 'zero': did you mean 'zeros'? Known: sequence, shuffled, zeros.",
        ),
        ({"units": 16}, "units must be a tuple with a size for each layer, got 16."),
        ({"units": ()}, "units must be a tuple with a size for each layer, got ()."),
        ({"units": (16, 0)}, "units[1] must be a positive integer, got 0."),
        ({"filters": (0,)}, "filters[0] must be a positive integer, got 0."),
        ({"momentum": 1.0}, "momentum must be at least 0 and less than 1, got 1.0."),
        ({"bidirectional": "yes"}, "bidirectional must be True or False, got 'yes'."),
    ],
)
def test_options_that_do_not_fit(options, message):
    for name in ("crnn", "ecrnn"):
        with zoo_error(message):
            model_config(name, **options)


def test_options_of_one_family():
    with zoo_error("batch_norm must be True or False, got 1."):
        model_config("crnn", batch_norm=1)
    with zoo_error("encoder_decoder must be True or False, got 0."):
        model_config("ecrnn_cnn", encoder_decoder=0)
    with zoo_error("dense[1] must be a positive integer, got -1."):
        model_config("ecrnn", dense=(4, -1))
