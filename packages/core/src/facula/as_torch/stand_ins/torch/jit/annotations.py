"""``torch.jit.annotations``: names for annotations."""

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035

__all__ = ["Any", "BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "Dict", "List", "Optional"]
__all__ += ["Tuple", "Union"]

BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = list
