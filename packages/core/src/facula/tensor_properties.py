"""What a tensor knows of itself, and what it becomes elsewhere: NumPy, Python numbers, other types and devices."""

from __future__ import annotations

import builtins
import copy
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, SupportsIndex, TypeVar, overload

import numpy as np

from facula import backend, devices, dtypes, overrides
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.graph import backward as backward_pass
from facula.graph.node import AccumulateGrad, Node, RemovableHandle
from facula.graph.views import refresh
from facula.ops import conversion
from facula.printing import tensor_string
from facula.size import Size
from facula.tensor_base import OverridingArray, TensorBase, owner, storage_of, unmarked, wrap
from facula.tensor_exchange import TensorExchange, bool_of, float_of, int_of
from facula.types import Tensor

Subclass = TypeVar("Subclass", bound=TensorBase)

#: The names ``tensor.type()`` uses.
LEGACY_NAMES = {
    **{"float32": "FloatTensor", "float64": "DoubleTensor", "float16": "HalfTensor", "bfloat16": "BFloat16Tensor"},
    **{
        "int64": "LongTensor",
        "int32": "IntTensor",
        "int16": "ShortTensor",
        "int8": "CharTensor",
        "uint8": "ByteTensor",
    },
    **{"bool": "BoolTensor", "complex64": "ComplexFloatTensor", "complex128": "ComplexDoubleTensor"},
}


class TensorProperties(TensorExchange):
    """Attributes, conversions and the graph's side of a tensor; `facula.tensor.Tensor` adds the operations."""

    __array_priority__ = 1000  # a NumPy array on the left of an operator leaves it to the tensor

    __torch_function__: Any = classmethod(overrides.default_torch_function)

    def __new__(cls, *args: object, device: Device | str | builtins.int | None = None) -> Self:
        """Return a tensor of the default type: uninitialised of the shape ``args``, or with the data given.

        `facula.tensor` and `facula.empty` say more clearly what they make.
        """
        kind = dtypes.get_default_dtype().numpy
        if len(args) == 1 and not isinstance(args[0], (builtins.int, np.integer, Size)):
            data: Any = args[0]
            if isinstance(data, Tensor):
                if data._array.dtype != kind:
                    raise TypeError(f"expected {dtypes.get_default_dtype().name} (got {data.dtype.name})")
                return overrides.as_subclass(data.detach(), cls)
            array = np.array(data, kind)
        else:
            shape = args[0] if args and isinstance(args[0], Size) else args
            array = np.empty(shape if args else 0, kind)  # type: ignore[arg-type]
        return overrides.as_subclass(wrap(devices.move(array, devices.canonical(device))), cls)

    @staticmethod
    def _make_subclass(cls: builtins.type[Any], data: Tensor, require_grad: builtins.bool = False) -> Any:
        """Return a tensor of class ``cls`` on the memory of ``data``, with no history."""
        return overrides.as_subclass(data.detach(), cls).requires_grad_(require_grad)

    def as_subclass(self, cls: builtins.type[Subclass]) -> Subclass:
        """Return this tensor, with its memory and history, as one of class ``cls``."""
        return overrides.as_subclass(self, cls)

    # Shape and memory.

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return Size(self._array.shape)

    @overload
    def size(self, dim: None = None) -> Size: ...
    @overload
    def size(self, dim: builtins.int) -> builtins.int: ...
    def size(self, dim: builtins.int | None = None) -> Size | builtins.int:
        """Return the shape, or the length of one dimension."""
        if dim is None:
            return Size(self._array.shape)
        shape = self._array.shape
        if not -max(len(shape), 1) <= dim < max(len(shape), 1) or not shape:
            low, high = -max(len(shape), 1), max(len(shape), 1) - 1
            raise IndexError(f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})")
        return shape[dim]

    @property
    def ndim(self) -> builtins.int:
        """The number of dimensions."""
        return self._array.ndim

    def dim(self) -> builtins.int:
        """Return the number of dimensions."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> builtins.int:
        """Return the number of elements."""
        return int(self._array.size)

    nelement = numel

    @overload
    def stride(self, dim: None = None) -> tuple[builtins.int, ...]: ...
    @overload
    def stride(self, dim: builtins.int) -> builtins.int: ...
    def stride(self, dim: builtins.int | None = None) -> tuple[builtins.int, ...] | builtins.int:
        """Return how many elements apart in memory neighbours are along each dimension, or along one."""
        array = self._array
        if array.size == 0 or array.flags.c_contiguous:
            # NumPy leaves the strides of dimensions of length 0 and 1 to chance.
            strides = _row_major_strides(array.shape)
        else:
            strides = tuple(stride // array.itemsize for stride in array.strides)
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> builtins.int:
        """Return how many elements lie before the first one in the memory of the tensor."""
        array = self._array
        if not isinstance(array, np.ndarray):
            whole = array.base if array.base is not None else array
            return (array.data.ptr - whole.data.ptr) // array.itemsize
        distance = array.ctypes.data - owner(array).ctypes.data
        return distance // array.itemsize if array.itemsize and array.size else 0

    def data_ptr(self) -> builtins.int:
        """Return the address of the first element."""
        array = self._array
        return array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr

    const_data_ptr = data_ptr

    def is_contiguous(self, memory_format: conversion.memory_format = conversion.contiguous_format) -> builtins.bool:
        """Return whether the elements lie in memory in row-major order."""
        if memory_format is conversion.channels_last and self.ndim == 4:
            return bool(np.moveaxis(self._array, 1, -1).flags.c_contiguous)
        return bool(self._array.flags.c_contiguous)

    def element_size(self) -> builtins.int:
        """Return the size of an element in bytes."""
        return self._array.itemsize

    @property
    def itemsize(self) -> builtins.int:
        """The size of an element in bytes."""
        return self._array.itemsize

    @property
    def nbytes(self) -> builtins.int:
        """The size of all elements in bytes."""
        return self._array.nbytes

    def _is_shared_with_itself(self) -> builtins.bool:
        """Whether two elements are one place in memory, as after ``expand``."""
        array = self._array
        if array.size == 0:  # NumPy gives these strides of 0
            return False
        return any(stride == 0 and length > 1 for stride, length in zip(array.strides, array.shape))

    # Type and device.

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return dtypes.from_numpy_dtype[self._array.dtype]

    @property
    def device(self) -> Device:
        """The device that holds the elements."""
        return devices.of_array(self._array)

    @property
    def is_cuda(self) -> builtins.bool:
        """Whether the tensor lies on a CUDA device."""
        return not isinstance(self._array, np.ndarray)

    @property
    def is_cpu(self) -> builtins.bool:
        """Whether the tensor lies in main memory."""
        return isinstance(self._array, np.ndarray)

    @property
    def layout(self) -> conversion.layout:
        """How elements are stored: always ``facula.strided``."""
        return conversion.strided

    def get_device(self) -> builtins.int:
        """Return the index of the CUDA device, or -1 on the CPU."""
        index = backend.device_index(self._array)
        return -1 if index is None else index

    def is_floating_point(self) -> builtins.bool:
        """Return whether the elements are real floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> builtins.bool:
        """Return whether the elements are complex numbers."""
        return self._array.dtype.kind == "c"

    def is_conj(self) -> builtins.bool:
        """Return False: conjugates are computed at once."""
        return False

    is_neg = is_conj

    def is_nonzero(self) -> builtins.bool:
        """Return whether the only element is not zero. RuntimeError when there is not exactly one."""
        if self._array.size != 1:
            few = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {few} is ambiguous")
        return bool(self)

    def is_same_size(self, other: Tensor) -> builtins.bool:
        """Return whether another tensor has the same shape."""
        return self.shape == other.shape

    def is_signed(self) -> builtins.bool:
        """Return whether the elements can be negative."""
        return self.dtype.is_signed

    def to(self, *args: object, **kwargs: object) -> Tensor:
        """Return the tensor with another type, on another device, or both; itself when nothing changes.

        Takes ``(dtype)``, ``(device)``, ``(device, dtype)`` or ``(other)``, and ``non_blocking copy memory_format``.

        >>> facula.ones(2).to(facula.int64)
        tensor([1, 1])
        """
        result: Any = self
        if len(args) == 1 and isinstance(args[0], Device) and args[0].type == "cpu" and not kwargs:
            # The usual call: a batch goes to the device that it is on.
            return result if isinstance(self._array, np.ndarray) else conversion.move(result, args[0])
        device, dtype, copy_asked = _parse_to(args, kwargs)
        if device is not None:
            result = conversion.move(result, device)
        if dtype is not None:
            result = conversion.cast(result, dtype)
        return conversion.clone(result) if copy_asked and result is self else result

    @overload
    def type(self, dtype: None = None, non_blocking: builtins.bool = False) -> str: ...
    @overload
    def type(self, dtype: DType | str, non_blocking: builtins.bool = False) -> Tensor: ...
    def type(self, dtype: DType | str | None = None, non_blocking: builtins.bool = False) -> str | Tensor:
        """Return the name of the tensor's type, or the tensor with another."""
        if dtype is None:
            return f"facula.{'cuda.' if self.is_cuda else ''}{LEGACY_NAMES.get(self.dtype.name, self.dtype.name)}"
        if isinstance(dtype, str):
            short = dtype.rpartition(".")[2]
            names = {legacy: name for name, legacy in LEGACY_NAMES.items()}
            if names.get(short, short) not in {each.name for each in dtypes.ALL}:
                raise ValueError(f"invalid type: '{dtype}'")
            dtype = next(each for each in dtypes.ALL if each.name == names.get(short, short))
        return conversion.cast(self, dtype)

    def type_as(self, other: TensorBase) -> Tensor:
        """Return the tensor with the type of ``other``."""
        return self.to(other)

    def cpu(self) -> Tensor:
        """Return the tensor in main memory."""
        return conversion.move(self, "cpu")

    def cuda(self, device: Device | builtins.int | str | None = None, non_blocking: builtins.bool = False) -> Tensor:
        """Return the tensor on a CUDA device; RuntimeError when there is none."""
        return conversion.move(self, "cuda" if device is None else device)

    def float(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as float32."""
        return conversion.cast(self, dtypes.float32)

    def double(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as float64."""
        return conversion.cast(self, dtypes.float64)

    def half(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as float16."""
        return conversion.cast(self, dtypes.float16)

    def bfloat16(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as bfloat16."""
        return conversion.cast(self, dtypes.bfloat16)

    def long(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as int64."""
        return conversion.cast(self, dtypes.int64)

    def int(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as int32."""
        return conversion.cast(self, dtypes.int32)

    def short(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as int16."""
        return conversion.cast(self, dtypes.int16)

    def char(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as int8."""
        return conversion.cast(self, dtypes.int8)

    def byte(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as uint8."""
        return conversion.cast(self, dtypes.uint8)

    def bool(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as bool: whether each element is not zero."""
        return conversion.cast(self, dtypes.bool_)

    def cfloat(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as complex64."""
        return conversion.cast(self, dtypes.complex64)

    def cdouble(self, memory_format: conversion.memory_format = conversion.preserve_format) -> Tensor:
        """Return the tensor as complex128."""
        return conversion.cast(self, dtypes.complex128)

    def _to_numpy_dtype(self, dtype: np.dtype) -> Tensor:
        return conversion.cast(self, dtypes.from_numpy_dtype[dtype])

    def __len__(self) -> builtins.int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))  # type: ignore[attr-defined]  # one of the operations

    def __contains__(self, element: object) -> builtins.bool:
        if isinstance(element, (TensorBase, bool_of, int_of, float_of, complex)):
            return bool_of((self == element).any().item())  # type: ignore[attr-defined]  # == is an operation, too
        raise RuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {builtin_type(element)}."
        )

    def __hash__(self) -> builtins.int:
        return id(self)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        return tensor_string(self)

    def __format__(self, specification: str) -> str:
        if self._array.ndim == 0 and self._array.size == 1:
            return self.item().__format__(specification)
        return object.__format__(self, specification)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Self:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment."
            )
        made = wrap(self._array.copy(order="K"))
        made.__class__ = self.__class__  # type: ignore[assignment]  # a class with the same attributes
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self._own_attributes(), memo))
        if self.requires_grad:
            made.requires_grad_()
        if self.grad is not None:
            made.grad = copy.deepcopy(self.grad, memo)
        return made  # type: ignore[return-value]

    def _own_attributes(self) -> dict[Any, Any]:
        """What users and subclasses put on this tensor."""
        return {name: value for name, value in self.__dict__.items() if name not in INTERNAL}

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be pickled; use detach() first")
        array = backend.to_numpy(self._array)
        name = self.dtype.name
        data = array.view(np.uint16) if name == "bfloat16" else array
        state_ = (data, name, str(self.device), self.requires_grad, self._own_attributes())
        return rebuild, (self.__class__, *state_)

    # The graph.

    @property
    def requires_grad(self) -> builtins.bool:
        """Whether gradients are recorded for this tensor."""
        if self._base is not None:
            refresh(self)
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: builtins.bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: builtins.bool = True) -> Self:
        """Switch recording on or off for this leaf, and return it."""
        if self.requires_grad == bool_of(requires_grad):
            return self
        if not requires_grad:
            if not self.is_leaf:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                    "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
            self._node = None
            return self
        if self._array.dtype.kind not in "fcV":
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        self._node = AccumulateGrad(self)
        return self

    @property
    def is_leaf(self) -> builtins.bool:
        """Whether the tensor is no recorded result: its gradient, if it requires one, stays in ``grad``."""
        return not self.requires_grad or isinstance(self._node, AccumulateGrad)

    @property
    def grad_fn(self) -> Node | None:
        """The node that computes the gradients of what this tensor was made of; None for a leaf."""
        return None if self.is_leaf else self._node.node  # type: ignore[union-attr]  # what is no leaf has a node

    @property
    def output_nr(self) -> builtins.int:
        """Which of its node's results this is."""
        return 0 if self._node is None else self._node.index

    @property
    def retains_grad(self) -> builtins.bool:
        """Whether this tensor, no leaf, keeps its gradient in ``grad``."""
        return self._retains_grad

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor in ``grad`` though it is no leaf."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.is_leaf or self._retains_grad:
            return
        self._retains_grad = True
        keeper = weakref.ref(self)

        def keep(gradient: Tensor) -> None:
            tensor = keeper()
            if tensor is not None:
                tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient

        node: Any = self._node  # there is one: the tensor requires grad
        node.node.add_tensor_hook(node.index, keep)

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(grad)`` when the gradient of this tensor is known; what it returns replaces the gradient."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node: Any = self._node  # there is one: the tensor requires grad
        return node.node.add_tensor_hook(node.index, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(tensor)`` after the ``grad`` of this leaf was updated."""
        if not isinstance(self._node, AccumulateGrad):
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        return self._node.add_post_hook(hook)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradients of this tensor to ``grad`` of the leaves it was made of.

        >>> x = facula.tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        tensor(6.)
        """
        whole: Any = self  # a Tensor
        backward_pass.backward(whole, gradient, retain_graph, create_graph, inputs=inputs)

    def detach_(self) -> Self:
        """Take this tensor out of the graph and return it."""
        if self._base is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self._node = None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph, with a version of its own."""
        made = wrap(unmarked(self._array))
        return overrides.as_subclass(made, type(self)) if self._overrides else made  # type: ignore[return-value]

    @data.setter
    def data(self, value: TensorBase) -> None:
        array = value._array
        self._array = array.view(OverridingArray) if self._overrides and isinstance(array, np.ndarray) else array
        if isinstance(self._node, AccumulateGrad):
            self._node.shape, self._node.dtype = value._array.shape, value._array.dtype

    @property
    def _version(self) -> builtins.int:
        """How often the memory was written to in place."""
        return storage_of(self).version

    def _is_view(self) -> builtins.bool:
        return self._base is not None

    def is_inference(self) -> builtins.bool:
        """Return whether the tensor was made in inference mode."""
        return self._is_inference

    def share_memory_(self) -> Self:
        """Return the tensor; memory is shared with forked processes as it is."""
        return self

    # What PyTorch's code asks for, and is always the same here.

    @property
    def is_sparse(self) -> builtins.bool:
        """False: the elements are all stored."""
        return False

    is_quantized = is_mkldnn = is_meta = is_nested = is_mps = is_xpu = is_sparse_csr = is_sparse


builtin_type = type

#: Attributes that belong to the machinery, not to users.
INTERNAL = frozenset(
    {"_array", "_node", "_base", "grad", "_storage", "_rewrites_seen", "_retains_grad", "_is_inference"}
)


def rebuild(
    cls: type, data: np.ndarray, dtype: str, device: str, requires_grad: bool, attributes: dict[Any, Any]
) -> TensorBase:
    """Return the tensor that was pickled as these parts."""
    array = data.view(dtypes.bfloat16.numpy) if dtype == "bfloat16" else data
    made = conversion.move(wrap(array), device)
    made.__class__ = cls
    made.__dict__.update(attributes)
    return made.requires_grad_() if requires_grad else made


def _row_major_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Device | None, DType | None, bool]:
    """Return the device and type that the arguments of ``Tensor.to`` name, and whether a copy is asked for."""
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    unknown = set(kwargs) - {"device", "dtype", "non_blocking", "copy", "memory_format", "other"}
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument '{unknown.pop()}'")
    flags = [each for each in args if each is True or each is False]
    for each in (*args, kwargs.get("other")):
        if isinstance(each, DType):
            dtype = each
        elif isinstance(each, (str, Device)) or (isinstance(each, int_of) and not isinstance(each, bool_of)):
            device = each
        elif isinstance(each, TensorBase):
            device, dtype = devices.of_array(each._array), dtypes.from_numpy_dtype[each._array.dtype]
        elif each is not None and not isinstance(each, bool_of):
            raise TypeError(f"to() received an invalid argument of type {builtin_type(each).__name__}")
    copy_asked = kwargs.get("copy", flags[1] if len(flags) > 1 else False)
    return None if device is None else devices.canonical(device), dtype, bool_of(copy_asked)
