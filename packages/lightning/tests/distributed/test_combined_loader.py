"""Loaders read together give on two ranks what they give in one process."""

import itertools

import numpy as np
import pytest
from combined_program import run


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")
def test_loaders_read_together_are_those_of_one_process(answer, tmp_path) -> None:
    found, alone = answer("combined_program.py", 2, "2"), run(tmp_path, 1)
    assert found["steps"] == alone["steps"] == 10
    for one, other in zip(found["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    shared = list(itertools.zip_longest(*found["seen"]))
    for parts, whole in zip(shared, alone["seen"][0], strict=True):
        assert sorted(itertools.chain(*parts)) == sorted(whole)
    for mode, results in alone["results"].items():
        assert found["results"][mode] == [pytest.approx(results[0], rel=1e-12)], mode
