"""Questions about tensors, settings of the process, storages, and names of old programs."""

import math

import facula
import numpy as np
import pytest


def test_questions_are_answered() -> None:
    x = facula.tensor([1.0, 2.0])
    assert facula.is_tensor(x) and not facula.is_tensor([1.0])
    assert facula.is_floating_point(x) and not facula.is_complex(x) and facula.is_signed(x)
    assert not (facula.is_conj(x) or facula.is_neg(x) or facula.is_inference(x))
    assert (facula.numel(x), facula.get_device(x)) == (2, -1)
    assert facula.is_same_size(x, facula.zeros(2)) and not facula.is_same_size(x, facula.zeros(2, 1))
    assert facula.is_nonzero(facula.tensor([[3]])) and not facula.is_nonzero(facula.tensor(0))
    assert facula.is_storage(x.untyped_storage()) and not facula.is_storage(x)
    assert (facula.pi, facula.e, facula.inf, facula.newaxis) == (math.pi, math.e, math.inf, None)


@pytest.mark.parametrize("data", [[], [1, 2]])
def test_only_one_element_is_true_or_false(data) -> None:
    with pytest.raises(RuntimeError, match="is ambiguous"):
        facula.is_nonzero(facula.tensor(data))


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (facula.ones(2, dtype=facula.int32), 1.5, facula.float32),
        (facula.ones(2, dtype=facula.int32), facula.tensor(1.5, dtype=facula.float64), facula.float64),
        (facula.ones(2, dtype=facula.uint8), facula.ones(2, dtype=facula.int8), facula.int16),
        (2, 3.0, facula.float32),
        (facula.ones(2, dtype=facula.float64), 1j, facula.complex128),
    ],
)
def test_the_type_of_a_result(first, second, kind) -> None:
    assert facula.result_type(first, second) == kind


def test_the_default_device_is_used_where_none_is_named() -> None:
    assert facula.get_default_device() == facula.device("cpu")
    with facula.device("cpu") as device:
        assert facula.get_default_device() == device == facula.ones(1).device
    with pytest.raises(NotImplementedError, match="meta"), facula.device("meta"):
        facula.ones(1)
    assert facula.get_default_device() == facula.device("cpu")


def test_settings_are_kept() -> None:
    facula.use_deterministic_algorithms(True, warn_only=True)
    assert facula.are_deterministic_algorithms_enabled()
    assert facula.is_deterministic_algorithms_warn_only_enabled()
    assert facula.get_deterministic_debug_mode() == 1
    facula.set_deterministic_debug_mode("default")
    assert not facula.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="debug_mode"):
        facula.set_deterministic_debug_mode("sometimes")
    facula.set_float32_matmul_precision("high")
    assert facula.get_float32_matmul_precision() == "high"
    facula.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="expected one of highest"):
        facula.set_float32_matmul_precision("low")
    before = facula.get_num_threads()
    facula.set_num_threads(1)
    assert facula.get_num_threads() == 1
    facula.set_num_threads(before)
    with pytest.raises(RuntimeError, match="positive integer, got 0"):
        facula.set_num_threads(0)


def test_a_default_type_by_its_old_name() -> None:
    try:
        facula.set_default_tensor_type(facula.DoubleTensor)
        assert facula.ones(1).dtype == facula.float64
    finally:
        facula.set_default_tensor_type("torch.FloatTensor")
    assert facula.ones(1).dtype == facula.float32
    with pytest.raises(TypeError, match="floating-point"):
        facula.set_default_tensor_type(facula.LongTensor)


def test_storages_share_the_memory_of_tensors() -> None:
    x = facula.arange(6.0)
    view = x[2:4]
    storage = view.untyped_storage()
    assert (storage.nbytes(), storage.data_ptr()) == (24, x.data_ptr())
    assert storage == x.untyped_storage()
    typed = view.storage()
    assert (len(typed), typed[2], typed.dtype) == (6, 2.0, facula.float32)
    typed[2] = 7.0
    assert view.tolist() == [7.0, 3.0]
    copied = storage.clone().fill_(0)
    assert storage.copy_(copied).tolist() == [0] * 24
    assert x.tolist() == [0.0] * 6
    assert facula.ones(3, 2).t().untyped_storage().nbytes() == 24


def test_where_tensors_lie() -> None:
    x = facula.zeros(2, 3)
    assert x.is_set_to(x.view(2, 3)) and not x.is_set_to(x[:, 1:])
    assert (x.dim_order(), x.t().dim_order()) == ((0, 1), (1, 0))
    assert not x.is_shared() and not x.is_pinned() and x.pin_memory() is x


def test_old_classes_make_and_recognise_tensors_of_their_type() -> None:
    x = facula.LongTensor([1, 2])
    assert (x.dtype, x.tolist()) == (facula.int64, [1, 2])
    assert facula.FloatTensor(2, 3).shape == (2, 3)
    assert isinstance(x, facula.LongTensor) and not isinstance(x, facula.FloatTensor)
    assert facula.ByteTensor(np.array([3])).dtype == facula.uint8


def test_in_place_methods_as_functions() -> None:
    x = facula.tensor([1.0, 4.0])
    assert facula.sqrt_(x) is x
    assert facula.clamp_(x, max=1.5).tolist() == [1.0, 1.5]


def test_elements_can_be_replaced_one_by_one() -> None:
    x = facula.tensor([[1, 2], [3, 4]])
    assert x.apply_(lambda each: each * 10).tolist() == [[10, 20], [30, 40]]
    assert x.map_(facula.tensor([1, 2]), lambda each, other: each + other).tolist() == [[11, 22], [31, 42]]
    assert x.resize_as_(facula.zeros(4)).tolist() == [11, 22, 31, 42]


def test_a_fork_leaves_the_random_state_as_it_was() -> None:
    facula.manual_seed(0)
    expected = facula.rand(2)
    facula.random.manual_seed(0)
    with facula.random.fork_rng():
        facula.rand(5)
    assert facula.equal(facula.rand(2), expected)
    with facula.random.fork_rng(enabled=False):
        facula.manual_seed(1)
    assert facula.random.initial_seed() == 1
