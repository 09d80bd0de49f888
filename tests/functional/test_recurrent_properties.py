"""What holds of every recurrent layer, for any mask, length and initial state."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.functional.cases import (
    BATCH,
    STEPS,
    UNITS,
    Layer,
    all_layers,
    directions,
    masked,
    one_step,
    sequences,
    unmasked,
)
from tests.functional.tolerances import assert_close, assert_same

seeds = st.integers(0, 2**32 - 1)
masks = arrays(bool, (BATCH, STEPS))


def arguments(layer: Layer, seed: int) -> tuple[Any, jax.Array, Any]:
    rng = np.random.default_rng(seed)
    return layer.params(rng), sequences(rng), layer.state(rng)


@all_layers
@directions
@given(seeds, masks, st.sampled_from([0.0, 1.0, -1e300, np.inf, np.nan]))
def test_what_is_masked_is_inert(
    layer: Layer, reverse: bool, seed: int, mask: np.ndarray, garbage: float
) -> None:
    """Wherever the mask is False, the input may be anything at all."""
    params, x, state = arguments(layer, seed)
    changed = jnp.where(mask[..., None], x, garbage)
    assert_same(
        masked(layer, reverse)(params, changed, state, mask),
        masked(layer, reverse)(params, x, state, mask),
    )


@all_layers
@directions
@given(seeds, masks)
def test_masked_sequence_is_its_kept_steps(
    layer: Layer, reverse: bool, seed: int, mask: np.ndarray
) -> None:
    """Each row takes a step where it is kept, and stays as it is where not."""
    params, x, state = arguments(layer, seed)
    outputs, last = masked(layer, reverse)(params, x, state, mask)
    now = [np.array(part) for part in layer.as_tuple(state)]
    expected, output = np.zeros((BATCH, STEPS, UNITS)), np.zeros((BATCH, UNITS))
    for t in reversed(range(STEPS)) if reverse else range(STEPS):
        stepped, stepped_output = one_step(layer)(params, layer.as_state(tuple(now)), x[:, t])
        kept = mask[:, t]
        for part, new in zip(now, layer.as_tuple(stepped), strict=True):
            part[kept] = np.asarray(new)[kept]
        output[kept] = np.asarray(stepped_output)[kept]
        expected[:, t] = output
    assert_close((outputs, last), (expected, layer.as_state(tuple(now))))


@all_layers
@directions
@given(seeds)
def test_sequence_is_its_steps(layer: Layer, reverse: bool, seed: int) -> None:
    params, x, state = arguments(layer, seed)
    outputs, last = unmasked(layer, reverse)(params, x, state)
    for t in reversed(range(STEPS)) if reverse else range(STEPS):
        state, output = one_step(layer)(params, state, x[:, t])
        assert_close(outputs[:, t], output)
    assert_close(last, state)


@all_layers
@directions
@given(seeds)
def test_mask_of_ones_is_no_mask(layer: Layer, reverse: bool, seed: int) -> None:
    params, x, state = arguments(layer, seed)
    assert_close(
        masked(layer, reverse)(params, x, state, np.ones((BATCH, STEPS), bool)),
        unmasked(layer, reverse)(params, x, state),
    )


@all_layers
@given(seeds, masks)
def test_backwards_is_forwards_on_the_mirror_image(
    layer: Layer, seed: int, mask: np.ndarray
) -> None:
    params, x, state = arguments(layer, seed)
    outputs, last = masked(layer, True)(params, x, state, mask)
    mirrored, mirrored_last = masked(layer, False)(params, x[:, ::-1], state, mask[:, ::-1])
    assert_close((outputs, last), (mirrored[:, ::-1], mirrored_last))


@all_layers
@given(seeds, masks)
def test_two_halves_make_a_whole(layer: Layer, seed: int, mask: np.ndarray) -> None:
    """The state carries everything: cut at any place by masking the other side."""
    params, x, state = arguments(layer, seed)
    cut = np.broadcast_to(np.arange(STEPS) < seed % (STEPS + 1), mask.shape)
    whole, last = masked(layer, False)(params, x, state, mask)
    _, between = masked(layer, False)(params, x, state, mask & cut)
    second, second_last = masked(layer, False)(params, x, between, mask & ~cut)
    assert_close(second_last, last)
    kept = mask & ~cut
    assert_close(jnp.where(kept[..., None], second, 0), jnp.where(kept[..., None], whole, 0))


@all_layers
@directions
@settings(max_examples=5)
@given(seeds, masks)
def test_jit_equals_eager(layer: Layer, reverse: bool, seed: int, mask: np.ndarray) -> None:
    params, x, state = arguments(layer, seed)
    with jax.disable_jit():
        eager = layer.sequence(
            params, x, state, mask=jnp.asarray(mask), reverse=reverse, **layer.options
        )
    assert_close(masked(layer, reverse)(params, x, state, mask), eager)


@cache
def row_by_row(layer: Layer) -> Any:
    """As `masked`, with each example a batch of its own."""

    def one(params: Any, *row: Any) -> Any:
        x, state, mask = jax.tree.map(lambda leaf: leaf[None], row)
        result = layer.sequence(params, x, state, mask=mask, **layer.options)
        return jax.tree.map(lambda leaf: leaf[0], result)

    return jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0)))


@all_layers
@given(seeds, masks)
def test_vmap_equals_batch(layer: Layer, seed: int, mask: np.ndarray) -> None:
    params, x, state = arguments(layer, seed)
    assert_close(
        row_by_row(layer)(params, x, state, mask), masked(layer, False)(params, x, state, mask)
    )
