"""How fast the package is, as ratios to the same server without it: ``python -m benchmarks``."""
