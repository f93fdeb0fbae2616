"""Which of PyTorch's public names facula has."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from operator import attrgetter

import facula
import torch

#: The namespaces compared; the first is PyTorch's own.
NAMESPACES = """
torch Tensor nn nn.functional nn.init nn.utils nn.utils.rnn nn.utils.parametrize nn.utils.parametrizations nn.utils.prune
optim optim.lr_scheduler optim.swa_utils utils.data linalg fft special sparse signal.windows distributions autograd func
amp random serialization
""".split()
#: Libraries and devices of PyTorch's own, whose functions are public by accident.
INTERNAL = ("cudnn", "fbgemm", "miopen", "mkldnn", "mps", "q_", "quantize", "sym_", "vulkan", "xla")
#: The classes of the namespace ``torch`` itself; the others there are of its script compiler.
CLASSES = "Event Future Generator Size Storage Stream Tensor".split()


def public_names(namespace: str) -> list[str]:
    """Return the public names of one of PyTorch's namespaces: those it declares, or all that begin with a letter."""
    holder = torch if namespace == "torch" else attrgetter(namespace)(torch)
    names = set(getattr(holder, "__all__", ())) or set(dir(holder))
    if namespace == "torch":
        names |= {name for name in dir(torch) if isinstance(getattr(torch, name), (torch.dtype, torch.layout))}
        names |= {name for name in dir(torch._C._VariableFunctions) if hasattr(torch, name)}
    return sorted(name for name in names if _counts(holder, name))


def _counts(holder: object, name: str) -> bool:
    if name.startswith("_") or name.startswith(INTERNAL) or not hasattr(holder, name):
        return False
    value = getattr(holder, name)
    if holder is torch and name[0].isupper() and not name.endswith(tuple(CLASSES)):
        return False
    return not isinstance(value, types.ModuleType) and (getattr(value, "__module__", None) or "torch").startswith(
        "torch"
    )


class NameChecks:
    """The names of one namespace, each a check of its own."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def figures(self) -> dict[str, Callable[[], str | None]]:
        """Return a check for each name."""
        return {name: functools.partial(self.present, name) for name in public_names(self.namespace)}

    def present(self, name: str) -> str | None:
        """Return None where facula has the name."""
        try:
            holder = facula if self.namespace == "torch" else attrgetter(self.namespace)(facula)
        except AttributeError:
            return "absent, with all its namespace"
        return None if hasattr(holder, name) else "absent"
