"""Optimizers by name step alike on all ranks, and as one process does with the whole batch."""

import numpy as np
from named_program import fit


def test_named_losses_train_as_one_process_with_the_whole_batch(answer, tmp_path) -> None:
    found, alone = answer("named_program.py", 2), fit(tmp_path, 4)
    assert found["steps"] == alone["steps"]
    for one, other in zip(found["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
