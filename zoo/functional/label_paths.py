"""Label paths: a set of labels as a sequence without repetition that END closes.

With `K` labels, label `k` is the token `k` and END is the token `K`. A model of paths gives, for
each token so far, a score for every token that may come next.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError, check_positive
from zoo.functional._arrays import Array, check_rank

# The logarithm of "never": its exponential is zero, and sums of a few stay finite, so that no
# infinity minus infinity makes a gradient NaN.
NEVER = -1e30

Step = Callable[[Any, Array], tuple[Any, Array]]


def path_log_probabilities(scores: Array, path: Array) -> Array:
    """`log P(next token | tokens so far)` along given paths: no label comes twice.

    A softmax over the labels that are not yet in the path, and END.

    Args:
        scores: `[B, L + 1, K + 1]`; row `t` is for the token after `t` labels.
        path: tokens `[B, L]`; from its first END on, a path has only END.

    Returns:
        `[B, L + 1, K + 1]`, with about −10³⁰ where a label has been used.

    Raises:
        ZooError: the shapes do not fit together.
    """
    check_rank("scores", scores, 3, "[B, L + 1, K + 1]")
    if path.shape != (scores.shape[0], scores.shape[1] - 1):
        raise ZooError(
            f"path must have shape [B, L] for scores [B, L + 1, K + 1], got {path.shape} for "
            f"{scores.shape}."
        )
    taken = jax.nn.one_hot(path, scores.shape[2] - 1, dtype=jnp.int32)  # END is a row of zeros
    used = jnp.pad(jnp.cumsum(taken, axis=1), ((0, 0), (1, 0), (0, 0))) > 0
    return _log_probabilities(scores, used)


def _log_probabilities(scores: Array, used: Array) -> Array:
    """A softmax over END and the labels that are not in `used [..., K]`."""
    never_end = [(0, 0)] * (used.ndim - 1) + [(0, 1)]
    return jax.nn.log_softmax(jnp.where(jnp.pad(used, never_end), NEVER, scores))


class LabelSearch(NamedTuple):
    """What a search found for each example.

    `labels [B, K]` (boolean) are the labels of the most probable complete path, `path
    [B, max_labels]` that path with END after its last label, and `log_probability [B]` its
    probability.
    `probabilities [B, K]` says of each label how probable it is to be in the set.
    """

    labels: Array
    path: Array
    log_probability: Array
    probabilities: Array


def full_width(labels: int, max_labels: int) -> int:
    """The width from which `beam_search` drops nothing: paths of `max_labels` or one label fewer.

    >>> full_width(labels=3, max_labels=2)
    9
    """
    return math.perm(labels, max_labels) + math.perm(labels, max_labels - 1)


class _Beam(NamedTuple):
    """`W` paths for each example, with their joint log-probabilities `[B, W]`."""

    log_p: Array
    last: Array
    path: Array
    used: Array
    state: Any


def beam_search(step: Step, state: Any, *, labels: int, max_labels: int, width: int) -> LabelSearch:
    """The most probable label path, kept to `width` paths at a time, as one `lax.scan`.

    Each path so far is followed by every label not yet in it and by END; of all these the `width`
    most probable are kept. Those that end are complete and leave the beam. So width 1 is
    the greedy choice, and from `full_width` on the search is exhaustive. A path only becomes less
    probable as it grows, so running to the last step finds what the paper's stopping rule
    finds.

    A label's probability is `Σ P(prefix) · P(label | prefix)` over the prefixes that were in the
    beam: a label is in a path at one place only, so at full width this is exactly the probability
    that a path drawn from the model has the label, and below it a lower bound.

    Args:
        step: `(state, tokens [B, W]) -> (state, scores [B, W, K + 1])`, one step of the model from
            the last token; the first token is END.
        state: the model's state before the first token, a tree of arrays `[B, ...]`. `step` gets
            and returns them as `[B, W, ...]`.
        labels: `K`.
        max_labels: longer paths are not looked at.
        width: paths kept, `W`.

    Raises:
        ZooError: `max_labels` is not between 1 and `labels`, or `width` not between 1 and
            `full_width(labels, max_labels)`.

    Source: Wang et al., 2016, https://arxiv.org/abs/1604.04573
    """
    check_search(labels, max_labels, width)
    examples = jax.tree.leaves(state)[0].shape[0]
    tokens = labels + 1
    shape = (examples, width)
    state = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf[:, None], (*shape, *leaf.shape[1:])), state
    )
    last = jnp.full(shape, labels, jnp.int32)
    dtype = jax.eval_shape(step, state, last)[1].dtype
    log_p = jnp.where(jnp.arange(width) == 0, 0.0, NEVER).astype(dtype)
    beam = _Beam(
        log_p=jnp.broadcast_to(log_p, shape),
        last=last,
        path=jnp.full((*shape, max_labels), labels, jnp.int32),
        used=jnp.zeros((*shape, labels), bool),
        state=state,
    )
    found = LabelSearch(
        labels=jnp.zeros((examples, labels), bool),
        path=jnp.full((examples, max_labels), labels, jnp.int32),
        log_probability=jnp.full(examples, NEVER, dtype),
        probabilities=jnp.zeros((examples, labels), dtype),
    )
    is_end = jnp.arange(tokens) == labels

    def advance(carry: tuple[_Beam, LabelSearch], length: Array) -> tuple[Any, None]:
        beam, found = carry
        state, scores = step(beam.state, beam.last)
        log_p = beam.log_p[..., None] + _log_probabilities(scores, beam.used)
        allowed = is_end | (length < max_labels)
        log_p = jnp.where(allowed.reshape(1, 1, tokens), log_p, NEVER)
        probabilities = found.probabilities + jnp.sum(jnp.exp(log_p[..., :labels]), axis=1)

        log_p, kept = lax.top_k(log_p.reshape(examples, width * tokens), width)
        parent, token = kept // tokens, kept % tokens
        before: _Beam = jax.tree.map(
            lambda leaf: _take(leaf, parent), beam._replace(log_p=log_p, state=state)
        )
        ended = token == labels
        here = jnp.arange(max_labels, dtype=jnp.int32).reshape(1, 1, max_labels) == length
        beam = _Beam(
            log_p=jnp.where(ended, NEVER, log_p),
            last=token,
            path=jnp.where(here, token[..., None], before.path),
            used=before.used | jax.nn.one_hot(token, labels, dtype=bool),
            state=before.state,
        )
        complete = jnp.where(ended, log_p, NEVER)
        best = jnp.argmax(complete, axis=1, keepdims=True)
        labels_, path, log_probability = (
            _take(value, best)[:, 0] for value in (before.used, before.path, complete)
        )
        new = LabelSearch(labels_, path, log_probability, probabilities)
        better = new.log_probability > found.log_probability
        found = jax.tree.map(
            lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            new,
            found,
        )._replace(probabilities=probabilities)
        return (beam, found), None

    (_, found), _ = lax.scan(advance, (beam, found), jnp.arange(max_labels + 1, dtype=jnp.int32))
    # A sum of probabilities can pass 1 by rounding.
    return found._replace(probabilities=jnp.minimum(found.probabilities, 1.0))


def check_search(labels: int, max_labels: int, width: int) -> None:
    """Raises unless a search of this length and width is possible over `labels` labels."""
    check_positive(labels=labels, max_labels=max_labels, width=width)
    if max_labels > labels:
        raise ZooError(
            f"max_labels must be at most {labels}, the number of labels, got {max_labels}."
        )
    if width > full_width(labels, max_labels):
        raise ZooError(
            f"width must be at most {full_width(labels, max_labels)}, since there are no more "
            f"paths of up to {max_labels} of {labels} labels to keep, got {width}."
        )


def _take(values: Array, rows: Array) -> Array:
    """`values [B, W, ...]` at `rows [B, R]` of its second axis: `[B, R, ...]`."""
    return jnp.take_along_axis(values, rows.reshape(*rows.shape, *[1] * (values.ndim - 2)), axis=1)
