"""The table of a model's layers, and the recorder behind it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.functional.cases import zoo_error
from zoo.explain import LayerRow, count_parameters, layer_table, summary
from zoo.explain.layer_outputs import recorded_calls
from zoo.layers import LSTM, BatchNormalization, Bidirectional, Conv2D, Dense, Flatten, Layer
from zoo.layers.recurrent import Recurrent


class Small(nnx.Module):
    """A layer in a list, one called twice, layers inside a layer, and moving statistics."""

    def __init__(self, *, rngs):
        self.blocks = nnx.List([Conv2D(1, 2, 3, rngs=rngs)])
        self.norm = BatchNormalization(2)
        self.both = Bidirectional(LSTM(8, 3, rngs=rngs), LSTM(8, 3, rngs=rngs))
        self.again = Dense(6, 6, use_bias=False, rngs=rngs)
        self.unused = Dense(1, 1, rngs=rngs)

    def __call__(self, x):
        x = self.norm(self.blocks[0](x))
        x = self.both(jnp.reshape(x, (x.shape[0], x.shape[1], -1)))
        return self.again(self.again(x))


SHAPE = (5, 6, 1)
ROWS = (
    LayerRow("blocks.0", "Conv2D", (3, 4, 2), 3 * 3 * 1 * 2 + 2, 0),
    LayerRow("norm", "BatchNormalization", (3, 4, 2), 4, 4),
    LayerRow("both", "Bidirectional", (6,), 2 * (8 * 12 + 3 * 12 + 12), 0),
    LayerRow("again", "Dense", (6,), 36, 0),
    LayerRow("again", "Dense", (6,), 0, 0),  # its weights are counted
)
# With the layer that is never called: it is no row, but its two weights are the model's.
TRAINABLE, MOVING = 20 + 4 + 288 + 36 + 2, 4


@pytest.fixture(scope="module")
def model() -> Small:
    return Small(rngs=nnx.Rngs(0))


def test_the_layers_in_the_order_of_their_calls(model):
    assert layer_table(model, SHAPE) == ROWS


def test_the_table_leaves_the_model_as_it_is(model):
    before = nnx.to_pure_dict(nnx.state(model))
    layer_table(model, SHAPE)
    after = nnx.to_pure_dict(nnx.state(model))
    assert jax.tree.all(jax.tree.map(np.array_equal, before, after))
    assert not model.norm.use_running_average  # and in training


def test_count_parameters(model):
    assert count_parameters(model) == TRAINABLE + MOVING
    assert count_parameters(Flatten()) == 0


def test_summary(model, capsys):
    summary(model, SHAPE)
    assert capsys.readouterr().out.splitlines() == [
        "Small on input (5, 6, 1)",
        "layer     class               output     parameters",
        "blocks.0  Conv2D              (3, 4, 2)          20",
        "norm      BatchNormalization  (3, 4, 2)           8",
        "both      Bidirectional       (6,)              288",
        "again     Dense               (6,)               36",
        "again     Dense               (6,)                0",
        "354 parameters: 350 trainable, 4 moving statistics",
    ]


def test_a_registered_model_knows_its_input(capsys):
    summary(zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0), units=8, input_shape=(3, 4, 2)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "MNISTLSTM on input (3, 4, 2)"
    assert lines[2].split() == ["lstm", "LSTM", "(8,)", "544"]
    assert lines[-1] == "634 parameters: 634 trainable, 0 moving statistics"


def test_another_model_needs_to_be_told(model):
    with zoo_error("input_shape is needed for a model without a config."):
        summary(model)


def test_a_pair_of_outputs_has_a_pair_of_shapes():
    rngs = nnx.Rngs(0)
    pair = Bidirectional(LSTM(2, 3, rngs=rngs), LSTM(2, 3, rngs=rngs), merge_mode=None)
    ((path, kind, shape, trainable, _),) = layer_table(pair, (5, 2))
    assert (path, kind, shape, trainable) == ("", "Bidirectional", ((3,), (3,)), 144)


def test_recorded_calls_have_what_each_layer_returned(model):
    x = jax.random.normal(jax.random.key(0), (2, *SHAPE))
    evaluated = nnx.clone(model)
    evaluated.eval()
    with recorded_calls(evaluated) as calls:
        y = evaluated(x)
    assert [call.path for call in calls] == [row.path for row in ROWS]
    assert [call.layer for call in calls][2] is evaluated.both
    np.testing.assert_array_equal(calls[0].output, evaluated.blocks[0](x))
    np.testing.assert_array_equal(calls[1].output, evaluated.norm(calls[0].output))
    np.testing.assert_array_equal(calls[4].output, y)
    assert not np.array_equal(calls[3].output, y)
    assert len(calls) == len(ROWS)  # what was called since is not in it


class Twice(Layer):
    """A layer made of a layer."""

    def __init__(self, *, rngs):
        self.inner = Dense(6, 6, rngs=rngs)

    def __call__(self, x):
        return self.inner(self.inner(x))


def test_layers_inside_a_layer_are_that_layer_s_business():
    model = nnx.List([Twice(rngs=nnx.Rngs(0)), Dense(6, 6, rngs=nnx.Rngs(1))])
    with recorded_calls(model) as calls:
        model[1](model[0](jnp.ones((2, 6))))
    assert [call.path for call in calls] == ["0", "1"]


def test_layers_of_another_model_are_not_recorded(model):
    other = Dense(6, 6, rngs=nnx.Rngs(1))
    with recorded_calls(model) as calls:
        other(jnp.ones((1, 6)))
    assert not calls


def test_classes_are_as_before_even_after_an_error(model):
    kinds = (Conv2D, BatchNormalization, Bidirectional, Dense, LSTM, Recurrent, Layer)
    before = [vars(kind).get("__call__") for kind in kinds]
    with pytest.raises(ValueError, match="must have shape"), recorded_calls(model) as calls:
        model(jnp.ones((2, 3)))
    assert not calls
    assert [vars(kind).get("__call__") for kind in kinds] == before
    assert "__call__" not in vars(LSTM)  # inherited still


def test_an_error_inside_a_layer_does_not_hide_the_next_calls(model):
    with recorded_calls(model) as calls:
        with pytest.raises(ValueError, match="must have shape"):
            model.again(jnp.ones((2, 3)))
        model.again(jnp.ones((2, 6)))
    assert [call.path for call in calls] == ["again"]


def test_recorders_may_be_nested(model):
    x = jnp.ones((2, 6))
    with recorded_calls(model) as outer:
        with recorded_calls(model) as inner:
            model.again(x)
        model.again(x)
    assert (len(outer), len(inner)) == (2, 1)
