"""How fast the zoo is beside what its users would otherwise run: `python -m benchmarks`."""
