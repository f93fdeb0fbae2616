"""Carries arguments and functions from PyTorch to facula, and results back."""

from __future__ import annotations

import builtins
import functools
import types
from operator import attrgetter
from typing import Any

import facula
import numpy as np
import torch

#: Where PyTorch's public functions are looked for, to find the path of one that is given as an object.
NAMESPACES = """
. Tensor nn.functional linalg special fft signal.windows masked sparse nn nn.init nn.utils.rnn autograd optim
optim.lr_scheduler
""".split()
#: Types that NumPy lacks are carried as integers of their size.
AS_INTEGERS = {torch.bfloat16: "int16", torch.float8_e4m3fn: "uint8", torch.float8_e5m2: "uint8"}


class Absent(Exception):
    """facula has no such name."""


class NotCarried(Exception):
    """A value that has no counterpart outside PyTorch, such as one on another device."""


def named(path: str) -> Any:
    """Return what facula has under PyTorch's path of it."""
    try:
        return attrgetter(path)(facula) if path else facula
    except AttributeError:
        raise Absent(f"absent: facula.{path}") from None


@functools.cache
def _paths() -> dict[int, tuple[str, Any]]:
    """Return the path of each public object of PyTorch's, by its id; the object is kept, so that the id stays its own."""
    found: dict[int, tuple[str, Any]] = {}
    for namespace in NAMESPACES:
        prefix = "" if namespace == "." else namespace + "."
        holder = attrgetter(namespace)(torch) if prefix else torch
        for name in dir(holder):
            value = getattr(holder, name, None)
            if callable(value):
                found.setdefault(id(value), (prefix + name, value))
    return found


class _Globals(dict):
    """The globals of a function of PyTorch's tests, as facula has them; each is carried when it is first used."""

    def __init__(self, original: dict[str, Any]) -> None:
        super().__init__(__builtins__=builtins, __name__=original.get("__name__", "carried"))
        self._original = original

    def __missing__(self, name: str) -> Any:
        if name not in self._original:
            return getattr(builtins, name)  # KeyError's part is played by what Python itself raises
        self[name] = value = carried_function(self._original[name])
        return value


@functools.cache
def _carried(function: Any) -> Any:
    if isinstance(function, types.ModuleType):
        name = function.__name__
        if name == "torch" or (name.startswith("torch.") and not name.startswith("torch.testing")):
            return named(name.partition(".")[2])
        return function
    if isinstance(function, functools.partial):
        carry = Carrier()
        return functools.partial(carry(function.func), *carry(function.args), **carry(function.keywords))
    if isinstance(function, types.MethodType) and function.__name__ == "clone":
        return carried_function(type(function.__self__))  # how a function decorated with no_grad enters it
    if type(function).__name__ in ("OpOverload", "OpOverloadPacket"):
        namespace, name, *_ = str(function).split(".")
        return named(f"ops.{namespace}.{name}")  # overloads are one function
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, types.FunctionType) and (module.startswith("torch.testing") or "<lambda>" in str(function)):
        carry = Carrier()
        cells = tuple(types.CellType(carry(cell.cell_contents)) for cell in function.__closure__ or ())
        defaults, seen = carry(function.__defaults__), _Globals(function.__globals__)
        made = types.FunctionType(function.__code__, seen, function.__name__, defaults, cells)
        made.__kwdefaults__ = carry(function.__kwdefaults__)
        return made
    if id(function) in _paths():
        return named(_paths()[id(function)][0])
    if isinstance(function, type) and module.startswith("torch") and not module.startswith("torch.testing"):
        return named(f"{module.partition('.')[2]}.{function.__qualname__}".lstrip("."))
    if module.startswith("torch") and not module.startswith("torch.testing") and hasattr(function, "__name__"):
        return named(f"{module.partition('.')[2]}.{function.__name__}".lstrip("."))
    return function


def carried_function(function: Any, name: str = "") -> Any:
    """Return facula's function for one of PyTorch's: of ``name``, of its path, or of the same code over facula."""
    if not (callable(function) or isinstance(function, types.ModuleType)):
        return Carrier()(function)
    if name and _at(torch, name) is function and type(function).__name__ != "OpOverload":
        return named(name.removeprefix("torch."))
    try:
        return _carried(function)
    except TypeError:  # not hashable
        return function


def _at(holder: Any, path: str) -> Any:
    try:
        return attrgetter(path)(holder)
    except AttributeError:
        return None


class Copier:
    """Copies what one call is given, for PyTorch: memory that tensors share is shared by their copies."""

    def __init__(self) -> None:
        self._memories: dict[int, Any] = {}
        self._tensors: dict[int, Any] = {}
        #: The copies that require gradients.
        self.leaves: list[Any] = []

    def __call__(self, value: Any) -> Any:
        """Return the copy of a value, of any nesting."""
        if isinstance(value, torch.Tensor):
            if id(value) not in self._tensors:
                self._tensors[id(value)] = (self._tensor(value), value)
                if value.requires_grad:
                    self.leaves.append(self._tensors[id(value)][0])
            return self._tensors[id(value)][0]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self.leaf(type(value))(*map(self, value))
        if type(value) in (list, tuple, set):
            return type(value)(map(self, value))
        if isinstance(value, dict):
            return {key: self(each) for key, each in value.items()}
        return self.leaf(value)

    def leaf(self, value: Any) -> Any:
        """Return what stands for a value that holds no tensors."""
        return value

    def _tensor(self, value: torch.Tensor) -> Any:
        if value.device.type != "cpu" or value.is_quantized:
            raise NotCarried(f"a tensor on {value.device}")
        grad, detached = value.requires_grad, value.detach()
        if value.layout is torch.strided:
            made = self.dense(detached.resolve_conj().resolve_neg())
        else:
            made = self.sparse(detached)
        if isinstance(value, torch.nn.Parameter):
            return self.leaf(torch.nn.Parameter)(made, requires_grad=grad)
        return made.requires_grad_() if grad else made

    def memory(self, value: torch.Tensor) -> Any:
        """Return the copy of all the memory a tensor is in, as a tensor of one dimension."""
        storage = value.untyped_storage()
        key = storage.data_ptr()
        if key not in self._memories:
            whole = torch.empty(0, dtype=value.dtype).set_(storage)
            self._memories[key] = (self.contiguous(whole), storage)
        return self._memories[key][0]

    def dense(self, value: torch.Tensor) -> Any:
        """Return the copy of a strided tensor, with its strides and its place in memory."""
        bytes_seen = value.numel() * value.element_size()
        if value.is_contiguous() and value.untyped_storage().nbytes() == bytes_seen and not value._is_view():
            return self.memory(value).view(value.shape).detach() if bytes_seen else self.contiguous(value)
        memory = self.memory(value)
        if memory.dtype != self.leaf(value.dtype):
            memory = self.contiguous(torch.empty(0, dtype=value.dtype).set_(value.untyped_storage()))
        return memory.as_strided(tuple(value.shape), value.stride(), value.storage_offset()).detach()

    def contiguous(self, value: torch.Tensor) -> Any:
        """Return the copy of a contiguous tensor."""
        return value.clone()

    def sparse(self, value: torch.Tensor) -> Any:
        """Return the copy of a sparse tensor."""
        return value.clone()


class Carrier(Copier):
    """Carries what one call is given to facula."""

    def leaf(self, value: Any) -> Any:
        """Return what a value is in facula."""
        if isinstance(value, torch.dtype):
            return named(str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return facula.device(str(value))
        if isinstance(value, (torch.layout, torch.memory_format)):
            return named(str(value).removeprefix("torch."))
        if isinstance(value, torch.Size):
            return facula.Size(value)
        if isinstance(value, torch.Generator):
            return facula.Generator().manual_seed(value.initial_seed())
        if isinstance(value, slice):
            return slice(self(value.start), self(value.stop), self(value.step))
        if isinstance(value, torch.nn.Module):
            args, kwargs = value._made_of
            made = carried_function(type(value))(*self(args), **self(kwargs))
            made.load_state_dict(self(dict(value.state_dict())))
            return made
        if type(value).__module__.startswith("torch.testing"):
            return value
        if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
            fields = {
                name: self(getattr(value, name)) for name, each in value.__dataclass_fields__.items() if each.init
            }
            return carried_function(type(value))(**fields)
        if callable(value) or isinstance(value, types.ModuleType):
            return carried_function(value)
        return value

    def contiguous(self, value: torch.Tensor) -> Any:
        """Return a contiguous tensor's values as a tensor of facula's."""
        if value.dtype in AS_INTEGERS:
            integers = AS_INTEGERS[value.dtype]
            made = facula.from_numpy(np.array(value.view(getattr(torch, integers)).numpy()))
            return made.view(self.leaf(value.dtype)).clone()
        try:
            array = value.numpy()
        except TypeError as error:
            raise NotCarried(str(error)) from None
        return facula.from_numpy(np.array(array)).clone()

    def sparse(self, value: torch.Tensor) -> Any:
        """Return a sparse tensor of the same layout, indices and values."""
        size, layout = tuple(value.shape), str(value.layout).removeprefix("torch.")
        if value.layout is torch.sparse_coo:
            parts = self(value._indices()), self(value._values())
            return named("sparse_coo_tensor")(*parts, size, is_coalesced=value.is_coalesced())
        by_rows = value.layout in (torch.sparse_csr, torch.sparse_bsr)
        indices = (value.crow_indices, value.col_indices) if by_rows else (value.ccol_indices, value.row_indices)
        return named(f"{layout}_tensor")(*(self(each()) for each in indices), self(value.values()), size)


def returned(value: Any) -> Any:
    """Return a result of facula's as PyTorch has it: tensors, types and sizes, of any nesting."""
    if isinstance(value, facula.Tensor):
        return _returned_tensor(value)
    if isinstance(value, facula.dtype):
        return getattr(torch, str(value).partition(".")[2])
    if isinstance(value, facula.Size):
        return torch.Size(value)
    if isinstance(value, (list, tuple)):
        return [returned(each) for each in value]
    if isinstance(value, dict):
        return {key: returned(each) for key, each in value.items()}
    return value


def _returned_tensor(value: facula.Tensor) -> torch.Tensor:
    value = value.detach()
    if getattr(value, "is_sparse", False) or "sparse" in str(getattr(value, "layout", "")):
        value = value.to_dense()
    dtype = getattr(torch, str(value.dtype).partition(".")[2])
    if dtype in AS_INTEGERS:
        return torch.from_numpy(value.contiguous().view(getattr(facula, AS_INTEGERS[dtype])).numpy().copy()).view(dtype)
    if dtype == torch.complex32:
        return torch.view_as_real(torch.from_numpy(value.to(facula.complex64).numpy().copy())).half().view(dtype)
    return torch.from_numpy(np.array(value.resolve_conj().resolve_neg().numpy()))
