"""A model's arrays: apart from its code, and as flat, named NumPy arrays to store or send."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

Arrays: TypeAlias = "nnx.State[Any, Any]"


class Weights(NamedTuple):
    """A model's arrays: parameters, and the rest (moving statistics, random counters)."""

    params: Arrays
    rest: Arrays


def weights_of(model: nnx.Module) -> Weights:
    """The arrays of a model, shared with it."""
    _, params, rest = nnx.split(model, nnx.Param, ...)  # type: ignore[misc]
    return Weights(params, rest)


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Every leaf by its path, such as `weights.params.lstm.kernel`; random keys as their data."""
    return {
        _name(path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def digest(arrays: Mapping[str, Any]) -> str:
    """Names, types, shapes and values of arrays in one short name."""
    about = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        about.update(f"{name} {array.dtype} {array.shape}".encode())
        about.update(array.data)
    return about.hexdigest()


def with_arrays(template: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """`template` with each leaf replaced by the array of its name.

    Raises:
        KeyError: a leaf without an array.
        ValueError: an array of another shape or type than its leaf.
    """

    def replace(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        array = jnp.asarray(arrays[_name(path)])
        if _is_key(leaf):
            array = jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf))
        if (array.shape, array.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(
                f"{_name(path)} must be {leaf.dtype} of shape {leaf.shape}, got {array.dtype} "
                f"of shape {array.shape}."
            )
        return array

    return jax.tree_util.tree_map_with_path(replace, template)


def _is_key(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
