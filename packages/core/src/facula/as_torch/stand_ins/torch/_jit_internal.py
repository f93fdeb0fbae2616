"""``torch._jit_internal``: the same marks as ``torch.jit``."""

from facula.as_torch.stand_ins.torch.jit import _as_it_is, _copy_to_script_wrapper, export, ignore, unused
from facula.as_torch.stand_ins.torch.jit import is_scripting as is_scripting

__all__ = ["_copy_to_script_wrapper", "_overload", "_overload_method", "export", "ignore", "is_scripting", "unused"]
_overload = _overload_method = boolean_dispatch = _as_it_is
