"""How an operation is made: a forward on arrays, gradient formulas in tensor code, and the one door to both.

    @primitive(dtype=to_float, vjp={"x": lambda g, out: g * out})
    def _exp(xp, x):
        return xp.exp(x)

The forward's positional parameters after ``xp`` are its inputs: arrays, Python numbers, or None. Its keyword-only
parameters are options: plain Python values. A formula's parameter names say what it needs, and only that is saved:

    g            the gradient of the result, always first (a list, with None where none arrived, for several results)
    x            an input by its name, as a tensor
    x_shape      only the shape of that input
    out          the result (a tuple for several)
    out_1        one of several results, by its place: the others need not be kept, and may be written to
    an option    by its name

A key of ``vjp`` may be a tuple of input names; its formula returns as many gradients. With ``view=True`` the result is
a view of the first input's memory.
"""

import functools
import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facula import backend, dtypes, native, overrides, recording, tensor_base
from facula.dtype_rules import Kind, Rule, computed_in, promote, to_float, to_integer
from facula.graph.modes import state, watch
from facula.graph.node import _next_number
from facula.graph.views import mark_view, refresh
from facula.overlap import refuse_any_overlap, refuse_partial_overlap
from facula.promotion import can_cast
from facula.recording import (
    INPUT,
    INPUTS,
    OPTION,
    OUT,
    RESULT,
    SHAPE,
    SHAPES,
    Formula,
    Plan,
    RecordedCall,
    RecordedCallOfSeveral,
)
from facula.tensor_base import OverridingArray, TensorBase, storage_of, wrap
from facula.types import Tensor

__all__ = ["Primitive", "primitive", "promote", "to_float", "to_integer"]

_new = TensorBase.__new__
_ndarray = np.ndarray
_FLOAT32 = dtypes.float32.numpy


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...], int | None]:
    """Return the names of the positional parameters, of the keyword-only ones, and where after ``xp`` a ``*variadic`` is.

    From the code itself: ``inspect.signature`` for all formulas would take longer than importing NumPy.
    """
    code = function.__code__
    names, count, keywords = code.co_varnames, code.co_argcount, code.co_kwonlyargcount
    positional, options = names[:count], names[count : count + keywords]
    if not code.co_flags & inspect.CO_VARARGS:
        return positional, options, None
    return (*positional, names[count + keywords]), options, count - 1


class _Fields:
    """The fields that the compiled call reads, as the class has them without it."""


#: The names by which a formula asks for one of several results.
RESULTS = {f"out_{at}": at for at in range(10)}
#: How many inputs the compiled call looks at.
_MOST_BITS = 8
_IN_PYTHON = TYPE_CHECKING or native.base is None
if not _IN_PYTHON:
    _Fields = native.base.PrimitiveFields  # type: ignore[misc]  # the same fields


class Primitive(_Fields):
    """An operation on tensors: call it with tensors, numbers or None for its inputs, and its options by name."""

    def __init__(
        self,
        forward: Callable[..., Any],
        vjp: Mapping[str | tuple[str, ...], Callable[..., Any]] | None = None,
        dtype: Rule | None = None,
        view: bool = False,
    ) -> None:
        self.name = self.__name__ = forward.__name__
        self.__doc__ = forward.__doc__
        self.forward = forward
        self.rule = dtype
        self.view = view
        #: Faster forwards by device type.
        self.kernels: dict[str, Callable[..., Any]] = {}
        positional, self.options, self.variadic = _parameters(forward)
        self.inputs = positional[1:]
        self.formulas = [self._read(targets, function) for targets, function in (vjp or {}).items()]
        self._plans: dict[tuple[bool, ...], Plan] = {}
        self._types: dict[tuple[Any, ...], tuple[np.dtype | None, np.dtype | None]] = {}
        self._compute_on_cpu: Callable[..., Any] = functools.partial(forward, np)
        # What the compiled call asks: which inputs, as bits, are brought to a common type.
        self._promoted = 0 if dtype is None else sum(1 << at for at in range(_MOST_BITS) if self._is_promoted(at))
        self._is_variadic = self.variadic is not None
        self._takes_low_precision = False

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join([*self.inputs, *self.options])})>"

    # Making one.

    def _read(self, targets: str | tuple[str, ...], function: Callable[..., Any]) -> Formula:
        targets = targets if isinstance(targets, tuple) else (targets,)
        first, *needs = _parameters(function)[0]
        known = {"out", *RESULTS, *self.inputs, *self.options, *(f"{name}_shape" for name in self.inputs)}
        if first != "g" or not set(targets) <= set(self.inputs) or not set(needs) <= known:
            raise TypeError(
                f"{self.name}: a formula for {targets} has parameters {[first, *needs]}; expected 'g' first, then names "
                f"among {sorted(known)}, for targets among {list(self.inputs)}"
            )
        return Formula(targets, function, tuple(needs))

    def kernel(self, device: str, low_precision: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a faster forward: the same parameters without ``xp``.

        ``"cpu"`` is for one in Python, ``"native"`` for a compiled kernel, or a function that calls one, and ``"cuda"``
        for the GPU. It returns NotImplemented for what it does not do; what was there before computes that.
        ``low_precision`` says that it takes types of 16 bits as they are, computes in float32 and rounds once.
        """

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.kernels[device] = function
            if device == "native":
                self._takes_low_precision = low_precision and native.available
            if device == "cpu" or (device == "native" and native.available):
                # A NumPy function or method takes every array; a kernel of ours may decline.
                numpy_function = isinstance(function, np.ufunc) or getattr(function, "__module__", "numpy") == "numpy"
                everything = numpy_function and device == "cpu"
                self._compute_on_cpu = function if everything else _with_fallback(function, self._compute_on_cpu)
            return function

        return register

    def native(self, name: str, low_precision: bool = False) -> None:
        """Compute with the compiled kernel of this name, which takes the inputs and has no options; see `kernel`."""
        if native.available:
            self.kernel("native", low_precision)(getattr(native.kernels, name))

    # Calling it.

    def _call(self, *inputs: Any, out: Tensor | None = None, **options: Any) -> Any:
        """Return the result of the operation, recorded where gradients are wanted."""
        if watch.active and state.interceptors:
            return self._intercepted(inputs, out, options)
        grad_enabled = state.grad_enabled
        # The usual case first: float32 in main memory needs no promotion and no look at the device.
        arrays = []
        recorded = False
        for each in inputs:
            try:
                array = each._array
            except AttributeError:
                return self._call_any(inputs, out, options)
            if array.dtype is not _FLOAT32 or type(array) is not _ndarray:
                return self._call_any(inputs, out, options)
            arrays.append(array)
            if each._base is not None:
                refresh(each)
            if each._node is not None:
                recorded = grad_enabled
        try:
            result = self._compute_on_cpu(*arrays, **options) if options else self._compute_on_cpu(*arrays)
        except ValueError as error:
            raise _mismatch(arrays, error) from None
        if type(result) is not _ndarray:
            if isinstance(result, (tuple, list)):
                return self._wrap_several(inputs, result, recorded, options)
            result = np.asarray(result)
        return self._wrap(inputs, result, recorded, out, options)

    if _IN_PYTHON:
        __call__ = _call  # else the compiled call, which leaves all but the usual case to `_call`

    def _wrap(
        self, inputs: tuple[Any, ...], result: np.ndarray, recorded: bool, out: Tensor | None, options: dict[str, Any]
    ) -> Tensor:
        tensor = _new(_Tensor)
        tensor._array = result
        tensor._node = None
        tensor._base = None
        if self.view:
            mark_view(tensor, inputs[0])
        if recorded and result.dtype.kind in "fcV":
            tensor._node = self._record(RecordedCall, inputs, tensor, options)
        if out is not None:
            if self.rule is not None:
                refuse_partial_overlap(out, *inputs)
            return write_out(tensor, out, self.name)
        return tensor

    def _record(
        self, kind: type[RecordedCall], inputs: tuple[Any, ...], result: Any, options: dict[str, Any]
    ) -> RecordedCall | None:
        node = kind.__new__(kind)
        edges = [each._node if isinstance(each, TensorBase) else None for each in inputs]
        wanted = tuple([edge is not None for edge in edges])
        plan = self._plans.get(wanted) or self._make_plan(wanted)
        if not (plan.pairs or plan.run):
            return None
        node.primitive = self
        node.plan = plan
        node.edges = edges
        node.number = _next_number()
        if type(result) is not tuple:
            node.shape = result._array.shape
            node.dtype = result._array.dtype
        node.saved = recording.collect(plan, inputs, result, options) if plan.save else ()
        if state.anomaly:
            node.trace = "".join(traceback.format_stack()[:-3])
        return node

    def _make_plan(self, wanted: tuple[bool, ...]) -> Plan:
        """Return what to save and run when the inputs marked True need gradients; kept for the next such call."""
        save: dict[tuple[int, int | str], int] = {}
        pairs, run = [], []
        for formula in self.formulas:
            positions = [at for name in formula.targets for at in self._positions(name, len(wanted))]
            if not any(wanted[at] for at in positions):
                continue
            taken = tuple(save.setdefault(self._source(name), len(save)) for name in formula.needs)
            sources = [self._source(name)[0] for name in formula.needs]
            if len(positions) == 1 and sources in ([INPUT], [OUT]):
                pairs.append((formula.function, taken[0], positions[0]))
            else:
                run.append((formula.function, taken, tuple(positions)))
        inputs: Any = tuple(which for what, which in save) if all(what == INPUT for what, which in save) else None
        plan = self._plans[wanted] = Plan(tuple(save), tuple(pairs), tuple(run), inputs)
        return plan

    def _positions(self, name: str, count: int) -> range:
        start = self.inputs.index(name)
        return range(start, count) if start == self.variadic else range(start, start + 1)

    def _source(self, name: str) -> tuple[int, int | str]:
        """Return where a formula's parameter of this name comes from."""
        if name == "out":
            return OUT, name
        if name in RESULTS:
            return RESULT, RESULTS[name]
        if name in self.options:
            return OPTION, name
        if name in self.inputs:
            position = self.inputs.index(name)
            return (INPUTS if position == self.variadic else INPUT), position
        position = self.inputs.index(name.removesuffix("_shape"))
        return (SHAPES if position == self.variadic else SHAPE), position

    def _call_any(self, inputs: tuple[Any, ...], out: Tensor | None, options: dict[str, Any]) -> Any:
        """The call for inputs of any type, on any device."""
        grad_enabled = state.grad_enabled
        recorded = False
        signature: list[Any] = []
        on_cpu = on_cuda = 0
        for each in inputs:
            if isinstance(each, TensorBase):
                if each._overrides and not state.overrides_disabled:
                    return self._overridden(inputs, out, options)
                array = each._array
                signature.append((array.dtype, array.ndim > 0))
                if isinstance(array, _ndarray):
                    on_cpu += array.ndim > 0
                else:
                    on_cuda += 1
                if each._base is not None:
                    refresh(each)
                recorded = recorded or (grad_enabled and each._node is not None)
            else:
                if hasattr(type(each), "__torch_function__") and not state.overrides_disabled:
                    return self._overridden(inputs, out, options)
                signature.append(type(each))
        if on_cpu and on_cuda:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{self._devices(inputs)}, in {self.name.strip('_')}"
            )
        compute, rounded = self._computed_in(tuple(signature), inputs)
        if rounded is not None and self._takes_low_precision and not on_cuda:
            result = self.kernels["native"](*self._bring_to(rounded, inputs, False))
            if result is not NotImplemented:
                return self._wrap(inputs, result, recorded, out, options)
        arrays = self._bring_to(compute, inputs, on_cuda > 0)
        try:
            result = self._compute_on_cuda(arrays, options) if on_cuda else self._compute_on_cpu(*arrays, **options)
        except ValueError as error:
            raise _mismatch(arrays, error) from None
        if isinstance(result, (tuple, list)):
            if rounded is not None:
                result = [_in_type(each, rounded) if each.dtype == compute else each for each in result]
            return self._wrap_several(inputs, result, recorded, options)
        if not on_cuda and type(result) is not _ndarray:
            result = np.asarray(result)
        if rounded is not None and result.dtype == compute:
            result = _in_type(result, rounded)
        return self._wrap(inputs, result, recorded, out, options)

    def _overridden(self, inputs: tuple[Any, ...], out: Tensor | None, options: dict[str, Any]) -> Any:
        """Ask the class of an input that overrides operations."""
        kwargs = options if out is None else {**options, "out": out}
        return overrides.handle_torch_function(self, inputs, *inputs, **kwargs)

    def _devices(self, inputs: tuple[Any, ...]) -> str:
        indices = [backend.device_index(each._array) for each in inputs if isinstance(each, TensorBase)]
        return " and ".join(sorted({"cpu" if index is None else f"cuda:{index}" for index in indices}, reverse=True))

    def _computed_in(
        self, signature: tuple[Any, ...], inputs: tuple[Any, ...]
    ) -> tuple[np.dtype | None, np.dtype | None]:
        if self.rule is None:
            return None, None
        key = (signature, dtypes.get_default_dtype())
        found = self._types.get(key)
        if found is None:
            kinds = []
            for position, each in enumerate(inputs):
                if self._is_promoted(position) and each is not None:
                    kinds.append(self._kind(position, each))
            found = self._types[key] = computed_in(self.rule.resolve(kinds))
        return found

    def _is_promoted(self, position: int) -> bool:
        names = self.rule.names  # type: ignore[union-attr]  # asked for primitives with a rule only
        return not names or self.inputs[min(position, len(self.inputs) - 1)] in names

    def _kind(self, position: int, value: object) -> Kind:
        if isinstance(value, TensorBase):
            array = value._array
            return Kind(dtypes.from_numpy_dtype[array.dtype], array.ndim > 0, True)
        try:
            return Kind(dtypes.of_scalar(value), False, False)
        except TypeError:
            name = self.inputs[min(position, len(self.inputs) - 1)]
            message = (
                f"{self.name.strip('_')}(): argument '{name}' must be Tensor or Number, not {type(value).__name__}"
            )
            raise TypeError(message) from None

    def _bring_to(self, compute: np.dtype | None, inputs: tuple[Any, ...], on_cuda: bool) -> list[Any]:
        """Return the arrays of the inputs, in the type to compute in."""
        arrays = []
        for position, each in enumerate(inputs):
            if isinstance(each, TensorBase):
                array = each._array
                if type(array) is OverridingArray:
                    array = array.view(_ndarray)
                if on_cuda and type(array) is _ndarray:
                    array = backend.cupy().asarray(array)  # a zero-dim tensor may join from the CPU
                if compute is not None and array.dtype is not compute and self._is_promoted(position):
                    array = _in_type(array, compute)
                arrays.append(array)
            elif compute is None or each is None or not self._is_promoted(position):
                arrays.append(each)
            else:
                arrays.append(_number(each, compute))
        return arrays

    def _compute_on_cuda(self, arrays: list[Any], options: dict[str, Any]) -> Any:
        cupy = backend.cupy()
        kernel = self.kernels.get("cuda")
        if kernel is not None:
            result = kernel(*arrays, **options)
            if result is not NotImplemented:
                return result
        result = self.forward(cupy, *arrays, **options)
        if isinstance(result, (tuple, list)):
            return [cupy.asarray(each) for each in result]
        return cupy.asarray(result)

    def _wrap_several(
        self, inputs: tuple[Any, ...], results: "tuple[Any, ...] | list[Any]", recorded: bool, options: dict[str, Any]
    ) -> tuple[Tensor, ...]:
        tensors = tuple([wrap(each if hasattr(each, "ndim") and each.ndim else np.asarray(each)) for each in results])
        if self.view:
            for each in tensors:
                mark_view(each, inputs[0])
        if recorded:
            node: Any = self._record(RecordedCallOfSeveral, inputs, tensors, options)
            if node is not None:
                node.metadata = [(each._array.shape, each._array.dtype) for each in tensors]
                node.shape = node.dtype = None
                for index, each in enumerate(tensors):
                    each._node = node.target(index)
        return tensors

    def _intercepted(self, inputs: tuple[Any, ...], out: Tensor | None, options: dict[str, Any]) -> object:
        """Hand the call to the innermost interceptor, which is off while it runs."""
        interceptor = state.interceptors.pop()
        watch.active -= 1
        try:
            return interceptor.intercept(self, inputs, options if out is None else {**options, "out": out})
        finally:
            state.interceptors.append(interceptor)
            watch.active += 1


def _in_type(array: Any, dtype: np.dtype) -> Any:
    """Return an array in another type. NumPy takes long for those of 16 bits, in which much is saved and little computed."""
    if native.available and (array.dtype.itemsize == 2 or dtype.itemsize == 2):
        converted = native.kernels.cast(array, dtype.num)
        if converted is not NotImplemented:
            return converted
    return array.astype(dtype, copy=False)


class PairPrimitive(Primitive):
    """A primitive of two inputs and no options, such as `add` and `matmul`: the same door, with its usual case unrolled.

    These are the calls of which small models are made; what a loop over inputs costs is as much as the arithmetic.
    """

    #: The plan by whether the first and the second input needs a gradient.
    _pair_plans: tuple[tuple[Plan, Plan], tuple[Plan, Plan]]

    def __call__(self, x: Any, other: Any, out: Tensor | None = None) -> Any:  # type: ignore[override]
        """Return the result of the operation, recorded where gradients are wanted."""
        try:
            left, right = x._array, other._array
        except AttributeError:
            return self._call(x, other, out=out)
        plain = left.dtype is _FLOAT32 and right.dtype is _FLOAT32 and type(left) is type(right) is _ndarray
        if not plain or out is not None or watch.active:
            return self._call(x, other, out=out)
        grad_enabled = state.grad_enabled
        try:
            result = self._compute_on_cpu(left, right)
        except ValueError as error:
            raise _mismatch((left, right), error) from None
        if type(result) is not _ndarray:
            result = np.asarray(result)
        tensor = _new(_Tensor)
        tensor._array = result
        tensor._base = tensor._node = None
        if not grad_enabled:
            return tensor
        if x._base is not None:
            refresh(x)
        if other._base is not None:
            refresh(other)
        x_node, other_node = x._node, other._node
        if x_node is None and other_node is None:
            return tensor
        plan = self._pair_plans[x_node is not None][other_node is not None]
        if not (plan.pairs or plan.run) or result.dtype is not _FLOAT32:
            return tensor
        node = RecordedCall.__new__(RecordedCall)
        node.primitive = self
        node.plan = plan
        node.edges = (x_node, other_node)
        node.number = _next_number()
        node.shape = result.shape
        node.dtype = _FLOAT32
        inputs = plan.inputs
        if inputs is None:
            node.saved = recording.collect(plan, (x, other), tensor, _NO_OPTIONS)
        else:
            saved = node.saved = []
            for second in inputs:
                if second:
                    storage = other._storage or storage_of(other)
                    saved.append((right, storage, storage.version))
                else:
                    storage = x._storage or storage_of(x)
                    saved.append((left, storage, storage.version))
        tensor._node = node
        return tensor


def _with_fallback(kernel: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that computes with ``kernel``, and with ``otherwise`` what that declines."""

    def compute(*arrays: object, **options: object) -> object:
        result = kernel(*arrays, **options)
        return otherwise(*arrays, **options) if result is NotImplemented else result

    return compute


_NO_OPTIONS: dict[str, object] = {}
_Tensor: type[Any] = TensorBase


def _learn_tensor_class(cls: type[TensorBase]) -> None:
    global _Tensor
    _Tensor = cls


tensor_base.on_tensor_class(_learn_tensor_class)
native.know(primitive_class=Primitive)


def _number(value: Any, compute: np.dtype) -> Any:
    """Return a Python number so that NumPy computes with it in ``compute``."""
    if isinstance(value, np.generic):
        value = value.item()  # a NumPy number would impose its own type
    kind = compute.kind
    if kind in "fcV":
        return float(value) if type(value) is int else value
    return np.asarray(value).astype(compute) if kind in "iu" else value


def _mismatch(arrays: Sequence[object], error: ValueError) -> Exception:
    """Return what to raise for a NumPy error: PyTorch's when it is that shapes do not broadcast, else the error itself."""
    found: tuple[int, ...] = ()
    if "broadcast" not in str(error):
        return error
    for each in arrays:
        shape = getattr(each, "shape", ())
        for back in range(1, min(len(found), len(shape)) + 1):
            if found[-back] != shape[-back] and found[-back] != 1 != shape[-back]:
                return RuntimeError(
                    f"The size of tensor a ({found[-back]}) must match the size of tensor b ({shape[-back]}) at "
                    f"non-singleton dimension {max(len(found), len(shape)) - back}"
                )
        found = np.broadcast_shapes(found, shape)
    return error


def write_out(result: Tensor, out: Tensor, name: str) -> Tensor:
    """Write a result into ``out``, which takes its shape, and return ``out``.

    RuntimeError when gradients are recorded, or when the result's type cannot be cast to that of ``out``.
    """
    if not isinstance(out, TensorBase):
        raise TypeError(f"{name.strip('_')}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if state.grad_enabled and (result._node is not None or out._node is not None):
        raise RuntimeError(
            f"{name.strip('_')}(): functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad."
        )
    array, target = result._array, out._array
    if out._is_shared_with_itself():
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    if not _can_write(array.dtype, target.dtype):
        have, want = dtypes.from_numpy_dtype[array.dtype].name, dtypes.from_numpy_dtype[target.dtype].name
        raise RuntimeError(f"result type {have} can't be cast to the desired output type {want}")
    if target.shape == array.shape:
        target[...] = array
    else:
        out._array = array.astype(target.dtype)
    storage_of(out).version += 1
    return out


def need_out(out: Tensor | None, dtype: dtypes.dtype, *inputs: object) -> None:
    """Refuse an ``out`` that is of another type than the result, or that shares memory with an input."""
    if not isinstance(out, TensorBase):
        return
    if out.dtype is not dtype:
        raise RuntimeError(f"Expected out tensor to have dtype {dtype.name}, but got {out.dtype.name} instead")
    refuse_any_overlap(out, *inputs)


def _can_write(have: np.dtype, want: np.dtype) -> bool:
    return can_cast(dtypes.from_numpy_dtype[have], dtypes.from_numpy_dtype[want])


def primitive(
    *,
    dtype: Rule | None = None,
    vjp: Mapping[str | tuple[str, ...], Callable[..., Any]] | None = None,
    view: bool = False,
) -> Callable[[Callable[..., Any]], Primitive]:
    """Make a primitive of the forward below: see this module's first lines for what a forward and a formula are."""

    def make(forward: Callable[..., Any]) -> Primitive:
        made = Primitive(forward, vjp=vjp, dtype=dtype, view=view)
        pair = len(made.inputs) == 2 and not made.options and made.variadic is None and not view
        if pair and _IN_PYTHON:
            made.__class__ = PairPrimitive
            made._pair_plans = tuple(  # type: ignore[attr-defined]  # it has become a PairPrimitive
                tuple(made._make_plan((x, other)) for other in (False, True)) for x in (False, True)
            )
        return made

    return make
