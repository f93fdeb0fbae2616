"""The kinds of device a trainer runs on."""

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.accelerators.cpu import CPUAccelerator
from facula_lightning.accelerators.cuda import CUDAAccelerator, find_usable_cuda_devices

__all__ = ["Accelerator", "CPUAccelerator", "CUDAAccelerator", "find_usable_cuda_devices"]
