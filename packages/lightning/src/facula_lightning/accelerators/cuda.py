"""NVIDIA GPUs."""

from __future__ import annotations

from typing import Any

import facula

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.utilities.exceptions import MisconfigurationException


class CUDAAccelerator(Accelerator):
    """NVIDIA GPUs, one for each process."""

    def setup_device(self, device: facula.device) -> None:
        """Make the GPU the current one; MisconfigurationException for another device."""
        if device.type != "cuda":
            raise MisconfigurationException(f"Device should be GPU, got {device} instead")
        facula.cuda.set_device(device)

    def teardown(self) -> None:
        """Give unused memory back."""
        facula.cuda.empty_cache()

    @staticmethod
    def parse_devices(devices: int | str | list[int]) -> list[int]:
        """Return the numbers of the GPUs: -1 or "-1" means all, a number so many, a list or "0,2" these.

        MisconfigurationException for GPUs that are not there.
        """
        count = CUDAAccelerator.auto_device_count()
        if isinstance(devices, str):
            try:
                parts = [int(part) for part in devices.split(",") if part.strip()]
            except ValueError:
                raise MisconfigurationException(
                    f"devices={devices!r} should be a number or a list of numbers"
                ) from None
            devices = parts if "," in devices else parts[0]
        if isinstance(devices, bool) or not isinstance(devices, (int, list, tuple)):
            raise MisconfigurationException(f"devices={devices!r} should be a number or a list of numbers")
        if isinstance(devices, int):
            devices = list(range(count if devices == -1 else devices))
        if not devices:
            raise MisconfigurationException("devices=0 leaves nothing to run on: GPUs were asked for")
        missing = [each for each in devices if not 0 <= each < count]
        if missing or len(set(devices)) != len(devices):
            raise MisconfigurationException(
                f"You requested gpu: {list(devices)}\n But your machine only has: {list(range(count))}"
            )
        return list(devices)

    @staticmethod
    def get_parallel_devices(devices: list[int]) -> list[facula.device]:
        """Return the GPUs with these numbers."""
        return [facula.device("cuda", index) for index in devices]

    @staticmethod
    def auto_device_count() -> int:
        """Return how many GPUs there are."""
        return facula.cuda.device_count()

    @staticmethod
    def is_available() -> bool:
        """Return whether there is a GPU."""
        return facula.cuda.is_available()

    @staticmethod
    def name() -> str:
        """Return "cuda"."""
        return "cuda"

    def get_device_stats(self, device: facula.device) -> dict[str, Any]:
        """Return the bytes in use and reserved, and those free of all there are."""
        free, total = facula.cuda.mem_get_info(device)
        return {
            "allocated_bytes.all.current": facula.cuda.memory_allocated(device),
            "reserved_bytes.all.current": facula.cuda.memory_reserved(device),
            "free_bytes": free,
            "total_bytes": total,
        }


def find_usable_cuda_devices(num_devices: int = -1) -> list[int]:
    """Return the numbers of GPUs on which memory can be taken, all for -1.

    ValueError when fewer were asked for than exist, RuntimeError when fewer than that can be used.
    """
    if num_devices == 0:
        return []
    there = facula.cuda.device_count()
    if num_devices > there:
        raise ValueError(
            f"You requested to find {num_devices} devices but this machine only has {there} GPUs."
            if there
            else f"You requested to find {num_devices} devices but there are no visible CUDA devices on this machine."
        )
    usable: list[int] = []
    for index in range(there):
        if len(usable) == num_devices:
            break
        try:
            facula.zeros(1, device=facula.device("cuda", index))
        except Exception:  # in exclusive use, out of memory, broken: not usable
            continue
        usable.append(index)
    if num_devices != -1 and len(usable) < num_devices:
        raise RuntimeError(
            f"You requested to find {num_devices} devices but only {len(usable)} are currently available."
        )
    return usable
