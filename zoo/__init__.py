"""CNN, RNN and CNN-RNN classifiers: pure JAX functions composed into Flax NNX models.

The rooms, each importing only from the ones after it: `zoo.reports` (tables, statistics,
pictures), `zoo.explain` (what a model computed), `zoo.training`, `zoo.models`, `zoo.data`,
`zoo.layers` (Flax NNX modules) and `zoo.functional` (all the arithmetic).
"""

from zoo.explain import summary
from zoo.models import create_model, list_models, register_model

__all__ = ["create_model", "list_models", "register_model", "summary"]
