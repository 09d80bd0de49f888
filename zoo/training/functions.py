"""Functions that a run is given: their types, and their names in what is stored."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax

Preprocess: TypeAlias = Callable[[jax.Array], jax.Array]
"""Makes what a model takes of a batch `[B, ...]`."""

Augment: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]
"""`(key, batch [B, ...]) -> [k · B, ...]`: one version of the whole batch, or several in a row."""


def described(value: object) -> str:
    """A function of a module or a partial of one by its full name; else the `repr`.

    Without addresses in memory, which differ from run to run.

    >>> described(partial(inspect.getdoc, 1))
    'inspect.getdoc(1)'
    """
    if isinstance(value, partial):
        given = [described(argument) for argument in value.args]
        given += [f"{name}={described(argument)}" for name, argument in value.keywords.items()]
        return f"{described(value.func)}({', '.join(given)})"
    if inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))
