"""Public functions without a row, by module, each with the reason."""

SEEDS = "it sets or tells the state of the generator: tests/test_rng.py"
MEMORY = "it shares memory with what is given, which no case of arrays says: tests/test_creation.py"
SPARSE = "its matrix is sparse, which no case of arrays says: tests/sparse"

EXCEPTIONS: dict[str, str] = {
    "facula.creation.from_dlpack": MEMORY,
    "facula.creation.from_file": MEMORY,
    "facula.creation.from_numpy": MEMORY,
    "facula.creation.frombuffer": MEMORY,
    "facula.creation.to_dlpack": MEMORY,
    "facula.ranges.range": "every call warns that it is deprecated: tests/test_creation.py",
    "facula.ops.linear_cross_entropy.chunked_losses": "linear_cross_entropy calls it: tests/nn/test_linear_cross_entropy.py",
    "facula.ops.conversion.contiguous": "a method only, and the same values in any order: tests/test_creation.py",
    "facula.ops.layouts.smm": SPARSE,
    "facula.ops.layouts.spmm": SPARSE,
    "facula.ops.random.get_rng_state": SEEDS,
    "facula.ops.random.initial_seed": SEEDS,
    "facula.ops.random.manual_seed": SEEDS,
    "facula.ops.random.seed": SEEDS,
    "facula.ops.random.set_rng_state": SEEDS,
}
