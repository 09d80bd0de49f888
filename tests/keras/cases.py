"""Models of every layer and option, built by whichever Keras they are given."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

IDS = np.array(
    [
        [1, 2, 3, 4, 5, 6, 7],
        [3, 2, 1, 0, 0, 0, 0],  # trailing padding
        [0, 0, 0, 5, 6, 1, 2],  # leading padding
        [4, 0, 2, 0, 0, 3, 1],  # holes
        [0, 0, 0, 0, 0, 0, 0],  # nothing but padding
    ],
    "int32",
)


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype("float32")


IMAGES, STEPS, ROWS = _normal(3, 9, 8, 4), _normal(5, 7, 4), _normal(6, 5)
MASKED_STEPS = np.where(IDS[..., None] == 0, 0, STEPS).astype("float32")


class Case(NamedTuple):
    """`build(keras)` gives a model; `inputs` are for it."""

    name: str
    build: Callable[[Any], Any]
    inputs: Any


def _chain(name: str, inputs: np.ndarray, *layers: Callable[[Any], Any]) -> Case:
    """A Sequential model of layers, each made by a function of `keras.layers`."""

    def build(keras: Any) -> Any:
        made = [keras.Input(inputs.shape[1:], dtype=str(inputs.dtype))]
        return keras.Sequential([*made, *(layer(keras.layers) for layer in layers)])

    return Case(name, build, inputs)


def _functional(name: str, inputs: Any, wire: Callable[[Any, Any], Any]) -> Case:
    """`wire(keras, inputs)` joins layers."""

    def build(keras: Any) -> Any:
        arrays = inputs if isinstance(inputs, list) else [inputs]
        sources = [
            keras.Input(array.shape[1:], dtype=str(array.dtype), name=f"in_{i}")
            for i, array in enumerate(arrays)
        ]
        source = sources if isinstance(inputs, list) else sources[0]
        return keras.Model(source, wire(keras, source))

    return Case(name, build, inputs)


ACTIVATIONS = [
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "softmax",
    "elu",
    "selu",
    "gelu",
    "softplus",
    "softsign",
    "swish",
    "exponential",
]

DENSE = [
    _chain(f"dense_{name}", ROWS, lambda k, name=name: k.Dense(4, activation=name))
    for name in ACTIVATIONS
] + [
    _chain("dense_on_steps", STEPS, lambda k: k.Dense(3, use_bias=False), lambda k: k.Flatten()),
    _chain(
        "activation_layers",
        ROWS,
        lambda k: k.Activation("tanh"),
        lambda k: k.ReLU(max_value=0.5, negative_slope=0.1, threshold=0.1),
        lambda k: k.LeakyReLU(),
        lambda k: k.ELU(0.7),
        lambda k: k.Softmax(),
    ),
    _functional(
        "layers_as_activations",
        ROWS,
        lambda keras, x: keras.layers.Add()(
            [
                (dense := keras.layers.Dense(4, activation=keras.layers.LeakyReLU()))(x),
                keras.layers.Dense(4, activation=keras.layers.ReLU(0.5))(x),
                dense(keras.layers.Dense(5, activation=keras.layers.ELU(0.3))(x)),
            ]
        ),
    ),
    _chain("layer_in_activation", ROWS, lambda k: k.Activation(k.LeakyReLU())),
    _chain("softmax_axes", STEPS, lambda k: k.Softmax(axis=[1, 2])),
    _chain("softmax_axis", STEPS, lambda k: k.Softmax(axis=1)),
    _chain(
        "noise",
        STEPS,
        lambda k: k.Dropout(0.3),
        lambda k: k.SpatialDropout1D(0.3),
        lambda k: k.GaussianNoise(0.3),
        lambda k: k.Dense(3),
    ),
    _chain("spatial_dropout", IMAGES, lambda k: k.SpatialDropout2D(0.3), lambda k: k.Flatten()),
    _chain(
        "rescaling",
        IMAGES,
        lambda k: k.Rescaling(1 / 127.5, offset=-1.0),
        lambda k: k.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 1.0, 0.5, 0.2]),
    ),
    _chain("normalization_adapted", ROWS, lambda k: k.Normalization(), lambda k: k.Dense(2)),
    _chain(
        "normalization_given",
        ROWS,
        lambda k: k.Normalization(axis=None, mean=0.5, variance=2.0),
        lambda k: k.Normalization(mean=[1.0, 2, 3, 4, 5], variance=[1.0, 2, 3, 4, 5], invert=True),
    ),
    _chain(
        "batch_norm",
        IMAGES,
        lambda k: k.BatchNormalization(),
        lambda k: k.BatchNormalization(scale=False, epsilon=1e-2),
        lambda k: k.BatchNormalization(center=False),
        lambda k: k.BatchNormalization(center=False, scale=False),
    ),
    _chain(
        "layer_norm",
        STEPS,
        lambda k: k.LayerNormalization(),
        lambda k: k.LayerNormalization(axis=[1, 2], epsilon=1e-2),
        lambda k: k.LayerNormalization(axis=1, scale=False),
        lambda k: k.LayerNormalization(center=False),
    ),
]

CONVOLUTIONS = [
    _chain("conv2d", IMAGES, lambda k: k.Conv2D(6, (3, 2), strides=2, activation="relu")),
    _chain(
        "conv2d_same", IMAGES, lambda k: k.Conv2D(6, 3, strides=(2, 3), padding="same", groups=2)
    ),
    _chain(
        "conv2d_dilated",
        IMAGES,
        lambda k: k.Conv2D(5, 3, dilation_rate=(2, 1), padding="same", use_bias=False),
    ),
    _chain("conv1d", STEPS, lambda k: k.Conv1D(6, 3, strides=2, activation="tanh")),
    _chain("conv1d_causal", STEPS, lambda k: k.Conv1D(6, 3, padding="causal", dilation_rate=2)),
    _chain("conv1d_same", STEPS, lambda k: k.Conv1D(6, 2, padding="same", groups=2)),
    _chain(
        "depthwise",
        IMAGES,
        lambda k: k.DepthwiseConv2D(3, depth_multiplier=2, activation="elu"),
        lambda k: k.DepthwiseConv2D((2, 3), strides=2, padding="same", use_bias=False),
    ),
    _chain(
        "separable",
        IMAGES,
        lambda k: k.SeparableConv2D(5, 3, depth_multiplier=2, padding="same"),
        lambda k: k.SeparableConv2D(4, (3, 2), strides=2, use_bias=False, activation="relu"),
    ),
    *(
        _chain(
            f"{kind}_pooling",
            IMAGES,
            lambda k, kind=kind: getattr(k, f"{kind}Pooling2D")(3, strides=1, padding="same"),
            lambda k, kind=kind: getattr(k, f"{kind}Pooling2D")((2, 3)),
            lambda k, kind=kind: getattr(k, f"Global{kind}Pooling2D")(),
        )
        for kind in ("Max", "Average")
    ),
    *(
        _chain(
            f"{kind}_pooling_1d",
            STEPS,
            lambda k, kind=kind: getattr(k, f"{kind}Pooling1D")(3, strides=1, padding="same"),
            lambda k, kind=kind: getattr(k, f"{kind}Pooling1D")(2),
            lambda k, kind=kind: getattr(k, f"Global{kind}Pooling1D")(keepdims=True),
        )
        for kind in ("Max", "Average")
    ),
]

SHAPES = [
    _chain(
        "reshaping",
        STEPS,
        lambda k: k.Permute((2, 1)),
        lambda k: k.Reshape((-1, 2)),
        lambda k: k.Flatten(),
        lambda k: k.RepeatVector(3),
        lambda k: k.ZeroPadding1D((1, 2)),
        lambda k: k.UpSampling1D(2),
        lambda k: k.Cropping1D((0, 3)),
    ),
    _chain(
        "images",
        IMAGES,
        lambda k: k.ZeroPadding2D(((1, 2), (0, 3))),
        lambda k: k.Cropping2D(((2, 1), (0, 1))),
        lambda k: k.UpSampling2D((2, 3)),
        lambda k: k.ZeroPadding2D(1),
        lambda k: k.Cropping2D((1, 2)),
    ),
    _chain("bilinear", IMAGES, lambda k: k.UpSampling2D(2, interpolation="bilinear")),
]

RECURRENT = [
    _chain(
        f"{cell}_{'_'.join(options) or 'plain'}",
        STEPS,
        lambda k, cell=cell, options=options: getattr(k, cell)(3, **options),
        lambda k: k.Flatten(),
    )
    for cell in ("SimpleRNN", "LSTM", "GRU")
    for options in (
        {},
        {"return_sequences": True, "activation": "relu", "use_bias": False},
        {"go_backwards": True, "return_sequences": True},
        {"dropout": 0.2, "recurrent_dropout": 0.1, "unroll": True},
    )
] + [
    _chain("gru_before", STEPS, lambda k: k.GRU(3, reset_after=False)),
    _chain(
        "gru_hard",
        STEPS,
        lambda k: k.GRU(3, recurrent_activation="hard_sigmoid", reset_after=False, use_bias=False),
    ),
    _chain("lstm_hard", STEPS, lambda k: k.LSTM(3, recurrent_activation="hard_sigmoid")),
]


def _bidirectional(cell: str, merge: str | None, sequences: bool) -> Case:
    def wire(keras: Any, ids: Any) -> Any:
        k = keras.layers
        x = k.Embedding(9, 4, mask_zero=True)(ids)
        inner = getattr(k, cell)(3, return_sequences=sequences)
        return k.Bidirectional(inner, merge_mode=merge)(x)

    return _functional(f"bidirectional_{cell}_{merge}_{sequences}", IDS, wire)


def _unlike_directions(keras: Any, ids: Any) -> Any:
    """Another activation, as in Keras's own example, and another width and class."""
    k = keras.layers
    x = k.Embedding(9, 4, mask_zero=True)(ids)
    forward = k.LSTM(3, return_sequences=True)
    backward = k.LSTM(3, activation="relu", return_sequences=True, go_backwards=True)
    y = k.Bidirectional(forward, backward_layer=backward)(x)
    other = k.GRU(5, go_backwards=True, name="other")
    return k.Bidirectional(k.SimpleRNN(2), backward_layer=other)(y)


def _bidirectional_states(keras: Any, x: Any) -> Any:
    k = keras.layers
    y, *states = k.Bidirectional(k.LSTM(3, return_state=True))(x)
    return [y, k.Bidirectional(k.LSTM(3, return_sequences=True))(x, initial_state=states)]


def _states(keras: Any, x: Any) -> Any:
    k = keras.layers
    _, h, c = k.LSTM(3, return_state=True)(x)
    y = k.LSTM(3, return_sequences=True)(x, initial_state=[h, c])
    z, state = k.GRU(3, return_state=True, return_sequences=True)(y)
    return [z, k.SimpleRNN(3)(y, initial_state=state)]


MASKS = [
    *(
        _bidirectional(cell, merge, sequences)
        for cell, merge, sequences in [
            ("SimpleRNN", "concat", True),
            ("LSTM", "sum", True),
            ("GRU", "mul", True),
            ("LSTM", "ave", False),
            ("LSTM", None, True),
            ("GRU", None, False),
            ("LSTM", "concat", False),
        ]
    ),
    *(
        _chain(
            f"masked_{cell}_{sequences}_{backwards}",
            IDS,
            lambda k: k.Embedding(9, 4, mask_zero=True),
            lambda k: k.Dropout(0.2),
            lambda k, cell=cell, sequences=sequences, backwards=backwards: getattr(k, cell)(
                3, return_sequences=sequences, go_backwards=backwards
            ),
            lambda k: k.Flatten(),
        )
        for cell in ("SimpleRNN", "LSTM", "GRU")
        for sequences in (False, True)
        for backwards in (False, True)
    ),
    _chain(
        "masking_stack",
        MASKED_STEPS,
        lambda k: k.Masking(),
        lambda k: k.LSTM(3, return_sequences=True),
        lambda k: k.LayerNormalization(),
        lambda k: k.TimeDistributed(k.Dense(4, activation="relu")),
        lambda k: k.Bidirectional(k.GRU(2, return_sequences=True)),
        lambda k: k.Dense(4),
        lambda k: k.SimpleRNN(2),
    ),
    _chain(
        "masked_mean",
        IDS[:4],  # a row of nothing but padding has no mean
        lambda k: k.Embedding(9, 4, mask_zero=True),
        lambda k: k.GlobalAveragePooling1D(),
    ),
    _chain(
        "mask_lost",
        IDS,
        lambda k: k.Embedding(9, 4, mask_zero=True),
        lambda k: k.Conv1D(3, 2, padding="same"),
        lambda k: k.LSTM(2),
    ),
    _functional(
        "masked_merges",
        [IDS, MASKED_STEPS],
        lambda keras, inputs: [
            keras.layers.LSTM(2)(getattr(keras.layers, merge)()(pair))
            for pair in [
                (
                    keras.layers.Embedding(9, 4, mask_zero=True)(inputs[0]),
                    keras.layers.Masking()(inputs[1]),
                )
            ]
            for merge in (
                ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]
            )
        ],
    ),
    _functional("states", STEPS, _states),
    _functional("unlike_directions", IDS, _unlike_directions),
    _functional("bidirectional_states", STEPS, _bidirectional_states),
    _chain("embedding_float_ids", IDS.astype("float32"), lambda k: k.Embedding(9, 4)),
]


def _branches(keras: Any, inputs: Any) -> Any:
    k = keras.layers
    a, b = inputs
    shared = k.Dense(4, activation="tanh", name="shared")
    x, y = shared(a), shared(b)
    outer = k.Dot(axes=1, name="inner_products")([x, y])
    cosine = k.Dot(axes=-1, normalize=True)([x, y])
    merged = [
        k.Add()([x, y]),
        k.Subtract()([x, y]),
        k.Multiply()([x, y]),
        k.Average()([x, y]),
        k.Maximum()([x, y]),
        k.Minimum()([x, y]),
        outer,
        cosine,
    ]
    all_of_it = k.Concatenate(name="everything")(merged)
    return {"main": k.Dense(3, name="main")(all_of_it), "aux": k.Dense(2, name="aux")(x)}


def _inception(keras: Any, image: Any) -> Any:
    k = keras.layers
    stem = k.ReLU()(k.BatchNormalization()(k.Conv2D(4, 3, strides=2, use_bias=False)(image)))
    branches = [
        k.Conv2D(2, 1, name="late")(k.AveragePooling2D(3, 1, padding="same")(stem)),
        k.Conv2D(3, 3, padding="same", name="b")(k.Conv2D(4, 1, name="a")(stem)),
        k.Conv2D(2, 1, name="first")(stem),
    ]
    x = k.Concatenate()(branches)
    return k.Dense(3, activation="softmax")(k.Flatten()(x))


def _nested(keras: Any, x: Any) -> Any:
    k = keras.layers
    encoder, other = (
        keras.Sequential(
            [keras.Input((4,)), k.Dense(6), k.BatchNormalization(), k.Dense(3)], name=name
        )
        for name in ("encoder", "other")
    )
    source = keras.Input((3,), name="inner_input")
    head = keras.Model(source, k.Add()([k.Dense(3)(source), source]), name="head")
    per_step = k.TimeDistributed(encoder)(x)
    last = k.LSTM(4, name="last")(per_step)
    twice = [head(other(last)), head(k.Dense(3, name="between")(last))]
    return k.Concatenate()(twice)


def _dictionaries_inside(keras: Any, inputs: Any) -> Any:
    k = keras.layers
    sources = {"b": keras.Input((4,), name="b"), "a": keras.Input((5,), name="a")}
    results = {"y": k.Dense(2)(sources["b"]), "x": k.Dense(3)(sources["a"])}
    inner = keras.Model(sources, results, name="dictionaries")
    outputs = inner({"a": inputs[0], "b": inputs[1]})
    return k.Concatenate()([outputs["x"], outputs["y"]])


def _two_outputs_inside(keras: Any, x: Any) -> Any:
    k = keras.layers
    source = keras.Input((5,), name="source")
    inner = keras.Model(source, [k.Dense(3)(source), k.Dense(2)(source)], name="two")
    a, b = inner(x)
    c, d = inner(k.Dense(5)(x))
    return k.Concatenate()([a, b, c, d])


GRAPHS = [
    _functional("branches", [ROWS, ROWS[::-1].copy()], _branches),
    _functional("inception", IMAGES, _inception),
    _functional("nested", STEPS, _nested),
    _functional("two_outputs_inside", ROWS, _two_outputs_inside),
    _functional("dictionaries_inside", [ROWS, ROWS[:, :4]], _dictionaries_inside),
    _functional(
        "dot_of_steps",
        [STEPS, STEPS * 2, ROWS[:5, :4]],
        lambda keras, i: [
            keras.layers.Dot(axes=(2, 2))([i[0], i[1]]),
            keras.layers.Dot(axes=(1, 1), normalize=True)([i[0], i[1]]),
            keras.layers.Dot(axes=(2, 1))([i[0], i[2]]),
        ],
    ),
    _functional(
        "broadcast_ranks",
        [STEPS, ROWS[:5, :4]],
        lambda keras, i: [keras.layers.Add()(i), keras.layers.Multiply()(i)],
    ),
    _functional(
        "concatenate_steps", [STEPS, STEPS], lambda keras, i: keras.layers.Concatenate(axis=1)(i)
    ),
]

# The models of the five reports, at the reports' shapes but narrow.
REPORTS = [
    _functional("report_a_inception_a", IMAGES, _inception),
    _chain(
        "report_b_cnn",
        IMAGES,
        lambda k: k.Conv2D(4, 3, activation="relu", padding="same"),
        lambda k: k.MaxPooling2D(2),
        lambda k: k.Conv2D(6, 3, activation="relu"),
        lambda k: k.AveragePooling2D(2),
        lambda k: k.Flatten(),
        lambda k: k.Dense(8, activation="relu"),
        lambda k: k.Dense(3, activation="softmax"),
    ),
    _chain(
        "report_b_rnn",
        IDS,
        lambda k: k.Embedding(9, 4),
        lambda k: k.SimpleRNN(3, return_sequences=True),
        lambda k: k.Bidirectional(k.SimpleRNN(3)),
        lambda k: k.Dropout(0.5),
        lambda k: k.Dense(3, activation="softmax"),
    ),
    _chain(
        "report_b_lstm",
        IDS,
        lambda k: k.Embedding(9, 4, mask_zero=True),
        lambda k: k.Bidirectional(k.LSTM(3)),
        lambda k: k.Dropout(0.5),
        lambda k: k.Dense(3, activation="softmax"),
    ),
    _chain(
        "report_c_rnn",
        STEPS,
        lambda k: k.LSTM(6, activation="relu", return_sequences=True),
        lambda k: k.LSTM(6, activation="relu"),
        lambda k: k.Dense(4, activation="relu"),
        lambda k: k.Dense(3, activation="softmax"),
    ),
    _chain(
        "report_d_ecrnn",
        IMAGES,
        lambda k: k.Conv2D(4, 3, padding="same"),
        lambda k: k.BatchNormalization(),
        lambda k: k.MaxPooling2D(2),
        lambda k: k.Flatten(),
        lambda k: k.Dense(8),
        lambda k: k.BatchNormalization(),
        lambda k: k.Reshape((8, 1)),
        lambda k: k.Bidirectional(k.LSTM(3)),
        lambda k: k.Dense(3),
        lambda k: k.Softmax(),
    ),
    _chain("report_e_lstm", STEPS, lambda k: k.LSTM(8), lambda k: k.Dense(3)),
]

CASES = [*DENSE, *CONVOLUTIONS, *SHAPES, *RECURRENT, *MASKS, *GRAPHS, *REPORTS]
