"""How fast the library is, beside others and beside the bare minimum: ``python -m benchmarks --help``."""
