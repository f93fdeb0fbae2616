"""What normalization does at the ends of its types and sizes."""

import facula
import pytest

F = facula.nn.functional


@pytest.mark.parametrize("dtype", [facula.float16, facula.bfloat16])
def test_the_smallest_number_added_is_of_the_type_computed_in(dtype) -> None:
    small = facula.full((2, 4), 1e-2, dtype=dtype)
    assert F.rms_norm(small, [4]).tolist() == [[pytest.approx(1.0, abs=4e-3)] * 4] * 2


def test_groups_of_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"more than 1 value per channel when training, got input size \[1, 3, 1\]"):
        F.group_norm(facula.ones(1, 3, 1), 3)
    assert F.group_norm(facula.ones(2, 3, 1), 3).tolist() == [[[0.0]] * 3] * 2


def test_a_power_mean_counts_a_window_that_is_cut_off_as_whole() -> None:
    x = facula.tensor([[[3.0, 4.0, 2.0]]])
    assert F.lp_pool1d(x, 2.0, 2, 2, ceil_mode=True).tolist() == [[[5.0, pytest.approx(8.0**0.5)]]]
