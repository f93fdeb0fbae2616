"""A run may go on with another number of processes, in the same global batches."""

import numpy as np
import pytest
from elastic_program import COUNT, GLOBAL_BATCH, train

STEPS = -(-COUNT // GLOBAL_BATCH)


def global_batches(seen: list[list[float]], first: int, last: int) -> list[list[float]]:
    """Return the samples of each step, sorted; a process for which a batch has nothing has repeated a sample."""
    left = [list(each) for each in seen]
    found = []
    for step in range(first, last):
        length = COUNT % GLOBAL_BATCH if step % STEPS == STEPS - 1 else GLOBAL_BATCH
        batch = []
        for rank, mine in enumerate(left):
            count = len(range(rank, length, len(left)))
            batch += mine[:count]
            del mine[: max(count, 1)]
        found.append(sorted(batch))
    assert not any(left)
    return found


@pytest.mark.parametrize(("start", "by_trainer"), [("mpi", False), ("tcp", False), ("tcp", True)], indirect=["start"])
@pytest.mark.filterwarnings("ignore:Checkpoint directory", "ignore:You defined a `validation_step`")
def test_two_processes_then_one_then_four_train_on_the_same_batches(answer, tmp_path, by_trainer) -> None:
    alone = train(tmp_path / "alone", 3 * STEPS)
    # Both are in the middle of an epoch, and of a window of accumulation.
    breaks = (0, 3, 8, 3 * STEPS)
    batches: list = []
    for ranks, first, last in zip((2, 1, 4), breaks, breaks[1:]):
        started = (0, tmp_path / "run", last, ranks) if by_trainer else (ranks, tmp_path / "run", last)
        part = answer("elastic_program.py", *started)
        batches += global_batches(part["seen"], first, last)
    assert batches == global_batches(alone["seen"], 0, 3 * STEPS)
    for one, other in zip(part["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
