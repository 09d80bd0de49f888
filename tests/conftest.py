"""What every test runs under: JAX on the CPU and strict, no network, none of the user's caches."""

import os
import tempfile

# Before anything imports JAX, Matplotlib or the Hub's client: they read these once.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["MPLBACKEND"] = "Agg"
# Two devices, so that batches are cut over them as on a machine with several.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"

import jax
import pytest
from hypothesis import settings

# Arrays broadcast by shape, never by rank. Strict dtype promotion as well is borne by our
# functions but not by optax (its Adam mixes floats and int32), so only tests/functional has it.
jax.config.update("jax_numpy_rank_promotion", "raise")

# The same examples in every run, and no time limit for one: the first of them compiles.
settings.register_profile(
    "zoo", deadline=None, derandomize=True, database=None, max_examples=20, print_blob=True
)
settings.load_profile("zoo")


def pytest_configure(config: pytest.Config) -> None:
    """Gives the session caches of its own, which pytest-xdist's workers inherit and share.

    Compiled programs are kept as well: each is compiled once in a session, however many tests
    and processes need it. JAX writes an entry in place: a process that reads it meanwhile, or
    after its writer was killed, finds half of it. It then says so and compiles by itself, which
    is right here and no error.
    """
    config.addinivalue_line(
        "filterwarnings", "ignore:Error reading persistent compilation cache entry:UserWarning"
    )
    if not hasattr(config, "workerinput"):
        caches = tempfile.TemporaryDirectory(prefix="zoo-tests-")
        config.add_cleanup(caches.cleanup)
        for variable in ("ZOO_CACHE_DIR", "HF_HOME", "JAX_COMPILATION_CACHE_DIR"):
            os.environ[variable] = os.path.join(caches.name, variable.lower())  # noqa: PTH118
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    # JAX is imported already, and has read its variables.
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
