"""``torch.utils._foreach_utils``: tensors in groups that could be computed with together."""

from typing import Any

from facula.tensor import Tensor


def _group_tensors_by_device_and_dtype(
    tensorlistlist: list[list[Tensor | None]], with_indices: bool = False
) -> dict[tuple[Any, ...], tuple[list[list[Tensor | None]], list[int]]]:
    """Return, for each device and type of the tensors in the first list, the tensors of all lists and their places."""
    groups: dict[tuple[Any, ...], tuple[list[list[Tensor | None]], list[int]]] = {}
    for index, tensors in enumerate(zip(*tensorlistlist, strict=True)):
        first = next(each for each in tensors if each is not None)
        lists, indices = groups.setdefault((first.device, first.dtype), ([[] for _ in tensorlistlist], []))
        for each, into in zip(tensors, lists, strict=True):
            into.append(each)
        indices.append(index)
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """Return the kinds of devices."""
    return ["cpu", "cuda"]


_get_fused_kernels_supported_devices = _get_foreach_kernels_supported_devices


def _device_has_foreach_support(device: object) -> bool:
    """Return True."""
    return True


_has_foreach_support = _device_has_foreach_support
