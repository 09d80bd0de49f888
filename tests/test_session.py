"""The tests' own session: what `conftest.py` sets up holds."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp


def test_half_an_entry_of_the_compilation_cache_is_compiled_anew():
    def program():
        @jax.jit
        def half_an_entry(x):
            return 3 * x + 1

        return half_an_entry

    assert program()(jnp.float32(2)) == 7
    (entry,) = Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).glob("jit_half_an_entry-*-cache")
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2])
    assert program()(jnp.float32(2)) == 7
