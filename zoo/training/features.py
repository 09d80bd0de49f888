"""What a part of a model that does not learn makes of the data: computed once, kept on disk."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.data import Split
from zoo.data.cache import cached, fingerprint
from zoo.errors import ZooError, check_positive, require
from zoo.training.arrays import digest, named_arrays
from zoo.training.evaluation import predictor
from zoo.training.functions import Preprocess


def cached_features(
    encoder: nnx.Module,
    split: Split,
    *,
    preprocess: Preprocess,
    batch_size: int = 32,
    progress: bool = True,
) -> Split:
    """A split with the encoder's output in the place of its examples, as 16-bit floats.

    What was computed before is read from `ZOO_CACHE_DIR` (by default `~/.cache/zoo`): with the
    same encoder (its structure and every weight), the same preprocessing and the same examples.
    16 bits are half the disk and keep three to four digits, for a head that learns on them.

    Args:
        encoder: takes a batch and returns one array; run in evaluation mode, not changed.
        split: examples `[N, ...]` and their labels.
        preprocess: makes what the encoder takes of a batch; its `repr` must say what it does,
            as that of a function's partial or of a frozen dataclass's method does.
        batch_size: examples computed at a time.
        progress: whether to show a bar at a terminal.

    Raises:
        ZooError: no examples, or a value that 16 bits cannot hold.
    """
    check_positive(batch_size=batch_size)
    if len(split.y) == 0:
        raise ZooError("split must have at least one example, got none.")
    encoder = nnx.clone(encoder)
    encoder.eval()
    graphdef, state = nnx.split(encoder)
    key = fingerprint(
        "features",
        _plain(repr(graphdef)),
        digest(named_arrays(state)),
        _plain(repr(preprocess)),
        digest(split._asdict()),
    )

    def compute() -> dict[str, Split]:
        size = min(batch_size, len(split.x))
        features = predictor(encoder, preprocess=preprocess, batch_size=size)
        x = _in_batches(features, split.x, size, progress)
        return {"features": Split(x, split.y)}

    return cached(f"features-{key}", compute)["features"]


def _in_batches(
    function: Callable[[np.ndarray], jax.Array], x: np.ndarray, size: int, progress: bool
) -> np.ndarray:
    shape = jax.eval_shape(function, x[:size]).shape[1:]
    features = np.empty((len(x), *shape), np.float16)
    bar = require("tqdm", "data").tqdm(
        total=len(x), desc="features", unit="example", disable=None if progress else True
    )
    with bar:
        for start in range(0, len(x), size):
            # The last batch reaches back, so that one shape is compiled.
            begin = min(start, len(x) - size)
            features[begin : begin + size] = function(x[begin : begin + size]).astype(jnp.float16)
            bar.update(min(size, len(x) - start))
    if not np.isfinite(features).all():
        raise ZooError("features must be finite and fit into 16 bits, got NaN or infinity.")
    return features


def _plain(text: str) -> str:
    """A `repr` without addresses in memory, which differ from run to run.

    Raises:
        ZooError: it has one, so that it does not say what the thing does.
    """
    if " at 0x" in text:
        raise ZooError(
            "preprocess and encoder must say what they do by their repr, for the cache's key, got "
            f"{text[:200]}: give a method of a frozen dataclass."
        )
    return text
