"""A model's weights by name."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.errors import ZooError


def weights_of(model: nnx.Module) -> dict[str, np.ndarray]:
    """Parameters and moving statistics by their path, such as `lstm_1.recurrent_kernel`.

    >>> import zoo
    >>> sorted(weights_of(zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0))))
    ['logits.bias', 'logits.kernel', 'lstm.bias', 'lstm.kernel', 'lstm.recurrent_kernel']
    """
    return {name: np.asarray(variable[...]) for name, variable in _variables(model).items()}


def set_weights(model: nnx.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Fills a model with weights as `weights_of` gives them; all or, on an error, none.

    Raises:
        ZooError: weights that the model lacks, places left unfilled, or other shapes; the
            message lists all of them.
    """
    variables = _variables(model)
    problems = [f"{name} is not in the model" for name in sorted({*weights} - {*variables})]
    problems += [f"{name} is not in the weights" for name in sorted({*variables} - {*weights})]
    problems += [
        f"{name} must have shape {variables[name].shape}, got {np.shape(weights[name])}"
        for name in sorted({*weights} & {*variables})
        if variables[name].shape != np.shape(weights[name])
    ]
    if problems:
        raise ZooError(f"weights do not fit {type(model).__name__}: {'; '.join(problems)}.")
    # All are converted before any is set.
    arrays = {name: jnp.asarray(weights[name], v.dtype) for name, v in variables.items()}
    for name, variable in variables.items():
        variable[...] = arrays[name]


def _variables(model: nnx.Module) -> dict[str, nnx.Variable[jax.Array]]:
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    return {".".join(map(str, path)): variable for path, variable in nnx.to_flat_state(state)}
