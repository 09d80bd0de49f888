"""How many numbers a CPU takes in one instruction."""

import os

_FLAG = "--xla_cpu_prefer_vector_width"


def widen_vectors() -> None:
    """Lets XLA use vectors of 512 bits where the CPU has them (AVX-512); elsewhere nothing changes.

    As it comes, XLA keeps to 256 bits, since older Intel processors lower their clock for wider
    ones (https://github.com/llvm/llvm-project/issues/102047); none of those was measured. Four
    models trained for 30 steps with either had the same weights, bit for bit. Microseconds for
    64·512 numbers on one core of an AMD EPYC (Zen 5), jax 0.10.2:

    | | 256 bits | 512 bits |
    | --- | --- | --- |
    | tanh x | 8.6 | **4.3** |
    | exp x | 9.6 | **4.9** |
    | x·a + b | 1.1 | **0.9** |

    To be called by a program for itself before JAX is first used (later it is without effect), as
    every recipe does: it is about the whole process, by its variable `XLA_FLAGS`. Does nothing
    where that names a width (`XLA_FLAGS=--xla_cpu_prefer_vector_width=256`).
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _FLAG not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FLAG}=512".strip()
