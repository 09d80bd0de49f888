"""Every layer is its pure function with its own parameters, and has Keras's defaults."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.functional.cases import zoo_error
from zoo import functional as F
from zoo import layers

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(2, 7, 6, 4)), jnp.float32)
SEQUENCES = jnp.asarray(RNG.normal(size=(2, 5, 3)), jnp.float32)


def randomised(layer: nnx.Module) -> Any:
    """The layer with every weight another number: zeros and ones would hide a mistake."""
    rng = np.random.default_rng(1)
    state = nnx.state(layer, (nnx.Param, nnx.BatchStat))
    nnx.update(
        layer,
        jax.tree.map(lambda w: jnp.asarray(rng.uniform(0.1, 0.9, w.shape), w.dtype), state),
    )
    return layer


class Case(NamedTuple):
    """`make(rngs=…)` gives a layer; `function(layer)` what it should be, from its raw weights."""

    name: str
    make: Callable[..., Any]
    function: Callable[[Any], Callable[[jax.Array], jax.Array]]
    x: Any
    shape: tuple[int, ...]


def weights(layer: Any, *names: str) -> list[jax.Array | None]:
    return [None if getattr(layer, n) is None else getattr(layer, n)[...] for n in names]


def recurrent(
    name: str, options: dict[str, Any], *, last: bool, function: Any, **call: Any
) -> Case:
    def expected(layer: Any) -> Callable[[jax.Array], jax.Array]:
        params = F.RecurrentParams(*weights(layer, "kernel", "recurrent_kernel", "bias"))

        def run(x: jax.Array) -> jax.Array:
            outputs, _ = function(params, x, **call)
            if not last:
                return outputs
            return outputs[:, 0 if call.get("reverse") else -1]

        return run

    kind = getattr(layers, name)
    label = f"{name}-{'-'.join(f'{key}={value}' for key, value in options.items())}"
    return Case(
        label,
        partial(kind, 3, 4, return_sequences=not last, **options),
        expected,
        SEQUENCES,
        (2, 4) if last else (2, 5, 4),
    )


def dense(layer: Any) -> Callable[[jax.Array], jax.Array]:
    return partial(F.dense, F.DenseParams(*weights(layer, "kernel", "bias")))


def conv2d(layer: Any, **options: Any) -> Callable[[jax.Array], jax.Array]:
    return partial(F.conv2d, F.ConvParams(*weights(layer, "kernel", "bias")), **options)


CASES = (
    Case("Dense", partial(layers.Dense, 3, 4), dense, SEQUENCES, (2, 5, 4)),
    Case(
        "Dense-tanh-without-bias",
        partial(layers.Dense, 3, 4, activation="tanh", use_bias=False),
        lambda layer: lambda x: jnp.tanh(x @ layer.kernel[...]),
        SEQUENCES,
        (2, 5, 4),
    ),
    Case(
        "Embedding",
        partial(layers.Embedding, 9, 4),
        lambda layer: partial(F.embedding, layer.embeddings[...]),
        jnp.array([[0, 8, 3]]),
        (1, 3, 4),
    ),
    Case(
        "EmbeddingBag",
        partial(layers.EmbeddingBag, 9, 4),
        lambda layer: partial(F.embedding_bag, layer.embeddings[...]),
        jnp.array([[[3, 8, 0], [1, 0, 0]]]),
        (1, 2, 4),
    ),
    Case(
        "Activation",
        lambda rngs: layers.Activation("tanh"),  # noqa: ARG005
        lambda _: jnp.tanh,
        SEQUENCES,
        (2, 5, 3),
    ),
    Case("Flatten", lambda rngs: layers.Flatten(), lambda _: F.flatten, IMAGES, (2, 168)),  # noqa: ARG005
    Case("Conv2D", partial(layers.Conv2D, 4, 6, 3), conv2d, IMAGES, (2, 5, 4, 6)),
    Case(
        "Conv2D-options",
        partial(layers.Conv2D, 4, 6, (3, 2), (2, 1), "same", groups=2, activation="relu"),
        lambda layer: (
            lambda x: jax.nn.relu(conv2d(layer, strides=(2, 1), padding="same", groups=2)(x))
        ),
        IMAGES,
        (2, 4, 6, 6),
    ),
    Case(
        "Conv2D-dilation-without-bias",
        partial(layers.Conv2D, 4, 6, 2, dilation_rate=(2, 3), use_bias=False),
        partial(conv2d, dilation=(2, 3)),
        IMAGES,
        (2, 5, 3, 6),
    ),
    *(
        Case(
            f"{kind.__name__}-{'-'.join(map(str, arguments))}",
            lambda rngs, kind=kind, arguments=arguments: kind(*arguments),  # noqa: ARG005
            lambda _, function=function, arguments=arguments: lambda x: function(x, *arguments),
            IMAGES,
            shape,
        )
        for kind, function in (
            (layers.MaxPooling2D, F.max_pool2d),
            (layers.AveragePooling2D, F.avg_pool2d),
        )
        for arguments, shape in (
            ((), (2, 3, 3, 4)),
            (((3, 2), (1, 2), "same"), (2, 7, 3, 4)),
        )
    ),
    Case(
        "GlobalAveragePooling2D",
        lambda rngs: layers.GlobalAveragePooling2D(),  # noqa: ARG005
        lambda _: F.global_avg_pool2d,
        IMAGES,
        (2, 4),
    ),
    Case(
        "GlobalMaxPooling2D",
        lambda rngs: layers.GlobalMaxPooling2D(),  # noqa: ARG005
        lambda _: F.global_max_pool2d,
        IMAGES,
        (2, 4),
    ),
    Case(
        "Conv1D",
        partial(layers.Conv1D, 3, 4, 2, 2, "causal", dilation_rate=2, activation="tanh"),
        lambda layer: (
            lambda x: jnp.tanh(
                F.conv1d(
                    F.ConvParams(*weights(layer, "kernel", "bias")),
                    x,
                    strides=2,
                    padding="causal",
                    dilation=2,
                )
            )
        ),
        SEQUENCES,
        (2, 3, 4),
    ),
    Case(
        "DepthwiseConv2D",
        partial(layers.DepthwiseConv2D, 4, (3, 2), 2, "same", depth_multiplier=2),
        lambda layer: partial(
            F.depthwise_conv2d,
            F.ConvParams(*weights(layer, "kernel", "bias")),
            strides=2,
            padding="same",
        ),
        IMAGES,
        (2, 4, 3, 8),
    ),
    Case(
        "SeparableConv2D",
        partial(layers.SeparableConv2D, 4, 5, 3, depth_multiplier=2, use_bias=False),
        lambda layer: partial(
            F.separable_conv2d,
            F.SeparableConvParams(*weights(layer, "depthwise_kernel", "pointwise_kernel")),
        ),
        IMAGES,
        (2, 5, 4, 5),
    ),
    Case(
        "LayerNormalization",
        lambda rngs: layers.LayerNormalization((5, 3), axis=(1, 2), epsilon=0.1),  # noqa: ARG005
        lambda layer: partial(
            F.layer_norm,
            F.LayerNormParams(*weights(layer, "gamma", "beta")),
            axis=(1, 2),
            epsilon=0.1,
        ),
        SEQUENCES,
        (2, 5, 3),
    ),
    *(
        Case(kind.__name__, lambda rngs, make=make: make, lambda _, f=f: f, x, shape)  # noqa: ARG005
        for kind, make, f, x, shape in (
            (
                layers.ReLU,
                layers.ReLU(0.8, 0.1, 0.2),
                partial(F.relu, max_value=0.8, negative_slope=0.1, threshold=0.2),
                SEQUENCES,
                (2, 5, 3),
            ),
            (
                layers.LeakyReLU,
                layers.LeakyReLU(),
                partial(F.relu, negative_slope=0.3),
                SEQUENCES,
                (2, 5, 3),
            ),
            (layers.ELU, layers.ELU(0.5), partial(F.elu, alpha=0.5), SEQUENCES, (2, 5, 3)),
            (layers.Softmax, layers.Softmax(1), partial(F.softmax, axis=1), SEQUENCES, (2, 5, 3)),
            (
                layers.MaxPooling1D,
                layers.MaxPooling1D(3, 1, "same"),
                lambda x: F.max_pool1d(x, 3, 1, "same"),
                SEQUENCES,
                (2, 5, 3),
            ),
            (
                layers.AveragePooling1D,
                layers.AveragePooling1D(),
                F.avg_pool1d,
                SEQUENCES,
                (2, 2, 3),
            ),
            (
                layers.GlobalMaxPooling1D,
                layers.GlobalMaxPooling1D(keepdims=True),
                partial(F.global_max_pool1d, keepdims=True),
                SEQUENCES,
                (2, 1, 3),
            ),
            (
                layers.GlobalAveragePooling1D,
                layers.GlobalAveragePooling1D(),
                F.global_avg_pool1d,
                SEQUENCES,
                (2, 3),
            ),
            (
                layers.Reshape,
                layers.Reshape((3, -1)),
                lambda x: F.reshape(x, (3, -1)),
                SEQUENCES,
                (2, 3, 5),
            ),
            (
                layers.Permute,
                layers.Permute((2, 1)),
                lambda x: F.permute(x, (2, 1)),
                SEQUENCES,
                (2, 3, 5),
            ),
            (
                layers.RepeatVector,
                layers.RepeatVector(4),
                lambda x: F.repeat_vector(x, 4),
                SEQUENCES[:, 0],
                (2, 4, 3),
            ),
            (
                layers.ZeroPadding1D,
                layers.ZeroPadding1D((1, 2)),
                lambda x: F.zero_pad(x, ((1, 2),)),
                SEQUENCES,
                (2, 8, 3),
            ),
            (
                layers.ZeroPadding2D,
                layers.ZeroPadding2D(((1, 0), (2, 3))),
                lambda x: F.zero_pad(x, ((1, 0), (2, 3))),
                IMAGES,
                (2, 8, 11, 4),
            ),
            (
                layers.Cropping1D,
                layers.Cropping1D((1, 2)),
                lambda x: F.crop(x, ((1, 2),)),
                SEQUENCES,
                (2, 2, 3),
            ),
            (
                layers.Cropping2D,
                layers.Cropping2D(((1, 0), (2, 3))),
                lambda x: F.crop(x, ((1, 0), (2, 3))),
                IMAGES,
                (2, 6, 1, 4),
            ),
            (
                layers.Slice,
                layers.Slice(1),
                lambda x: x[..., 1:],
                SEQUENCES,
                (2, 5, 2),
            ),
            (
                layers.UpSampling1D,
                layers.UpSampling1D(3),
                lambda x: F.upsample1d(x, 3),
                SEQUENCES,
                (2, 15, 3),
            ),
            (
                layers.UpSampling2D,
                layers.UpSampling2D((2, 1), "bilinear"),
                lambda x: F.upsample2d(x, (2, 1), "bilinear"),
                IMAGES,
                (2, 14, 6, 4),
            ),
            (
                layers.Rescaling,
                layers.Rescaling((1.0, 2.0, 3.0), -1.0),
                lambda x: F.rescale(x, jnp.array([1.0, 2.0, 3.0]), -1.0),
                SEQUENCES,
                (2, 5, 3),
            ),
            *(
                (
                    kind,
                    kind(),
                    function,
                    [SEQUENCES, SEQUENCES[::-1]],
                    (2, 5, 6) if kind is layers.Concatenate else (2, 5, 3),
                )
                for kind, function in (
                    (layers.Add, F.add),
                    (layers.Subtract, F.subtract),
                    (layers.Multiply, F.multiply),
                    (layers.Average, F.average),
                    (layers.Maximum, F.maximum),
                    (layers.Minimum, F.minimum),
                    (layers.Concatenate, F.concatenate),
                )
            ),
            (
                layers.Dot,
                layers.Dot((1, 2), normalize=True),
                lambda xs: F.dot(*xs, axes=(1, 2), normalize=True),
                [SEQUENCES, jnp.swapaxes(SEQUENCES, 1, 2)],
                (2, 3, 3),
            ),
        )
    ),
    recurrent("SimpleRNN", {}, last=True, function=F.simple_rnn),
    recurrent(
        "SimpleRNN",
        {"activation": "relu", "use_bias": False},
        last=False,
        function=F.simple_rnn,
        activation="relu",
    ),
    recurrent("SimpleRNN", {"go_backwards": True}, last=True, function=F.simple_rnn, reverse=True),
    recurrent("LSTM", {}, last=True, function=F.lstm),
    recurrent(
        "LSTM",
        {"activation": "relu", "recurrent_activation": "hard_sigmoid", "use_bias": False},
        last=False,
        function=F.lstm,
        activation="relu",
        recurrent_activation="hard_sigmoid",
    ),
    recurrent("LSTM", {"go_backwards": True}, last=True, function=F.lstm, reverse=True),
    recurrent("GRU", {}, last=True, function=F.gru),
    recurrent(
        "GRU",
        {
            "activation": "relu",
            "recurrent_activation": "hard_sigmoid",
            "reset_after": False,
            "use_bias": False,
        },
        last=False,
        function=F.gru,
        activation="relu",
        recurrent_activation="hard_sigmoid",
        reset_after=False,
    ),
    recurrent(
        "GRU",
        {"reset_after": False, "go_backwards": True},
        last=True,
        function=F.gru,
        reset_after=False,
        reverse=True,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_is_its_function(case: Case) -> None:
    layer = randomised(case.make(rngs=nnx.Rngs(0)))
    y = layer(case.x)
    assert (y.shape, y.dtype) == (case.shape, jnp.float32)
    np.testing.assert_array_equal(y, case.function(layer)(case.x))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (2, 1)])
def test_a_slice_of_nothing_is_refused(start, stop):
    with zoo_error(f"start and stop must be in order, from 0 on, got {start}, {stop}."):
        layers.Slice(start, stop)


def test_every_layer_has_a_case_or_a_file_of_its_own():
    elsewhere = {"BatchNormalization", "Bidirectional", "Dropout", "Layer", "Recurrent"}
    elsewhere |= {"GaussianNoise", "Masking", "Merge", "Normalization", "TimeDistributed"}
    elsewhere |= {"SpatialDropout", "SpatialDropout1D", "SpatialDropout2D"}
    # The last with the model that it is half of.
    elsewhere |= {"WangLSTM", "LabelPathDecoder"}
    covered = {case.name.split("-")[0] for case in CASES}
    assert covered | elsewhere == set(layers.__all__)


# As the documentation of Keras 3 has them; a pair of equal numbers is one number here.
KERAS_DEFAULTS = {
    "Dense": {"activation": None, "use_bias": True},
    "Embedding": {"mask_zero": False},
    "Conv2D": {
        "strides": 1,
        "padding": "valid",
        "dilation_rate": 1,
        "groups": 1,
        "activation": None,
        "use_bias": True,
    },
    "MaxPooling2D": {"pool_size": 2, "strides": None, "padding": "valid"},
    "AveragePooling2D": {"pool_size": 2, "strides": None, "padding": "valid"},
    "BatchNormalization": {"momentum": 0.99, "epsilon": 1e-3, "center": True, "scale": True},
    "SimpleRNN": {
        "activation": "tanh",
        "use_bias": True,
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "zero_output_for_mask": False,
    },
    "LSTM": {
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "use_bias": True,
        "unit_forget_bias": True,
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "zero_output_for_mask": False,
    },
    "GRU": {
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "use_bias": True,
        "reset_after": True,
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "zero_output_for_mask": False,
    },
    "Bidirectional": {"merge_mode": "concat"},
}


@pytest.mark.parametrize("name", KERAS_DEFAULTS)
def test_defaults_are_keras_s(name):
    parameters = inspect.signature(getattr(layers, name).__init__).parameters.values()
    ours = {p.name: p.default for p in parameters if p.default is not p.empty}
    assert ours == KERAS_DEFAULTS[name]


RNGS = nnx.Rngs(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(3, 0, rngs=RNGS), "units must be a positive integer, got 0."),
        (
            lambda: layers.Dense(3.0, 4, rngs=RNGS),
            "in_features must be a positive integer, got 3.0.",
        ),
        (
            lambda: layers.Embedding(9, -1, rngs=RNGS),
            "output_dim must be a positive integer, got -1.",
        ),
        (
            lambda: layers.Conv2D(4, True, 3, rngs=RNGS),
            "filters must be a positive integer, got True.",
        ),
        (
            lambda: layers.Conv2D(4, 6, (3, 0), rngs=RNGS),
            "kernel_size must be a positive integer or a pair of them, got (3, 0).",
        ),
        (
            lambda: layers.Conv2D(4, 6, 3, 0, rngs=RNGS),
            "strides must be a positive integer or a pair of them, got 0.",
        ),
        (
            lambda: layers.Conv2D(4, 6, 3, dilation_rate=(1, 2, 3), rngs=RNGS),
            "dilation_rate must be a positive integer or a pair of them, got (1, 2, 3).",
        ),
        (
            lambda: layers.Conv2D(4, 6, 3, padding="causal", rngs=RNGS),
            "padding must be 'valid' or 'same', got 'causal'.",
        ),
        (
            lambda: layers.Conv2D(4, 6, 3, groups=3, rngs=RNGS),
            "groups must divide in_features=4 and filters=6, got 3.",
        ),
        (
            lambda: layers.MaxPooling2D(0),
            "pool_size must be a positive integer or a pair of them, got 0.",
        ),
        (
            lambda: layers.AveragePooling2D(2, 1.5),
            "strides must be a positive integer or a pair of them, got 1.5.",
        ),
        (
            lambda: layers.MaxPooling2D(padding="full"),
            "padding must be 'valid' or 'same', got 'full'.",
        ),
        (
            lambda: layers.BatchNormalization(0),
            "features must be a positive integer, got 0.",
        ),
        (
            lambda: layers.Dropout(1, rngs=RNGS),
            "rate must be at least 0 and less than 1, got 1.",
        ),
        (lambda: layers.LSTM(3, 0, rngs=RNGS), "units must be a positive integer, got 0."),
    ],
)
def test_a_bad_argument_is_refused_at_construction(make, message):
    with zoo_error(message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Activation("rleu"),
        lambda: layers.Dense(3, 4, activation="rleu", rngs=RNGS),
        lambda: layers.Conv2D(3, 4, 1, activation="rleu", rngs=RNGS),
        lambda: layers.SimpleRNN(3, 4, activation="rleu", rngs=RNGS),
        lambda: layers.LSTM(3, 4, recurrent_activation="rleu", rngs=RNGS),
        lambda: layers.GRU(3, 4, activation="rleu", rngs=RNGS),
    ],
)
def test_an_unknown_activation_is_refused_at_construction(make):
    with pytest.raises(ValueError, match="unknown activation 'rleu': did you mean 'relu'"):
        make()


@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        (
            layers.Dense(3, 4, rngs=RNGS),
            IMAGES,
            "x must have shape [..., 3] for a kernel of shape (3, 4), got shape (2, 7, 6, 4).",
        ),
        (
            layers.Embedding(9, 4, rngs=RNGS),
            SEQUENCES,
            "ids must be integers, got dtype float32.",
        ),
        (
            layers.Conv2D(4, 6, 3, rngs=RNGS),
            SEQUENCES,
            "x must have shape [B, H, W, in] (4 axes), got shape (2, 5, 3).",
        ),
        (
            layers.MaxPooling2D(),
            SEQUENCES,
            "x must have shape [B, H, W, C] (4 axes), got shape (2, 5, 3).",
        ),
        (
            layers.BatchNormalization(3),
            IMAGES,
            "x must have shape [B, ..., 3] for statistics of shape (3,), got shape (2, 7, 6, 4).",
        ),
        (
            layers.LSTM(3, 4, rngs=RNGS),
            IMAGES,
            "x must have shape [B, T, in] (3 axes), got shape (2, 7, 6, 4).",
        ),
        (
            layers.GRU(5, 4, rngs=RNGS),
            SEQUENCES,
            "kernel must have shape (3, 12) for x of shape (2, 5, 3) and 4 units with 3 gates, "
            "got shape (5, 12).",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nnx.Module) else "",
)
def test_a_wrong_input_is_refused(layer, x, message):
    with zoo_error(message):
        layer(x)
