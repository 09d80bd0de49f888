"""Every adapter computes what ours does, with libraries where they are installed."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.material import read_material
from benchmarks.network import UnsupportedError
from benchmarks.peers import OURS, PEERS
from benchmarks.preparation import write_material
from benchmarks.rounds import Process, Settings
from tests.benchmarks.cases import CASES

# What a library warns about when it is imported is its own business.
pytestmark = pytest.mark.filterwarnings("default")

# Libraries that share a process; Keras has one backend a process, and gets its own below.
TOGETHER = ("torch", "flax_nnx", "equinox", "haiku")
HAS_NOT = {
    ("torch", "fashion_mnist_lstm"): "PyTorch has no LSTM with relu.",
    ("equinox", "fashion_mnist_lstm"): "Equinox has no LSTM with relu.",
    ("equinox", "cifar10_cnn"): 'this adapter pools without padding ("valid").',
    ("equinox", "multilabel_cnn"): 'this adapter pools without padding ("valid").',
    ("equinox", "rnn"): "Equinox has no SimpleRNN.",
    ("equinox", "rnn_relu"): "Equinox has no SimpleRNN.",
    ("equinox", "lstm_masked"): "Equinox has cells, and no layer that takes a mask.",
    ("equinox", "bigru_masked"): "Equinox has cells, and no layer that takes a mask.",
    ("haiku", "fashion_mnist_lstm"): "Haiku has no LSTM with relu.",
    ("haiku", "rnn"): "Haiku has no SimpleRNN with tanh.",
    ("haiku", "lstm_masked"): "Haiku's recurrent layers take no mask.",
    ("haiku", "bigru_masked"): "Haiku's recurrent layers take no mask.",
    ("haiku", "gru"): "Haiku's GRU resets before the product.",
}


def skip_if_missing(peer):
    line = peers.missing(peer)
    if line is not None:
        pytest.skip(f"{PEERS[peer].title} is not installed: {line}")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """The material of a case, written once and read back."""

    @cache
    def of(name):
        folder = tmp_path_factory.mktemp(name)
        write_material(CASES[name], folder, batches=3)
        return read_material(folder)

    return of


@pytest.fixture(scope="module")
def ours(material):
    @cache
    def of(name):
        return figures(peers.make(OURS, material(name), "cpu"), name)

    return of


def figures(participant, name):
    """Outputs, and the losses of three steps or the gradient of the input."""
    outputs = participant.outputs()
    if CASES[name].group == "layers":
        return outputs, participant.input_gradient()
    return outputs, np.array([*participant.losses(1), *participant.losses(2)])


@pytest.mark.parametrize("name", [name for name in CASES if name != "cnn_rnn"])
@pytest.mark.parametrize("peer", TOGETHER)
def test_the_same_mathematics(peer, name, material, ours):
    skip_if_missing(peer)
    if (peer, name) in HAS_NOT:
        with pytest.raises(UnsupportedError) as error:
            peers.make(peer, material(name), "cpu")
        assert str(error.value) == HAS_NOT[peer, name]
        return
    mine, theirs = ours(name), figures(peers.make(peer, material(name), "cpu"), name)
    np.testing.assert_allclose(theirs[0], mine[0], rtol=1e-4, atol=2e-6)
    # PyTorch's recurrent layers have two biases, which both learn. An element near 0 is a sum of
    # terms as large as the others, and no nearer than they are.
    rtol = 2e-3 if peer == "torch" else 2e-4
    np.testing.assert_allclose(theirs[1], mine[1], rtol=rtol, atol=1e-6 * np.abs(mine[1]).max())


@pytest.mark.parametrize("name", ["mnist_lstm", "fashion_mnist_cnn", "lstm_masked"])
@pytest.mark.parametrize("peer", ["keras_tensorflow", "keras_jax"])
def test_keras_computes_the_same(peer, name, material, ours):
    skip_if_missing(peer)
    outputs, other = ours(name)
    folder = material(name).folder
    with Process(peer, folder, Settings()) as process:
        process.ask("build")
        process.ask("outputs")
        found = np.load(folder / f"outputs-{peer}.npy")
        np.testing.assert_allclose(found, outputs, rtol=1e-4, atol=2e-6)
        if CASES[name].group == "models":
            losses = process.ask("losses", steps=3)["losses"]
            np.testing.assert_allclose(losses, other, rtol=2e-4)
            process.ask("time", measure="train", steps=7)
        else:
            process.ask("input_gradient")
            found = np.load(folder / f"gradient-{peer}.npy")
            np.testing.assert_allclose(found, other, rtol=2e-3, atol=1e-5)
            process.ask("time", measure="gradient", steps=2)


def test_ours_trains_what_no_peer_can_build(material):
    """And loses less by it: the same batches come round again."""
    assert material("cnn_rnn").network is None
    participant = peers.make(OURS, material("cnn_rnn"), "cpu")
    losses = participant.losses(60)
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_the_losses_do_not_depend_on_how_steps_are_asked_for(material, ours):
    participant = peers.make(OURS, material("mnist_lstm"), "cpu")
    np.testing.assert_allclose(participant.losses(3), ours("mnist_lstm")[1], rtol=1e-5)


def test_ours_runs_every_measure(material):
    for name, measures in (("mnist_lstm", ("train", "predict")), ("gru", ("forward", "gradient"))):
        participant = peers.make(OURS, material(name), "cpu")
        before = participant.outputs()
        for measure in measures:
            participant.run(measure, 3)
        np.testing.assert_array_equal(participant.outputs(), before)
        assert participant.about()["versions"].keys() == {"zoo", "jax", "jaxlib", "flax", "optax"}


def test_a_peer_imports_no_other_library():
    """What a peer's process holds is the peer, or its memory and start would be ours too."""
    import subprocess
    import sys

    program = (
        "import sys, benchmarks.worker, benchmarks.peers, benchmarks.material; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"jax", "flax", "zoo", "torch", "keras", "tensorflow"} & set(done.stdout.split())
