"""How many numbers a CPU takes in one instruction."""

import os
import subprocess
import sys

import pytest

from zoo.training import widen_vectors


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (None, "--xla_cpu_prefer_vector_width=512"),
        ("--xla_cpu_ftz=true", "--xla_cpu_ftz=true --xla_cpu_prefer_vector_width=512"),
        ("--xla_cpu_prefer_vector_width=256", "--xla_cpu_prefer_vector_width=256"),
    ],
)
def test_other_flags_stay_and_a_given_width_is_kept(given, then, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", given or "")
    if given is None:
        monkeypatch.delenv("XLA_FLAGS")
    widen_vectors()
    assert os.environ["XLA_FLAGS"] == then


def test_xla_takes_the_flag_and_the_results_are_the_same_bits(monkeypatch):
    code = (
        "import sys; from zoo.training import widen_vectors;"
        "sys.argv[1] == 'wide' and widen_vectors();"
        "import jax, numpy as np; x = jax.random.normal(jax.random.key(0), (50, 37));"
        "y = jax.jit(lambda x: (jax.numpy.tanh(x) @ jax.numpy.exp(x).T).sum(axis=1))(x);"
        "print(np.asarray(y).tobytes().hex())"
    )
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    answers = [
        subprocess.run(
            [sys.executable, "-c", code, width], capture_output=True, text=True, check=True
        ).stdout
        for width in ("wide", "as it comes")
    ]
    assert answers[0] == answers[1] != ""
