"""Every op by its row in ``samples``: values, types, strides, derivatives, in-place and ``out=`` forms, kernels, GPU."""

import contextlib
import importlib
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import facula
import facula.ops
import numpy as np
import pytest
from facula import native
from facula.primitive import Primitive
from samples import ROWS
from samples.exceptions import EXCEPTIONS
from samples.sample import Case, Sample

#: How far a value may be from that of exact arithmetic, by type: a few roundings.
ROUNDING = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 1e-5, "complex64": 1e-5}


def rows(sweep: str) -> Any:
    """Return the mark that runs a test for each row that this sweep applies to."""
    chosen = [row for row in ROWS if sweep not in row.without]
    return pytest.mark.parametrize("row", chosen, ids=[row.name for row in chosen])


# Trees of arguments.


def transform(tree: Any, change: Callable[[Any], Any], kind: type) -> Any:
    """Return the same tuples, lists and dicts with every leaf of this type changed."""
    if isinstance(tree, kind):
        return change(tree)
    if isinstance(tree, dict):
        return {key: transform(each, change, kind) for key, each in tree.items()}
    if isinstance(tree, (tuple, list)):
        changed = [transform(each, change, kind) for each in tree]
        return changed if isinstance(tree, list) else tuple(changed)
    return tree


def tensor(array: np.ndarray) -> facula.Tensor:
    return facula.from_numpy(np.array(array))


def tensors(case: Case, change: Callable[[np.ndarray], facula.Tensor] = tensor) -> tuple[tuple, dict]:
    """Return the arguments and options of a case with tensors for arrays: one for each, however often it stands there."""
    made: dict[int, facula.Tensor] = {}

    def once(values: np.ndarray) -> facula.Tensor:
        if id(values) not in made:
            made[id(values)] = change(values)
        return made[id(values)]

    return transform(case.arguments, once, np.ndarray), transform(case.options, once, np.ndarray)


def several(results: Any) -> list:
    """Return the results of a call as a list, whatever they are nested in."""
    if isinstance(results, (tuple, list)):
        return [each for nested in results for each in several(nested)]
    return [results]


def array(result: Any) -> np.ndarray:
    """Return a result as an array; reduced floating-point types become float32."""
    if not isinstance(result, facula.Tensor):
        return np.asarray(result)
    reduced = result.dtype in (facula.float16, facula.bfloat16)
    return (result.float() if reduced else result).detach().resolve_conj().cpu().numpy()


def assert_equal(found: Any, expected: Any, tolerance: float, what: str) -> None:
    found, expected = several(found), several(expected)
    assert len(found) == len(expected), f"{what}: {len(found)} results, not {len(expected)}"
    for number, (got, wanted) in enumerate(zip(found, expected)):
        got, wanted = array(got), array(wanted)
        assert got.shape == wanted.shape, f"{what}: result {number} has shape {got.shape}, not {wanted.shape}"
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance, err_msg=f"{what}: result {number}")


def expected_of(row: Sample, arguments: tuple, options: dict) -> list[np.ndarray]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return [np.asarray(each) for each in several(row.reference(*arguments, **options))]


def canonical(row: Sample, results: Any) -> Any:
    """Return results in the one form that the reference has, where several are right."""
    if row.canonical is None:
        return results
    with np.errstate(all="ignore"):
        return row.canonical(*[array(each) for each in several(results)])


def numbered(row: Sample) -> Iterator[tuple[str, Case]]:
    for number, case in enumerate(row.cases):
        yield f"{row.name}, call {number}", case


# Values.


@rows("value")
def test_value(row: Sample) -> None:
    for what, case in numbered(row):
        arguments, options = tensors(case)
        found = row.function()(*arguments, **options)
        assert_equal(canonical(row, found), expected_of(row, case.arguments, case.options), row.tolerance, what)
        for name, function in zip(row.aliases, row.public()[1:]):
            assert_equal(row.seeded(function)(*arguments, **options), found, 0, f"{name}, {what}")


@rows("method")
def test_the_method_is_the_function(row: Sample) -> None:
    for name in (row.name, *row.aliases):
        if not hasattr(facula.Tensor, name):
            continue
        for what, case in numbered(row):
            (first, *others), options = tensors(case)
            if not isinstance(first, facula.Tensor):
                continue
            expected = row.function()(first, *others, **options)
            method = row.seeded(getattr(first, name))
            assert_equal(method(*others, **options), expected, 0, f"method {name}, {what}")


# Types.


def in_type(values: np.ndarray, name: str) -> facula.Tensor:
    """Return float64 values as a tensor of a type: integers from twice the values, imaginary parts from the reversed.

    Complex values are brought to complex types only.
    """
    target = getattr(facula, name)
    if values.dtype == np.complex128 and target.is_complex:
        return tensor(values).to(target)
    if values.dtype != np.float64:
        return tensor(values)
    if target.is_complex:
        return tensor(values + 0.5j * values.reshape(-1)[::-1].reshape(values.shape)).to(target)
    if target.is_floating_point:
        return tensor(values).to(target)
    if name == "bool":
        return tensor(values > 0)
    whole = np.round(2 * values)
    return tensor(np.abs(whole) if name == "uint8" else whole).to(target)


def result_type(rule: str, name: str) -> Any:
    kind = getattr(facula, name)
    exact = not kind.is_floating_point and not kind.is_complex
    if rule == "same":
        return kind
    if rule == "float":
        return facula.float32 if exact else kind
    if rule == "sum":
        return facula.int64 if exact else kind
    if rule == "complex":
        return facula.complex128 if name in ("float64", "complex128") else facula.complex64
    if rule == "real":
        return {"complex64": facula.float32, "complex128": facula.float64}.get(name, kind)
    return getattr(facula, rule)


def exactly(given: facula.Tensor, rules: tuple[str, ...]) -> np.ndarray:
    """Return a tensor's values in a type in which NumPy computes what is expected, without rounding or overflow."""
    values = array(given)
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    if values.dtype.kind == "c":
        return values.astype(np.complex128)
    if "float" in rules or "complex" in rules:
        return values.astype(np.float64)
    if "sum" in rules or values.dtype.kind in "iu":
        return values.astype(np.int64)
    return values


@rows("dtype")
def test_result_types(row: Sample) -> None:
    case = row.cases[0]
    for name in row.dtypes:
        what = f"{row.name} of {name}"
        arguments, options = tensors(case, lambda values: in_type(values, name))
        found = several(row.function()(*arguments, **options))
        rules = row.result if isinstance(row.result, tuple) else (row.result,) * len(found)
        for number, (each, rule) in enumerate(zip(found, rules, strict=True)):
            wanted = result_type(rule, name)
            assert each.dtype is wanted, f"{what}: result {number} is {each.dtype}, not {wanted}"
        references = transform((arguments, options), lambda each: exactly(each, rules), facula.Tensor)
        expected = expected_of(row, *references)
        with np.errstate(all="ignore"):
            if row.canonical is None:
                expected = [
                    one.astype(array(each).dtype) if array(each).dtype.kind in "iub" else one
                    for one, each in zip(expected, found, strict=True)
                ]
        tolerance = max(row.tolerance, row.slack * ROUNDING.get(name, 0))
        if any(each.dtype in (facula.float32, facula.complex64) for each in found):
            tolerance = max(tolerance, row.slack * ROUNDING["float32"])
        assert_equal(canonical(row, found), expected, tolerance, what)


# Strides.


def strided(values: np.ndarray) -> facula.Tensor:
    """Return the same values in reversed order of dimensions, with every other number of memory unused."""
    reverse = tuple(range(values.ndim))[::-1]
    memory = np.full((*values.shape[::-1], 2), 0, values.dtype)
    memory[..., 0] = values.transpose(reverse)
    return tensor(memory).select(-1, 0).permute(reverse)


@rows("strides")
def test_other_strides_change_nothing(row: Sample) -> None:
    for what, case in numbered(row):
        arguments, options = tensors(case)
        expected = row.function()(*arguments, **options)
        arguments, options = tensors(case, strided)
        found = row.function()(*arguments, **options)
        assert_equal(canonical(row, found), canonical(row, expected), max(row.tolerance, 1e-12), what)


# Derivatives.


def as_function(
    row: Sample, case: Case, call: Callable, make: Callable[[np.ndarray], facula.Tensor] = tensor
) -> tuple[Callable, list[facula.Tensor]]:
    """Return a case as a function of its differentiable tensors, and these, made of arrays by ``make``."""
    leaves: list[facula.Tensor] = []
    count = 0

    def leaf(values: np.ndarray) -> facula.Tensor:
        nonlocal count
        made = make(values)
        count += 1
        wanted = row.differentiable is None or count - 1 in row.differentiable
        if wanted and values.dtype.kind in "fc":
            made.requires_grad_()
            leaves.append(made)
        return made

    arguments, options = tensors(case, leaf)

    def function(*given: facula.Tensor) -> Any:
        places = {id(each): new for each, new in zip(leaves, given, strict=True)}
        new_arguments, new_options = transform(
            (arguments, options), lambda each: places.get(id(each), each), facula.Tensor
        )
        if row.through is not None:
            new_arguments = (row.through(new_arguments[0]), *new_arguments[1:])
        return tuple(each for each in several(call(*new_arguments, **new_options)) if isinstance(each, facula.Tensor))

    return function, leaves


@rows("derivatives")
def test_derivatives(row: Sample) -> None:
    for what, case in numbered(row):
        function, leaves = as_function(row, case, row.function())
        if not leaves:
            continue
        results = function(*leaves)
        differentiable = any(each.requires_grad for each in results)
        assert differentiable == (row.derivatives > 0), f"{what}: requires_grad is {differentiable}"
        if row.derivatives >= 1:
            assert facula.autograd.gradcheck(function, leaves), what
        if row.derivatives >= 2:
            assert facula.autograd.gradgradcheck(function, leaves), what


# Other forms.


def inplace_forms(row: Sample) -> Iterator[Callable]:
    """Yield functions that overwrite their first argument and return it."""
    for name in (row.name, *row.aliases):
        for place in (facula, facula.Tensor):
            with contextlib.suppress(AttributeError):
                yield row.seeded(attrgetter(name + "_")(place))
    try:
        parameters = inspect.signature(row.function()).parameters
    except ValueError:
        return
    if "inplace" in parameters:
        yield lambda *arguments, **options: row.function()(*arguments, **{**options, "inplace": True})


@rows("in-place")
def test_in_place_forms(row: Sample) -> None:
    for form in inplace_forms(row):
        for what, case in numbered(row):
            arguments, options = tensors(case)
            first = arguments[0]
            if not isinstance(first, facula.Tensor):
                continue
            expected = row.function()(*arguments, **options)
            if several(expected) != [expected] or (first.shape, first.dtype) != (expected.shape, expected.dtype):
                continue
            found = form(*arguments, **options)
            assert found is first, f"{what}: in place gives another tensor"
            assert_equal(found, expected, 0, f"{what} in place")
            if row.has_derivatives():
                expected_function, leaves = as_function(row, case, row.function())
                function, _ = as_function(row, case, lambda x, *others, **kept: form(x.clone(), *others, **kept))
                assert_equal(
                    gradients(function, leaves), gradients(expected_function, leaves), 1e-12, f"{what} in place"
                )


def gradients(function: Callable, leaves: list[facula.Tensor]) -> list[facula.Tensor]:
    """Return the gradients of all differentiable results' sum."""
    results = [each for each in function(*leaves) if each.requires_grad]
    seeds = [facula.ones_like(each) for each in results]
    found = facula.autograd.grad(results, leaves, seeds, allow_unused=True)
    return [each for each in found if each is not None]


@rows("out")
def test_out(row: Sample) -> None:
    try:
        parameters = inspect.signature(row.function()).parameters
    except ValueError:
        return
    if "out" not in parameters:
        return
    for what, case in numbered(row):
        arguments, options = tensors(case)
        expected = row.function()(*arguments, **options)
        for shaped in (True, False):
            out = transform(
                tuple(expected) if isinstance(expected, (tuple, list)) else expected,
                lambda each: facula.empty(each.shape if shaped else 0, dtype=each.dtype),
                facula.Tensor,
            )
            found = row.function()(*arguments, **options, out=out)
            for each, given in zip(several(found), several(out), strict=True):
                assert each is given, f"{what}: out= gives another tensor"
            assert_equal(out, expected, 0, f"{what} with out=")


# Kernels and devices.


def modules() -> Iterator[Any]:
    for found in pkgutil.iter_modules(facula.ops.__path__, "facula.ops."):
        yield importlib.import_module(found.name)


def primitives() -> list[Primitive]:
    """Return all primitives of the loaded modules."""
    list(modules())
    loaded = [module for name, module in sys.modules.items() if name.startswith("facula")]
    return list({id(each): each for m in loaded for each in vars(m).values() if isinstance(each, Primitive)}.values())


def in_float32(values: np.ndarray) -> facula.Tensor:
    return in_type(values, "float32")


def without_signs(u: np.ndarray, s: np.ndarray, vh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what singular vectors multiply to, and the values: their signs are a matter of taste."""
    count = s.shape[-1]
    return (u[..., :count] * s[..., None, :]) @ vh[..., :count, :], s


def without_directions(values: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what eigenvalues and eigenvectors multiply to, and the values: the vectors' signs are a matter of taste."""
    return (vectors * values[..., None, :]) @ vectors.swapaxes(-1, -2).conj(), values


#: What results of a primitive are compared by, where a kernel may give others that are right.
COMPARED_BY = {"_svd": without_signs, "_eigh": without_directions}


@pytest.mark.parametrize("kind", ["cpu", "native"])
def test_kernels_give_what_the_array_code_gives(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "native" and not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    compared: set[str] = set()

    def comparing(primitive: Primitive) -> Callable:
        kernel = primitive.kernels[kind]

        def compute(*arrays: Any, **options: Any) -> Any:
            result = kernel(*arrays, **options)
            expected = primitive.forward(np, *arrays, **options)
            if result is NotImplemented:
                return expected
            compared.add(primitive.name)
            given = result
            if primitive.name in COMPARED_BY:
                given, expected = COMPARED_BY[primitive.name](*result), COMPARED_BY[primitive.name](*expected)
            scale = max([1.0, *(float(np.abs(np.nan_to_num(each)).max(initial=0)) for each in several(expected))])
            assert_equal(given, expected, 1e-5 * scale, f"kernel of {primitive.name}")
            return result

        return compute

    # What moves an array to another device is no computation, and has no array code.
    with_kernels = [each for each in primitives() if kind in each.kernels and each.name != "_move"]
    for each in with_kernels:
        monkeypatch.setattr(each, "_compute_on_cpu", comparing(each))
    for row in ROWS:
        if "kernel" in row.without:
            continue
        for _, case in numbered(row):
            for change in (tensor, in_float32):
                if change is in_float32 and "float32" not in row.dtypes:
                    continue
                arguments, options = tensors(case, change)
                row.function()(*arguments, **options)
                if row.has_derivatives():
                    function, leaves = as_function(row, case, row.function(), change)
                    gradients(function, leaves)
    unreached = {each.name for each in with_kernels} - compared
    assert not unreached, f"no row reaches the kernels of {sorted(unreached)}"


@pytest.mark.gpu
@pytest.mark.skipif(not facula.cuda.is_available(), reason="needs CuPy and an NVIDIA GPU")
@rows("gpu")
def test_cuda_gives_what_the_cpu_gives(row: Sample) -> None:
    for what, case in numbered(row):
        arguments, options = tensors(case)
        expected = row.function()(*arguments, **options)
        arguments, options = tensors(case, lambda values: tensor(values).cuda())
        found = row.function()(*arguments, **options)
        assert_equal(canonical(row, found), canonical(row, expected), max(row.tolerance, 1e-9), what)
        if row.has_derivatives():
            function, leaves = as_function(row, case, row.function())
            on_cuda, _ = as_function(row, case, row.function())
            moved = [each.detach().cuda().requires_grad_() for each in leaves]
            assert_equal(gradients(on_cuda, moved), gradients(function, leaves), 1e-8, f"gradients of {what}")


# Completeness.


def public_ops() -> dict[Callable[..., Any], str]:
    """Return the names of all public functions that compute with tensors, by the function."""
    found: dict[Callable[..., Any], str] = {}
    faces = ["facula.creation", "facula.ranges", "facula.fft", "facula.linalg", "facula.special"]
    for module in (*modules(), *map(importlib.import_module, faces)):
        for name in getattr(module, "__all__", ()):
            # What begins with an underscore has PyTorch's private name, for other libraries' sake.
            if (
                not name.startswith("_")
                and callable(getattr(module, name))
                and not isinstance(getattr(module, name), type)
            ):
                found.setdefault(getattr(module, name), f"{module.__name__}.{name}")
    return found


def test_every_public_op_has_a_row() -> None:
    having = {function for row in ROWS for function in row.public()}
    ops = public_ops()
    # An in-place form belongs to the row of its function.
    having |= {
        key for key, name in ops.items() if name.endswith("_") and name[:-1] in {ops.get(each) for each in having}
    }
    missing = [name for key, name in ops.items() if key not in having and name not in EXCEPTIONS]
    if missing:
        listing = "\n  ".join(missing)
        pytest.fail(f"{len(missing)} ops have no row in packages/core/tests/samples:\n  {listing}", pytrace=False)


def test_the_exceptions_are_ops_without_a_row() -> None:
    names = set(public_ops().values())
    unknown = [name for name in EXCEPTIONS if name not in names]
    assert not unknown, f"samples/exceptions.py names what is no public op: {unknown}"
