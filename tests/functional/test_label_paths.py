"""Label paths and the search over them, against enumeration and a beam of Python lists."""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo import functional as F
from zoo.functional.label_paths import full_width

LABELS, BATCH = 4, 6
END = LABELS
RNG = np.random.default_rng(0)
# A model of paths that looks back over the whole path: its state is a sum over the tokens so far.
TABLE = RNG.normal(size=(LABELS + 1, 3)).astype(np.float32)
SCORING = RNG.normal(size=(3, LABELS + 1)).astype(np.float32) * 1.5
START = RNG.normal(size=(BATCH, 3)).astype(np.float32)


def step(state, tokens):
    state = 0.7 * state + jnp.asarray(TABLE)[tokens]
    return state, jnp.tanh(state) @ jnp.asarray(SCORING)


@partial(jax.jit, static_argnames=("max_labels", "width"))
def search(max_labels, width):
    return F.beam_search(
        step, jnp.asarray(START), labels=LABELS, max_labels=max_labels, width=width
    )


def next_log_probabilities(row, path):
    """`{token: log P}` after a path, in plain NumPy."""
    state = START[row].astype(float)
    for token in (END, *path):
        state = 0.7 * state + TABLE[token]
    scores = np.tanh(state) @ SCORING
    allowed = [token for token in range(LABELS + 1) if token not in path]
    total = math.log(sum(math.exp(scores[token]) for token in allowed))
    return {token: scores[token] - total for token in allowed}


def complete_paths(row, max_labels):
    """Every path of up to `max_labels` labels with its log-probability."""
    for length in range(max_labels + 1):
        for path in itertools.permutations(range(LABELS), length):
            log_p = sum(
                next_log_probabilities(row, path[:i])[token] for i, token in enumerate((*path, END))
            )
            yield path, log_p


def beam(row, max_labels, width):
    """The search on lists: the best complete path, and each label's share of what was seen."""
    live, complete, seen = [((), 0.0)], [], np.zeros(LABELS)
    for length in range(max_labels + 1):
        grown = []
        for path, log_p in live:
            for token, more in next_log_probabilities(row, path).items():
                if token == END or length < max_labels:
                    grown.append(((*path, token), log_p + more))
                    if token != END:
                        seen[token] += math.exp(log_p + more)
        grown = sorted(grown, key=lambda entry: -entry[1])[:width]
        complete += [(path[:-1], log_p) for path, log_p in grown if path[-1] == END]
        live = [entry for entry in grown if entry[0][-1] != END]
    return max(complete, key=lambda entry: entry[1]), seen


def path_of(found, row):
    return tuple(int(token) for token in found.path[row] if token != END)


@pytest.mark.parametrize("max_labels", [4, 2])
def test_the_full_width_is_an_exhaustive_search(max_labels):
    found = search(max_labels, full_width(LABELS, max_labels))
    lengths = set()
    for row in range(BATCH):
        every = dict(complete_paths(row, max_labels))
        best = max(every, key=every.get)
        lengths.add(len(best))
        assert path_of(found, row) == best
        assert set(np.flatnonzero(found.labels[row])) == set(best)
        assert found.log_probability[row] == pytest.approx(every[best], abs=1e-5)
        if max_labels == LABELS:
            assert sum(map(math.exp, every.values())) == pytest.approx(1)
            exact = [sum(math.exp(p) for path, p in every.items() if k in path) for k in range(4)]
            np.testing.assert_allclose(found.probabilities[row], exact, rtol=1e-4)
    assert len(lengths) > 1  # or stopping would not have been tested


def test_width_one_is_greedy():
    found = search(LABELS, 1)
    for row in range(BATCH):
        path = ()
        while True:
            log_p = next_log_probabilities(row, path)
            token = max(log_p, key=log_p.get)
            if token == END:
                break
            path = (*path, token)
        assert path_of(found, row) == path


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("max_labels", [4, 3])
def test_any_width_is_the_search_on_lists(max_labels, width):
    found = search(max_labels, width)
    for row in range(BATCH):
        (path, log_p), seen = beam(row, max_labels, width)
        assert path_of(found, row) == path
        assert found.log_probability[row] == pytest.approx(log_p, abs=1e-5)
        np.testing.assert_allclose(found.probabilities[row], seen, rtol=1e-4)


def test_a_narrow_beam_misses_what_a_wide_one_finds():
    """Or the tests above would not tell one width from another."""
    narrow, wide = search(LABELS, 1), search(LABELS, full_width(LABELS, LABELS))
    assert (np.asarray(narrow.log_probability) < wide.log_probability - 1e-4).any()
    assert (np.asarray(narrow.probabilities) <= wide.probabilities + 1e-6).all()


def test_log_probabilities_along_a_path():
    scores = RNG.normal(size=(2, 4, LABELS + 1)).astype(np.float32)
    path = np.array([[2, 0, END], [1, 3, 2]])
    ours = np.asarray(F.path_log_probabilities(jnp.asarray(scores), jnp.asarray(path)))
    for row in range(2):
        for t in range(4):
            used = [int(token) for token in path[row, :t] if token != END]
            free = [token for token in range(LABELS + 1) if token not in used]
            shares = np.exp(scores[row, t, free])
            np.testing.assert_allclose(
                ours[row, t, free], np.log(shares / shares.sum()), rtol=1e-5, atol=1e-6
            )
            assert (ours[row, t, used] < -1e29).all()


def test_a_search_has_a_gradient():
    def total(start):
        found = F.beam_search(step, start, labels=LABELS, max_labels=2, width=3)
        return found.probabilities[:, 0].sum() + found.log_probability.sum()

    start, change = jnp.asarray(START), jnp.asarray(RNG.normal(size=START.shape).astype(np.float32))
    slope = (total(start + 1e-2 * change) - total(start - 1e-2 * change)) / 2e-2
    assert float((jax.grad(total)(start) * change).sum()) == pytest.approx(float(slope), rel=2e-2)


@pytest.mark.parametrize(
    ("max_labels", "width", "message"),
    [
        (5, 1, "max_labels must be at most 4, the number of labels, got 5."),
        (0, 1, "max_labels must be a positive integer, got 0."),
        (2, 0, "width must be a positive integer, got 0."),
        (
            2,
            17,
            "width must be at most 16, since there are no more paths of up to 2 of 4 labels to "
            "keep, got 17.",
        ),
    ],
)
def test_a_search_that_is_not_possible(max_labels, width, message):
    with zoo_error(message):
        search(max_labels, width)


def test_scores_and_path_that_do_not_fit():
    with zoo_error(
        "path must have shape [B, L] for scores [B, L + 1, K + 1], got (2, 4) for (2, 4, 5)."
    ):
        F.path_log_probabilities(jnp.zeros((2, 4, 5)), jnp.zeros((2, 4), int))
