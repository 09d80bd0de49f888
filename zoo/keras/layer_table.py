"""Every Keras layer that is understood: its class here, its arguments, its weights.

One table serves reading, writing, and the search for weights, so that they cannot disagree.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flax import nnx

from zoo import layers
from zoo.keras import arguments as a
from zoo.keras.arguments import Field

Options = Mapping[str, Any]
Shape = tuple[int, ...]


class LayerSpec(NamedTuple):
    """A layer's class in `zoo.layers`, the arguments of its config, its weights in Keras's order.

    `size` gives the constructor's first argument where that is the size of the input: from the
    input's shape, batch first, and the other arguments.
    """

    layer: type[nnx.Module]
    fields: Mapping[str, Field]
    weights: tuple[str, ...] = ()
    size: Callable[[Shape, Options], Any] | None = None


def _channels(shape: Shape, _: Options) -> int:
    return shape[-1]


def _last_axis_only(shape: Shape, options: Options) -> int:
    axis = options["axis"]
    axes = axis if isinstance(axis, tuple) else (axis,)
    if [one % len(shape) for one in axes] != [len(shape) - 1]:
        raise a.Unsupported(f"axis must be the last of {len(shape)} axes, got {axis!r}")
    return shape[-1]


def _along_axes(shape: Shape, options: Options) -> Shape:
    axis = options["axis"]
    axes = axis if isinstance(axis, tuple) else (axis,)
    if any(not -len(shape) <= one < len(shape) for one in axes):
        raise a.Unsupported(f"axis must be among {len(shape)} axes, got {axis!r}")
    return tuple(shape[one] for one in sorted(one % len(shape) for one in axes))


_FORMAT = Field(a.choice("channels_last", None), "channels_last", attribute="")
_ACTIVATION = Field(a.activation, None)
_YES, _NO = Field(a.flag, True), Field(a.flag, False)
_PADDING = Field(a.choice("valid", "same"), "valid")
_GROUPS_OF_ONE = Field(a.choice(1), 1, attribute="")

_CONV1D = {
    "kernel_size": Field(a.one),
    "strides": Field(a.one, 1),
    "dilation_rate": Field(a.one, 1),
    "activation": _ACTIVATION,
    "use_bias": _YES,
    "data_format": _FORMAT,
}
_CONV2D = {
    "kernel_size": Field(a.two),
    "strides": Field(a.two, (1, 1)),
    "padding": _PADDING,
    "dilation_rate": Field(a.two, (1, 1)),
    "activation": _ACTIVATION,
    "use_bias": _YES,
    "data_format": _FORMAT,
}
_POOL1D = {
    "pool_size": Field(a.one, 2),
    "strides": Field(a.optional_one, None),
    "padding": _PADDING,
    "data_format": _FORMAT,
}
_POOL2D = {
    "pool_size": Field(a.window, (2, 2)),
    "strides": Field(a.optional_two, None),
    "padding": _PADDING,
    "data_format": _FORMAT,
}
_GLOBAL = {"keepdims": _NO, "data_format": _FORMAT}
_RECURRENT = {
    "units": Field(a.integer),
    "activation": Field(a.activation, "tanh"),
    "use_bias": _YES,
    "return_sequences": _NO,
    "return_state": _NO,
    "go_backwards": _NO,
    "zero_output_for_mask": _NO,
}
_GATED = {**_RECURRENT, "recurrent_activation": Field(a.activation, "sigmoid")}
_KERNEL = ("kernel", "bias")
_RECURRENT_WEIGHTS = ("kernel", "recurrent_kernel", "bias")
_RATE = Field(a.number)


def _of_channels(
    layer: type[nnx.Module], fields: Mapping[str, Field], weights: tuple[str, ...]
) -> LayerSpec:
    return LayerSpec(layer, fields, weights, _channels)


LAYERS: dict[str, LayerSpec] = {
    "Dense": _of_channels(
        layers.Dense,
        {"units": Field(a.integer), "activation": _ACTIVATION, "use_bias": _YES},
        _KERNEL,
    ),
    "Activation": LayerSpec(layers.Activation, {"activation": Field(a.activation)}),
    "ReLU": LayerSpec(
        layers.ReLU,
        {
            "max_value": Field(a.optional_number, None),
            "negative_slope": Field(a.number, 0.0),
            "threshold": Field(a.number, 0.0),
        },
    ),
    "LeakyReLU": LayerSpec(
        layers.LeakyReLU, {"negative_slope": Field(a.number, 0.3, alias="alpha")}
    ),
    "ELU": LayerSpec(layers.ELU, {"alpha": Field(a.number, 1.0)}),
    "Softmax": LayerSpec(layers.Softmax, {"axis": Field(a.axes, -1)}),
    "Conv1D": _of_channels(
        layers.Conv1D,
        {
            "filters": Field(a.integer),
            **_CONV1D,
            "padding": Field(a.choice("valid", "same", "causal"), "valid"),
            "groups": Field(a.integer, 1),
        },
        _KERNEL,
    ),
    "Conv2D": _of_channels(
        layers.Conv2D,
        {"filters": Field(a.integer), **_CONV2D, "groups": Field(a.integer, 1)},
        _KERNEL,
    ),
    "DepthwiseConv2D": _of_channels(
        layers.DepthwiseConv2D,
        {**_CONV2D, "depth_multiplier": Field(a.integer, 1), "groups": _GROUPS_OF_ONE},
        _KERNEL,
    ),
    "SeparableConv2D": _of_channels(
        layers.SeparableConv2D,
        {
            "filters": Field(a.integer),
            **_CONV2D,
            "depth_multiplier": Field(a.integer, 1),
            "groups": _GROUPS_OF_ONE,
        },
        ("depthwise_kernel", "pointwise_kernel", "bias"),
    ),
    "MaxPooling1D": LayerSpec(layers.MaxPooling1D, _POOL1D),
    "MaxPooling2D": LayerSpec(layers.MaxPooling2D, _POOL2D),
    "AveragePooling1D": LayerSpec(layers.AveragePooling1D, _POOL1D),
    "AveragePooling2D": LayerSpec(layers.AveragePooling2D, _POOL2D),
    "GlobalMaxPooling1D": LayerSpec(layers.GlobalMaxPooling1D, _GLOBAL),
    "GlobalMaxPooling2D": LayerSpec(layers.GlobalMaxPooling2D, _GLOBAL),
    "GlobalAveragePooling1D": LayerSpec(layers.GlobalAveragePooling1D, _GLOBAL),
    "GlobalAveragePooling2D": LayerSpec(layers.GlobalAveragePooling2D, _GLOBAL),
    "BatchNormalization": LayerSpec(
        layers.BatchNormalization,
        {
            "axis": Field(a.axes, -1, attribute=""),
            "momentum": Field(a.number, 0.99),
            "epsilon": Field(a.number, 1e-3),
            "center": _YES,
            "scale": _YES,
        },
        ("gamma", "beta", "moving_mean", "moving_variance"),
        _last_axis_only,
    ),
    "LayerNormalization": LayerSpec(
        layers.LayerNormalization,
        {
            "axis": Field(a.axes, -1),
            "epsilon": Field(a.number, 1e-3),
            "center": _YES,
            "scale": _YES,
        },
        ("gamma", "beta"),
        _along_axes,
    ),
    "Dropout": LayerSpec(layers.Dropout, {"rate": _RATE}),
    "SpatialDropout1D": LayerSpec(layers.SpatialDropout1D, {"rate": _RATE}),
    "SpatialDropout2D": LayerSpec(layers.SpatialDropout2D, {"rate": _RATE, "data_format": _FORMAT}),
    "GaussianNoise": LayerSpec(layers.GaussianNoise, {"stddev": _RATE}),
    "Flatten": LayerSpec(layers.Flatten, {"data_format": _FORMAT}),
    "Reshape": LayerSpec(layers.Reshape, {"target_shape": Field(a.shape)}),
    "Permute": LayerSpec(layers.Permute, {"dims": Field(a.shape)}),
    "RepeatVector": LayerSpec(layers.RepeatVector, {"n": Field(a.integer)}),
    "ZeroPadding1D": LayerSpec(
        layers.ZeroPadding1D, {"padding": Field(a.sides, (1, 1)), "data_format": _FORMAT}
    ),
    "ZeroPadding2D": LayerSpec(
        layers.ZeroPadding2D,
        {"padding": Field(a.sides_2d, ((1, 1), (1, 1))), "data_format": _FORMAT},
    ),
    "Cropping1D": LayerSpec(layers.Cropping1D, {"cropping": Field(a.sides, (1, 1))}),
    "Cropping2D": LayerSpec(
        layers.Cropping2D,
        {"cropping": Field(a.sides_2d, ((0, 0), (0, 0))), "data_format": _FORMAT},
    ),
    "UpSampling1D": LayerSpec(layers.UpSampling1D, {"size": Field(a.one, 2)}),
    "UpSampling2D": LayerSpec(
        layers.UpSampling2D,
        {
            "size": Field(a.two, (2, 2)),
            "interpolation": Field(a.interpolation, "nearest"),
            "data_format": _FORMAT,
        },
    ),
    "Rescaling": LayerSpec(
        layers.Rescaling, {"scale": Field(a.numbers), "offset": Field(a.numbers, 0.0)}
    ),
    "Normalization": LayerSpec(
        layers.Normalization,
        {
            "axis": Field(a.axes_or_none, -1),
            "mean": Field(a.optional_numbers, None, attribute="given_mean"),
            "variance": Field(a.optional_numbers, None, attribute="given_variance"),
            "invert": _NO,
        },
        ("mean", "variance", "count"),
        _along_axes,
    ),
    "Concatenate": LayerSpec(layers.Concatenate, {"axis": Field(a.axis, -1)}),
    "Add": LayerSpec(layers.Add, {}),
    "Subtract": LayerSpec(layers.Subtract, {}),
    "Multiply": LayerSpec(layers.Multiply, {}),
    "Average": LayerSpec(layers.Average, {}),
    "Maximum": LayerSpec(layers.Maximum, {}),
    "Minimum": LayerSpec(layers.Minimum, {}),
    "Dot": LayerSpec(layers.Dot, {"axes": Field(a.axis_pair), "normalize": _NO}),
    "Embedding": LayerSpec(
        layers.Embedding,
        {"input_dim": Field(a.integer), "output_dim": Field(a.integer), "mask_zero": _NO},
        ("embeddings",),
    ),
    "Masking": LayerSpec(layers.Masking, {"mask_value": Field(a.number, 0.0)}),
    "SimpleRNN": _of_channels(layers.SimpleRNN, _RECURRENT, _RECURRENT_WEIGHTS),
    "LSTM": _of_channels(layers.LSTM, _GATED, _RECURRENT_WEIGHTS),
    "GRU": _of_channels(layers.GRU, {**_GATED, "reset_after": _YES}, _RECURRENT_WEIGHTS),
}

WRAPPERS = ("Bidirectional", "TimeDistributed")
MODELS = ("Functional", "Model", "Sequential")

# Arguments that say how a model is trained, built or run, and nothing of what it computes.
NO_MATTER = frozenset(
    {
        "name", "trainable", "batch_input_shape", "batch_shape", "input_shape", "input_length",
        "input_dtype", "seed", "dropout", "recurrent_dropout", "implementation", "unroll",
        "unit_forget_bias", "use_cudnn", "fused", "synchronized", "robust_masking", "autocast",
        "build_config", "renorm_momentum", "renorm_clipping", "virtual_batch_size",
    }
)  # fmt: skip
NO_MATTER_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def spec_of(layer: nnx.Module) -> tuple[str, LayerSpec] | None:
    """The Keras class and the entry of one of our layers, or None."""
    for name, spec in LAYERS.items():
        if type(layer) is spec.layer:
            return name, spec
    return None
