"""The fused loop against the definition, the scan over a layer's step, in every way it is run."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional import cudnn, reference
from tests.functional.cases import BATCH, LAYERS, MASK, STEPS, UNITS, Layer, cast, sequences
from tests.functional.tolerances import TOLERANCES, assert_close
from zoo.functional.activations import DERIVATIVES_BY_VALUE
from zoo.functional.cudnn_lstm import cudnn_lstm
from zoo.functional.fused_cells import Cell, gru_cell, lstm_cell, simple_rnn_cell
from zoo.functional.fused_recurrence import fused_recurrence
from zoo.functional.recurrence import scan_time
from zoo.functional.recurrence_ways import fastest_way
from zoo.functional.wide_gru import Options, wide_gru

CELLS: dict[str, Callable[..., Cell]] = {
    "simple_rnn": simple_rnn_cell,
    "lstm": lstm_cell,
    "gru": gru_cell,
}
BY_UNIT = [name for name in reference.ACTIVATIONS if name not in ("softmax", "log_softmax")]


@pytest.fixture(autouse=True, scope="module")
def _cudnn() -> Iterator[None]:
    """JAX's reference in the place of cuDNN."""
    with pytest.MonkeyPatch.context() as patch:
        cudnn.install(patch)
        yield


class Case(NamedTuple):
    """A layer and a way; `inputs` are `(params, x, state)`."""

    layer: Layer
    way: Any

    def cell(self, **activations: str) -> Cell:
        names = {"activation": "tanh"}
        if self.layer.gated:
            names["recurrent_activation"] = "sigmoid"
        return CELLS[self.layer.name](*(names | activations).values())

    def fused(self, inputs: Any, mask: Any, reverse: bool, **activations: str) -> Any:
        params, x, state = inputs
        if self == CUDNN_LSTM:
            start = self.layer.as_tuple(state)
            outputs, last = cudnn_lstm(self.loop, reverse, params, start, x, mask)
            return outputs, self.layer.as_state(last)
        if self == WIDE_GRU:
            names = {"activation": "tanh", "recurrent_activation": "sigmoid"} | activations
            options = Options(*names.values(), reverse)
            return wide_gru(params, state, x, mask=mask, options=options)
        start = self.layer.as_tuple(state)
        outputs, last = fused_recurrence(
            self.cell(**activations), params, start, x, mask=mask, reverse=reverse, way=self.way
        )
        return outputs, self.layer.as_state(last)

    def loop(self, params: Any, state: Any, x: Any, mask: Any) -> Any:
        """What is computed where cuDNN is not."""
        outputs, last = self.scan((params, x, self.layer.as_state(state)), mask, False)
        return outputs, self.layer.as_tuple(last)

    def scan(self, inputs: Any, mask: Any, reverse: bool, **activations: str) -> Any:
        params, x, state = inputs
        return scan_time(
            partial(self.layer.step, params, **activations, **self.layer.options),
            lambda state: self.layer.as_tuple(state)[0],
            state,
            x,
            mask=mask,
            reverse=reverse,
        )

    def inputs(self, seed: int, bias: bool = True) -> Any:
        rng = np.random.default_rng(seed)
        return self.layer.params(rng, bias), sequences(rng), self.layer.state(rng)


WIDE_GRU = Case(LAYERS[2], "by_rows")
CUDNN_LSTM = Case(LAYERS[1], "cudnn")
CASES = [Case(layer, way) for layer in LAYERS[:3] for way in ("by_units", "by_rows")]


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else f"{value.layer.name}-{value.way}"


cases = pytest.mark.parametrize("case", [*CASES, CUDNN_LSTM], ids=name_of)
LSTMS = [Case(LAYERS[1], "by_units"), Case(LAYERS[1], "by_rows")]


def loss(run: Callable[..., Any], weights: Any, inputs: Any, *args: Any) -> jax.Array:
    """A random function of all outputs and of the last state, not linear in them."""
    outputs, last = run(inputs, *args)
    total = jnp.sum(jnp.sin(outputs) * weights[0])
    return total + sum(jnp.sum(jnp.cos(part) * weights[1]) for part in jax.tree.leaves(last))


def loss_weights(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, STEPS, UNITS)), rng.normal(size=(BATCH, UNITS))


@cache
def values_and_gradients(run: Callable[..., Any], reverse: bool) -> Any:
    """`(inputs, mask)` to results and gradients, compiled."""

    def both(inputs: Any, mask: Any) -> Any:
        gradient = jax.grad(lambda inputs: loss(run, loss_weights(1), inputs, mask, reverse))
        return run(inputs, mask, reverse), gradient(inputs)

    return jax.jit(both)


def fused(case: Case, reverse: bool) -> Any:
    return values_and_gradients(case.fused, reverse)


def scan(case: Case, reverse: bool) -> Any:
    """The same program for both ways."""
    return values_and_gradients(case._replace(way=None).scan, reverse)


@cases
@pytest.mark.parametrize(
    ("reverse", "mask", "bias"),
    [(False, None, True), (False, MASK, True), (True, MASK, True), (True, None, False)],
    ids=["forwards", "forwards-mask", "backwards-mask", "backwards-no_bias"],
)
def test_values_and_gradients(case: Case, reverse: bool, mask: Any, bias: bool) -> None:
    """For the weights, the input and the initial state."""
    inputs = case.inputs(1, bias)
    assert_close(fused(case, reverse)(inputs, mask), scan(case, reverse)(inputs, mask))


def of_one_number(inputs: Any) -> Any:
    """The same layer over one number a step instead of INPUTS."""
    params, x, state = inputs
    return params._replace(kernel=params.kernel[:1]), x[..., :1], state


@cases
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_one_number_a_step(case: Case, bias: bool) -> None:
    """By units, it is multiplied apart from the state."""
    inputs = of_one_number(case.inputs(10, bias))
    assert_close(fused(case, True)(inputs, MASK), scan(case, True)(inputs, MASK))


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(case, dtype) for case in CASES for dtype in ("float32", "bfloat16")]
    + [(CUDNN_LSTM, "float32")],  # cuDNN has nothing narrower
    ids=name_of,
)
def test_types(case: Case, dtype: str) -> None:
    """As near to float64 as the type can be, gradients too; the type of the input is kept."""
    run = fused(case, True)
    inputs = cast(case.inputs(2), dtype)
    expected = scan(case, True)(cast(inputs, "float64"), MASK)
    with jax.numpy_dtype_promotion("standard"):  # the loss is of float64
        outputs, gradients = run(inputs, MASK)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves((outputs, gradients))} == {dtype}
    assert_close(outputs, expected[0])
    for actual, exact in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected[1]), strict=True):
        exact = np.asarray(exact)  # a sum over rows and steps: its error is that of its size
        error = np.abs(np.asarray(actual, np.float64) - exact).max() / np.abs(exact).max()
        assert error < TOLERANCES[dtype]


@pytest.mark.parametrize(
    ("case", "name"),
    [(case, name) for case in LSTMS for name in BY_UNIT]
    + [(WIDE_GRU, name) for name in DERIVATIVES_BY_VALUE],
    ids=name_of,
)
def test_every_activation(case: Case, name: str) -> None:
    """In each role it can have, with its gradient."""
    params, x, state = case.inputs(3)
    inputs = jax.tree.map(lambda leaf: 0.4 * leaf, params), x[:, :2], state

    def gradient(run: Callable[..., Any], role: str) -> Any:
        def total(inputs: Any) -> jax.Array:
            outputs, last = run(inputs, None, False, **{role: name})
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves((outputs, last)))

        return jax.value_and_grad(total)(inputs)

    with jax.disable_jit():
        for role in ("activation", "recurrent_activation"):
            assert_close(gradient(case.fused, role), gradient(case.scan, role))


@cases
@pytest.mark.parametrize("cut", [lambda inputs: inputs, of_one_number], ids=["all", "one_number"])
def test_second_derivatives(case: Case, cut: Callable[[Any], Any]) -> None:
    """A Hessian times a direction, for everything there is."""
    inputs, direction = cut(case.inputs(4)), cut(case.inputs(5))

    def product(run: Callable[..., Any]) -> Any:
        def along(inputs: Any) -> jax.Array:
            first = jax.grad(lambda inputs: loss(run, loss_weights(2), inputs, MASK, False))
            pairs = zip(jax.tree.leaves(first(inputs)), jax.tree.leaves(direction), strict=True)
            return sum((jnp.sum(one * other) for one, other in pairs), jnp.zeros(()))

        return jax.jit(jax.grad(along))(inputs)

    assert_close(product(case.fused), product(case.scan))


@cases
def test_seeds_side_by_side(case: Case) -> None:
    """Many sets of weights at once, `jax.vmap` of the gradient."""
    several = [case.inputs(seed) for seed in (6, 7)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *several)
    together = jax.jit(jax.vmap(lambda one: fused(case, True)(one, MASK)))
    for seed, inputs in enumerate(several):
        expected = scan(case, True)(inputs, MASK)
        assert_close(jax.tree.map(lambda leaf, k=seed: leaf[k], together(stacked)), expected)


@cases
def test_sequences_side_by_side(case: Case) -> None:
    """`jax.vmap` over the input alone; and over gradients alone, which is what a Jacobian is."""
    params, x, state = case.inputs(13)

    def both(run: Callable[..., Any]) -> Any:
        def results(x: Any) -> Any:
            return run((params, x, state), MASK, False)

        row = jax.jacrev(lambda x: jax.tree.leaves(results(x)[1])[0][1])
        return jax.jit(lambda x: (jax.vmap(results)(jnp.stack((x, 2 * x))), row(x)))(x)

    assert_close(both(case.fused), both(case.scan))


@cases
@pytest.mark.parametrize("garbage", [1e30, np.inf, np.nan])
def test_what_is_masked_is_inert(case: Case, garbage: float) -> None:
    """In gradients too, where it would be NaN · 0."""
    params, x, state = case.inputs(8)
    filled = jnp.where(MASK[..., None], x, garbage)
    run = fused(case, False)
    assert_close(run((params, filled, state), MASK), run((params, x, state), MASK))


@cases
def test_forward_mode_is_an_error(case: Case) -> None:
    inputs = case.inputs(9)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda inputs: case.fused(inputs, None, False), (inputs,), (inputs,))


def kept_for_the_backward_pass(run: Callable[..., Any], *args: Any) -> int:
    """How many numbers of the size of all steps are handed from one pass to the other."""
    _, pull = jax.eval_shape(partial(jax.vjp, run), *args)
    sizes = [leaf.size for leaf in jax.tree.leaves(pull)]
    return sum(size for size in sizes if size >= STEPS * BATCH * UNITS)


def test_a_small_lstm_keeps_its_states_alone() -> None:
    """Twice T·B·H; the definition keeps several times that."""
    case = Case(LAYERS[1], "by_units")
    params, x, state = case.inputs(10)
    x = x[..., :1]
    params = params._replace(kernel=params.kernel[:1])
    kept = kept_for_the_backward_pass(lambda p: case.fused((p, x, state), None, False), params)
    assert kept == 2 * STEPS * BATCH * UNITS
    assert 3 * kept <= kept_for_the_backward_pass(
        lambda p: case.scan((p, x, state), None, False), params
    )


@pytest.mark.parametrize(
    ("shape", "units", "activations", "way"),
    [
        ((128, 1024, 1), 16, ("tanh", "sigmoid"), "by_units"),
        ((20, 5, 1), 16, ("relu", "hard_sigmoid"), "by_units"),
        ((19, 5, 1), 16, ("tanh", "sigmoid"), "by_rows"),
        ((32, 28, 28), 128, ("relu", "sigmoid"), "by_rows"),
        ((128, 1024, 1), 16, ("softmax", "sigmoid"), "scan"),
        ((128, 1024, 1), 16, ("tanh", "log_softmax"), "scan"),
        ((128, 0, 1), 16, ("tanh", "sigmoid"), "scan"),
        ((0, 5, 1), 16, ("tanh", "sigmoid"), "scan"),
    ],
)
def test_the_rule(shape: Any, units: int, activations: Any, way: str) -> None:
    params = F.RecurrentParams(jnp.ones((shape[2], units)), jnp.ones((units, units)))
    assert fastest_way(params, jnp.ones(shape), *activations) == way


@pytest.mark.parametrize("rows", [1, 16], ids=["by_rows", "by_units"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_the_layer_is_the_definition(layer: Layer, rows: int) -> None:
    """On either side of the rule, through the public function."""
    rng = np.random.default_rng(11)
    params, x, state = layer.params(rng), sequences(rng, rows), layer.state(rng, rows)
    assert fastest_way(params, x, "tanh") == ("by_units" if rows == 16 else "by_rows")
    expected = Case(layer, "scan").scan((params, x, state), None, True)
    assert_close(layer.sequence(params, x, state, reverse=True, **layer.options), expected)


@pytest.mark.parametrize("role", ["activation", "recurrent_activation"])
def test_a_wide_gru_of_another_activation_is_a_scan(role: str) -> None:
    """The derivative of softplus would need more than its value."""
    inputs = Case(LAYERS[2], "scan").inputs(12)

    def total(run: Callable[..., Any]) -> Any:
        def of(inputs: Any) -> jax.Array:
            return jnp.sum(jnp.sin(run(*inputs, **{role: "softplus"})[0]))

        return jax.jit(jax.value_and_grad(of))(inputs)

    def definition(params: Any, x: Any, state: Any, **options: str) -> Any:
        return Case(LAYERS[2], "scan").scan((params, x, state), None, False, **options)

    assert fastest_way(*inputs[:2], "tanh", "softplus") == "by_rows"
    assert_close(total(F.gru), total(definition))
