"""What every test of the benchmarks runs under: small cases, found by their names."""

import pytest

from tests.benchmarks.cases import CASES


@pytest.fixture(autouse=True)
def small_cases(monkeypatch):
    """Ours finds its model by the name of the case, here among the small ones."""
    monkeypatch.setattr("benchmarks.peers.zoo.all_cases", lambda: CASES)
