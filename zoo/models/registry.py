"""Models by name."""

import dataclasses
import fnmatch
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from flax import nnx

from zoo.errors import ZooError, unknown_name

Model = TypeVar("Model", bound=type[nnx.Module])


class _Entry(NamedTuple):
    model: type[nnx.Module]
    config: type[Any]


_REGISTRY: dict[str, _Entry] = {}


def register_model(name: str, config: type[Any]) -> Callable[[Model], Model]:
    """Class decorator that makes a model available to `create_model` as `name`.

    The class takes one instance of `config`, a frozen dataclass, and `rngs`; it keeps the
    config as `model.config`, takes a batch, and returns logits.

    Raises:
        ZooError: the name is taken, or `config` is not a frozen dataclass.
    """
    if name in _REGISTRY:
        raise ZooError(f"model {name!r} is registered already, by {_REGISTRY[name].model}.")
    if not dataclasses.is_dataclass(config) or not config.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise ZooError(f"config of model {name!r} must be a frozen dataclass, got {config!r}.")

    def register(model: Model) -> Model:
        _REGISTRY[name] = _Entry(model, config)
        return model

    return register


def list_models(pattern: str = "*") -> tuple[str, ...]:
    """The names of all registered models that match a shell pattern, sorted.

    >>> list_models("fashion_*")
    ('fashion_mnist_cnn', 'fashion_mnist_lstm')
    """
    return tuple(sorted(fnmatch.filter(_REGISTRY, pattern)))


def model_config(name: str, **overrides: Any) -> Any:
    """The frozen config of model `name`, with some fields replaced.

    Raises:
        ZooError: an unknown model or field; the message offers near names.
    """
    if name not in _REGISTRY:
        raise unknown_name("model", name, _REGISTRY)
    config = _REGISTRY[name].config
    fields = [field.name for field in dataclasses.fields(config)]
    for option in overrides:
        if option not in fields:
            raise unknown_name(f"option of model {name!r}", option, fields)
    return config(**overrides)


def create_model(name: str, *, rngs: nnx.Rngs, **overrides: Any) -> nnx.Module:
    """A new model in training mode.

    Args:
        name: one of `list_models()`.
        rngs: the streams `params` (initial weights) and `dropout`; `nnx.Rngs(0)` serves both.
        overrides: fields of the model's config.

    Returns:
        The module; called with a batch it returns logits `[B, classes]`.

    Raises:
        ZooError: an unknown model or option, or a value that the config refuses.

    >>> model = create_model("mnist_lstm", rngs=nnx.Rngs(0), units=8)
    >>> model.config.units
    8
    """
    config = model_config(name, **overrides)
    if not isinstance(rngs, nnx.Rngs):
        raise ZooError(f"rngs must be an nnx.Rngs, such as nnx.Rngs(0), got {rngs!r}.")
    return _REGISTRY[name].model(config, rngs=rngs)  # type: ignore[call-arg]
