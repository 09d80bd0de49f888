"""What a case is made of: networks read off models, weights, data, and the list of cases."""

import numpy as np
import pytest
from flax import nnx

import zoo
from benchmarks.cases import MEASURES, all_cases, choose
from benchmarks.layer_models import recurrent
from benchmarks.material import read_material
from benchmarks.network import INPUT, Network, UnsupportedError
from benchmarks.preparation import network_of, write_material
from benchmarks.roofline import floor_seconds, work_of
from tests.benchmarks.cases import CASES
from tests.functional.cases import zoo_error
from zoo.layers import LSTM, Dense, Embedding
from zoo.models import registry


def test_every_registered_model_is_a_case():
    cases = all_cases()
    assert set(zoo.list_models()) <= set(cases)
    assert cases["mnist_lstm"].batch == 128  # the report's
    assert {case.group for case in cases.values()} == set(MEASURES)


class Words(nnx.Module):
    input_dtype = "int32"

    def __init__(self, config, *, rngs):
        self.config = config
        self.embedding = Embedding(20, 6, mask_zero=True, rngs=rngs)
        self.lstm = LSTM(6, 4, rngs=rngs)
        self.logits = Dense(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.logits(self.lstm(self.embedding(x), mask=self.embedding.compute_mask(x)))


def test_a_model_that_no_line_knows_gets_sensible_inputs(monkeypatch, tmp_path):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Config:
        input_shape: tuple[int, ...] = (9,)
        classes: int = 3

    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    zoo.register_model("words", Config)(Words)
    case = all_cases()["words"]
    material = write_material(case, tmp_path, batches=2)
    assert (case.batch, case.group, case.targets) == (32, "models", "classes")
    assert (material.x.shape, material.x.dtype) == ((64, 9), np.int32)
    assert material.x.max() < 20
    padding = material.x == 0
    assert padding.any()
    assert (np.diff(padding.astype(int), axis=1) >= 0).all()  # on the right
    assert not padding.all(axis=1).any()
    assert set(material.y) == {0, 1, 2}


def test_a_network_says_how_the_layers_are_joined():
    network = network_of(CASES["bigru_masked"].make(rngs=nnx.Rngs(0)))
    assert Network.from_json(network.to_json()).to_json() == network.to_json()
    last = network.layers[-1]
    assert (last.kind, last.name, network.output) == ("Bidirectional", "layer", "layer")
    assert last.inputs == ("masking",)
    assert last.mask in {layer.name for layer in network.layers}
    assert last.shapes == ((7, 5), (8,))
    backward = last.inner("backward")
    assert (backward.name, backward.kind) == ("layer.backward_layer", "GRU")
    assert network.layers[0].inputs == (INPUT,)


def test_a_network_can_be_run_by_anything_that_calls_layers():
    network = network_of(CASES["fashion_mnist_cnn"].make(rngs=nnx.Rngs(0)))
    called = network.run(lambda layer, inputs, _: f"{layer.kind}({', '.join(inputs)})", "x")
    assert called.startswith("Dense(Dropout(Dense(Dropout(Dense(Flatten(MaxPooling2D(Conv2D(x)")


def test_what_computes_outside_its_layers_has_no_network(tmp_path):
    with pytest.raises(UnsupportedError, match="computes outside its layers"):
        network_of(CASES["cnn_rnn"].make(rngs=nnx.Rngs(0)))
    material = write_material(CASES["cnn_rnn"], tmp_path, batches=2)
    assert material.y.dtype == np.bool_
    with pytest.raises(UnsupportedError, match="computes outside its layers"):
        read_material(tmp_path).shared_network()


def test_what_is_read_is_what_was_written(tmp_path):
    written = write_material(CASES["gru"], tmp_path)
    read = read_material(tmp_path)
    for name, value in written.weights.items():
        np.testing.assert_array_equal(read.weights[name], value)
    np.testing.assert_array_equal(read.x, written.x)
    np.testing.assert_array_equal(read.direction, written.direction)
    assert read.direction.shape == (3, 7, 4)
    assert written.weights["layer.bias"][0].any()  # zeros to begin with: moved
    again = write_material(CASES["gru"], tmp_path)
    np.testing.assert_array_equal(again.x, written.x)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("seeds",), ["seeds"]),
        (("conv_8*", "gru", "gru"), ["gru", "conv_8x8x64_128"]),
        (("mnist_lstm",), ["mnist_lstm"]),
    ],
)
def test_cases_by_name_pattern_and_group(names, found):
    assert [case.name for case in choose(names)] == found


def test_cases_of_a_group():
    assert {case.group for case in choose(("layers",))} == {"layers"}
    sizes = [case.size for case in choose(("scaling",))]
    assert [size for axis, size in sizes if axis == "T"][-1] == 4096
    assert [size for axis, size in sizes if axis == "B"][-1] == 512


def test_no_case():
    with zoo_error(f"cases must name at least one case or group, got none. Known: {known()}."):
        choose(())


def test_cases_that_have_nothing_of_what_is_measured_are_left_out():
    assert {case.group for case in choose(("models", "layers"), ("predict",))} == {"models"}
    assert [case.name for case in choose(("gru", "seeds"), ("gradient", "five seeds"))] == [
        "gru",
        "seeds",
    ]


def known():
    return sorted({*all_cases(), *MEASURES})


def test_work_is_counted_from_shapes():
    network = network_of(CASES["mnist_lstm"].make(rngs=nnx.Rngs(0)))
    # 8 steps of 6 · 2 pixels into 8 units with 4 gates, then 5 classes, for each of 4 images.
    products = 4 * (8 * 2 * 4 * 8 * (12 + 8) + 2 * 8 * 5)
    put_out = 4 * (8 + 5)
    weights = 32 * (12 + 8 + 1) + 5 * (8 + 1)
    predict, train = (work_of(network, weights, 4, m) for m in ("predict", "train"))
    assert predict == {"flops": products, "bytes": 4 * (2 * put_out + weights)}
    assert train == {"flops": 3 * products, "bytes": 4 * (4 * put_out + 8 * weights)}
    of_five = work_of(network, weights, 4, "five seeds")
    assert of_five == {name: 5 * amount for name, amount in train.items()}


def test_work_of_a_convolution_and_of_both_directions():
    conv = network_of(CASES["conv"].make(rngs=nnx.Rngs(0)))
    assert work_of(conv, 0, 3, "forward")["flops"] == 3 * 2 * 9 * 2 * 6 * 6 * 4
    one, both = (
        network_of(recurrent("LSTM", steps=7, features=5, units=4, both=b)(rngs=nnx.Rngs(0)))
        for b in (False, True)
    )
    assert work_of(both, 0, 3, "gradient")["flops"] == 2 * work_of(one, 0, 3, "gradient")["flops"]


def test_the_floor_is_the_slower_of_computing_and_moving():
    rates = {"flops": 10.0, "bytes": 2.0}
    assert floor_seconds({"flops": 100.0, "bytes": 2.0}, rates) == 10.0
    assert floor_seconds({"flops": 1.0, "bytes": 8.0}, rates) == 4.0
