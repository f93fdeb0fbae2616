"""DataParallel: a module as if over several devices of one process."""

from __future__ import annotations

from collections.abc import Sequence

from facula.devices import device as Device
from facula.nn.module import Module


class DataParallel(Module):
    """A module whose batches would be shared out to several devices; with one device, or none, the module itself.

    Its parameters have the prefix ``module.`` in the state, as PyTorch's have.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[int | Device] | None = None,
        output_device: int | Device | None = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        if device_ids is not None and len(device_ids) > 1:
            raise NotImplementedError(
                f"DataParallel over {len(device_ids)} devices is not implemented: one process for each is faster, see"
                " DistributedDataParallel"
            )
        self.module = module
        self.dim = dim

    def forward(self, *inputs: object, **kwargs: object) -> object:
        """Return what the module returns."""
        return self.module(*inputs, **kwargs)
