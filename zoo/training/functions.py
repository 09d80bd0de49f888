"""Functions that a run is given: their types, and their names in what is stored."""

import re
from collections.abc import Callable
from typing import TypeAlias

import jax

Preprocess: TypeAlias = Callable[[jax.Array], jax.Array]
"""Makes what a model takes of a batch `[B, ...]`."""

Augment: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]
"""`(key, batch [B, ...]) -> [k · B, ...]`: one version of the whole batch, or several in a row."""


def described(function: object) -> str:
    """A function's `repr` without its address in memory, which differs from run to run."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(function))
