"""When an LSTM is left to cuDNN, and that the same function still runs elsewhere.

That it is the definition is tested with the other ways, in `test_fused_recurrence`.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn
from jax.sharding import Mesh, PartitionSpec

import zoo.functional as F
from tests.functional import cudnn
from tests.functional.cases import LAYERS, MASK, cast, sequences
from tests.functional.tolerances import assert_close
from zoo.functional import cudnn_lstm
from zoo.functional.cudnn_lstm import suits_cudnn, without_cudnn

LSTM = LAYERS[1]


@pytest.fixture
def _machine_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As JAX has one: programs are traced for it, and run on the CPU for want of it."""
    monkeypatch.setattr(cudnn_lstm, "gpu_is_here", lambda: True)
    sizes = "compute_rnn_workspace_reserve_space_sizes"  # they come from the GPU's driver
    monkeypatch.setattr(rnn.gpu_rnn, sizes, lambda *_: (8, 16), raising=False)
    jax.clear_caches()  # what was traced with other calls
    yield
    jax.clear_caches()


def inputs() -> Any:
    """Weights, sequences and a state, of float32."""
    rng = np.random.default_rng(1)
    return cast((LSTM.params(rng), sequences(rng), LSTM.state(rng)), "float32")


def total(params: Any, x: Any, state: Any) -> jax.Array:
    outputs, last = F.bidirectional(F.lstm, params, params, x, states=(state, state), mask=MASK)
    return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves((outputs, last)))


def suits(activation: str = "tanh", recurrent: str = "sigmoid", **arrays: Any) -> bool:
    params, x, state = inputs()
    x, state = arrays.get("x", x), arrays.get("state", state)
    return suits_cudnn(params, state, x, activation, recurrent)


@pytest.mark.usefixtures("_machine_with_a_gpu")
def test_what_suits_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    _, x, state = inputs()
    assert suits()
    assert not suits(activation="relu")
    assert not suits(recurrent="hard_sigmoid")
    assert not suits(state=cast(state, "bfloat16"))
    assert not suits(state=cast(state, "float64"))
    assert not suits(x=x[:, :0])
    with jax.default_matmul_precision("highest"):
        assert suits()
    with jax.default_matmul_precision("bfloat16"):
        assert not suits()
    with without_cudnn():
        assert not suits()
    monkeypatch.setenv("ZOO_CUDNN", "1")
    assert suits()
    monkeypatch.setenv("ZOO_CUDNN", "0")
    assert not suits()


def test_without_a_gpu_nothing_does() -> None:
    assert suits() == (jax.default_backend() == "gpu")


@pytest.mark.usefixtures("_machine_with_a_gpu")
def test_a_program_for_a_gpu_calls_cudnn() -> None:
    """JAX's own functions accept what they are given, in both passes."""
    program = str(jax.make_jaxpr(jax.grad(total))(*inputs()))
    assert "rnn_fwd[" in program
    assert "rnn_bwd[" in program


def test_a_program_for_a_cpu_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of the two a program is, is known only when it is compiled."""
    cudnn.install(monkeypatch)
    traced = jax.jit(jax.grad(total)).trace(*inputs())
    for platform in ("cpu", "cuda", "rocm", "tpu"):
        program = traced.lower(lowering_platforms=(platform,)).as_text()
        # What stands for cuDNN has NaN in it, and nothing else has.
        assert ("0x7FC00000" in program) == (platform == "cuda")


@pytest.mark.usefixtures("_machine_with_a_gpu")
def test_devices_that_share_a_batch() -> None:
    """Where JAX checks what varies over them, its call of cuDNN cannot be; elsewhere it is."""
    params, x, state = inputs()
    mesh = Mesh(np.array(jax.devices()[:2]), ("batch",))
    cut = PartitionSpec("batch")

    def run(params: Any, x: Any, state: Any) -> Any:
        return F.lstm(params, x, state)[0]

    for is_checked in (True, False):
        specs = (PartitionSpec(), cut, cut)
        cut_run = jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=cut, check_vma=is_checked)
        assert ("rnn_fwd[" in str(jax.make_jaxpr(cut_run)(params, x, state))) != is_checked
        assert_close(jax.jit(cut_run)(params, x, state), run(params, x, state))


@pytest.mark.usefixtures("_machine_with_a_gpu")
def test_weights_that_vary_over_devices() -> None:
    """Alone, with the sequences on all devices alike: where that is checked, without cuDNN."""
    params, x, state = inputs()
    mesh = Mesh(np.array(jax.devices()[:2]), ("models",))
    models = PartitionSpec("models")

    def run(params: Any, x: Any, state: Any) -> Any:
        return F.lstm(jax.tree.map(lambda leaf: leaf[0], params), x, state)[0][None]

    several = jax.tree.map(lambda leaf: jnp.stack((leaf, leaf)), params)
    specs = (models, PartitionSpec(), PartitionSpec())
    cut_run = jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=models)
    assert_close(jax.jit(cut_run)(several, x, state)[1], F.lstm(params, x, state)[0])


@pytest.mark.usefixtures("_machine_with_a_gpu")
def test_on_the_cpu_of_such_a_machine_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2)))
    actual = gradients(*inputs())
    monkeypatch.setenv("ZOO_CUDNN", "0")
    gradients.clear_cache()
    assert_close(actual, gradients(*inputs()))
