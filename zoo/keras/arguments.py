"""Arguments in a Keras config, read strictly: what is not understood is named, not dropped."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from zoo import functional as F
from zoo.errors import ZooError
from zoo.keras.wording import short

Parse = Callable[[Any, bool], Any]  # (value, whether Keras 2 wrote it)


class Field(NamedTuple):
    """How one argument is read: its parser, Keras's default, and its name in other versions."""

    parse: Parse
    default: Any = ...  # required
    alias: str | None = None
    attribute: str | None = None  # of our layer, where it is not the argument's name


class Unsupported(Exception):  # noqa: N818
    """An argument's value that is not understood; the message says what was expected."""


def _expected(what: str, value: Any) -> Unsupported:
    return Unsupported(f"must be {what}, got {short(value)}")


_LARGEST = 2**31 - 1


def integer(value: Any, _: bool) -> int:
    """A whole number that is not negative."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise _expected("a whole number", value)
    return value


def axis(value: Any, _: bool) -> int:
    """A whole number of either sign."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 64:
        raise _expected("an axis", value)
    return value


def axes(value: Any, keras2: bool) -> int | tuple[int, ...]:
    """An axis or several."""
    if isinstance(value, list | tuple):
        return tuple(axis(item, keras2) for item in value)
    return axis(value, keras2)


def axes_or_none(value: Any, keras2: bool) -> int | tuple[int, ...]:
    """An axis, several, or null, which is none of them."""
    return () if value is None else axes(value, keras2)


def axis_pair(value: Any, keras2: bool) -> int | tuple[int, ...]:
    """An axis or two."""
    parsed = axes(value, keras2)
    if isinstance(parsed, tuple) and len(parsed) != 2:
        raise _expected("an axis or two", value)
    return parsed


def number(value: Any, _: bool) -> float:
    """A finite number."""
    if isinstance(value, Mapping) and "config" in value:  # an array of one number
        config = value["config"]
        value = config.get("value") if isinstance(config, Mapping) else config
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _expected("a number", value)
    return value


def optional_number(value: Any, keras2: bool) -> float | None:
    """A finite number or null."""
    return None if value is None else number(value, keras2)


def numbers(value: Any, keras2: bool) -> Any:
    """A number or nested lists of them, as tuples."""
    if isinstance(value, list | tuple):
        return tuple(numbers(item, keras2) for item in value)
    return number(value, keras2)


def optional_numbers(value: Any, keras2: bool) -> Any:
    """Numbers or null."""
    return None if value is None else numbers(value, keras2)


def flag(value: Any, _: bool) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _expected("true or false", value)
    return value


def choice(*known: Any) -> Parse:
    """One of a few values."""

    def parse(value: Any, _: bool) -> Any:
        if isinstance(value, list | dict) or value not in known:
            raise _expected(f"one of {', '.join(map(repr, known))}", value)
        return value

    return parse


def interpolation(value: Any, keras2: bool) -> str:
    """How an image is made larger; TensorFlow's bicubic rounds its weights, and ours does not."""
    known = ("nearest", "bilinear") if keras2 else ("nearest", "bilinear", "bicubic")
    return choice(*known)(value, keras2)


def one(value: Any, keras2: bool) -> int:
    """A positive number, alone or as the only one of a list."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    parsed = integer(value, keras2)
    if parsed < 1:
        raise _expected("a positive number", value)
    return parsed


def optional_one(value: Any, keras2: bool) -> int | None:
    """As `one`, or null."""
    return None if value is None else one(value, keras2)


def two(value: Any, keras2: bool) -> tuple[int, int]:
    """Two positive numbers, or one for both."""
    both = value if isinstance(value, list | tuple) else (value, value)
    if len(both) != 2:
        raise _expected("a positive number or two", value)
    first, second = (one(item, keras2) for item in both)
    return first, second


def window(value: Any, keras2: bool) -> tuple[int, int]:
    """As `two`, of a size that a pooling can be."""
    both = two(value, keras2)
    if math.prod(both) > 1 << 16:
        raise _expected("a window of at most 65,536 places", value)
    return both


def optional_two(value: Any, keras2: bool) -> tuple[int, int] | None:
    """As `two`, or null."""
    return None if value is None else two(value, keras2)


def sides(value: Any, keras2: bool) -> tuple[int, int]:
    """How many before and after; one number is both."""
    both = value if isinstance(value, list | tuple) else (value, value)
    if len(both) != 2:
        raise _expected("a number or two", value)
    return integer(both[0], keras2), integer(both[1], keras2)


def sides_2d(value: Any, keras2: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """`sides` of rows and of columns; one number of each is both sides."""
    both = value if isinstance(value, list | tuple) else (value, value)
    if len(both) != 2:
        raise _expected("a number, two, or two pairs", value)
    return sides(both[0], keras2), sides(both[1], keras2)


def shape(value: Any, _: bool) -> tuple[int, ...]:
    """Sizes, of which one may be −1."""
    if isinstance(value, int):
        value = [value]
    if not isinstance(value, list | tuple) or any(
        not isinstance(item, int) or isinstance(item, bool) or not -1 <= item <= _LARGEST
        for item in value
    ):
        raise _expected("sizes", value)
    return tuple(value)


# Layers that Keras allows as an activation, where ours has a name for what they do.
_LAYER_ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "ELU": ("elu", {"alpha": 1.0}),
    "Softmax": ("softmax", {"axis": -1}),
    "Activation": ("", {}),
}
_ACTIVATION_ALIASES = {"hard_swish": "hard_silu"}


def activation(value: Any, keras2: bool) -> str | None:
    """The name of an activation that `zoo.functional` has."""
    name = value
    if isinstance(value, Mapping):
        if not is_own(value, "builtins"):  # where Keras looks for functions
            raise _expected("an activation of Keras's own (code of a file is never run)", value)
        config = value.get("config")
        name = _layer_activation(value, config) if isinstance(config, Mapping) else config
    if name is None:
        return None
    if not isinstance(name, str):
        raise _expected("the name of an activation", value)
    name = _ACTIVATION_ALIASES.get(name, name)
    if keras2 and name == "hard_sigmoid":
        name = "hard_sigmoid_keras2"
    try:
        F.activation(name)
    except ZooError as error:
        raise Unsupported(f"is an {error}") from None
    return name


def is_own(entry: Mapping[str, Any], *modules: str) -> bool:
    """Whether a class or function is Keras's own, and no one else's of the same name."""
    module = entry.get("module")
    if module is not None and not isinstance(module, str):
        return False
    known = module is None or module.split(".")[0] in ("keras", "tf_keras", "tensorflow", *modules)
    return known and entry.get("registered_name") in (None, entry.get("class_name"))


def _layer_activation(value: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    name = value.get("class_name")
    if name == "Activation":
        return config.get("activation")
    if name == "ReLU":
        slope, threshold = config.get("negative_slope"), config.get("threshold")
        largest = config.get("max_value")
        if not slope and not threshold and largest in (None, 6, 6.0):
            return "relu6" if largest else "relu"
    if name == "LeakyReLU" and config.get("negative_slope", config.get("alpha")) == 0.2:
        return "leaky_relu"
    if name in _LAYER_ACTIVATIONS:
        ours, needed = _LAYER_ACTIVATIONS[name]
        if all(config.get(key, default) == default for key, default in needed.items()):
            return ours
    raise _expected("the name of an activation (put the layer after this one instead)", value)


def policy(value: Any, _: bool) -> str:
    """A dtype policy that computes in float32."""
    if policy_name(value) not in (None, "float32"):
        raise _expected("float32", value)
    return "float32"


def policy_name(value: Any) -> Any:
    """The name of a dtype policy, which Keras 3 may write as an object."""
    config = value.get("config") if isinstance(value, Mapping) else None
    return config.get("name", value) if isinstance(config, Mapping) else value
