"""`fit` on several ranks gives what it gives in one process: weights, history, predictions."""

import json

import pytest
from learner_program import fit


@pytest.mark.parametrize("start", ["tcp"], indirect=True)
@pytest.mark.parametrize(("ranks", "count"), [(2, 22), (2, 17), (3, 13)])
def test_ranks_fit_as_one_process_with_the_whole_batch(answer, start, ranks, count) -> None:
    found = answer("learner_program.py", ranks, json.dumps({"batch_size": 3, "count": count}))
    alone = fit(3 * ranks, count)
    assert (found["world_size"], alone["world_size"]) == (ranks, 1)
    for one, other in zip(found["weights"] + found["predicted"], alone["weights"] + alone["predicted"], strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-11)
    assert found["evaluated"] == pytest.approx(alone["evaluated"], rel=1e-6)
    assert set(found["history"]) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    for name, values in alone["history"].items():
        assert found["history"][name] == pytest.approx(values, rel=1e-6), name
