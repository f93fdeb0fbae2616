"""The checks of an operator of PyTorch's database: each returns how facula differs, or None."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import facula
import numpy as np
import torch
from torch.testing._internal import common_methods_invocations as database

from tests.conformance.comparison import WIDER, Tolerances, difference, tensors
from tests.conformance.inputs import Absent, Carrier, Copier, NotCarried, carried_function, returned
from tests.conformance.invariants import CHOOSING, INVARIANTS, floor, invariant, same_choice

#: The types results are compared in, and those that are tried where an operator has none of them.
TYPES = (torch.float32, torch.int64, torch.bool, torch.complex64)
OTHER_TYPES = (torch.float64, torch.complex128, torch.float16, torch.float8_e4m3fn)
#: How many samples each check takes at most, spread over all there are; larger ones are left out.
SAMPLES = {"forward": 24, "gradient": 10, "second gradient": 6, "variant": 8, "errors": 40}
LARGEST = 100_000
SEED = 2024
#: Gradients that go through factorizations lose more than one rounding.
FACTORIZING = ("linalg", "svd", "cholesky", "lu", "qr", "inverse", "triangular", "det", "matrix_exp", "ormqr", "pinv")


#: PyTorch's tests differentiate some operators after making their input hermitian, triangular or probabilities.
SYMMETRIZING = ("_hermitian_input", "_triangular_input_real_positive_diagonal", "_ctc_loss")


class NoCase(Exception):
    """PyTorch itself has nothing to compare with."""


def _as_it_is(operator: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return operator(*args, **kwargs)


# PyTorch's tests seed before each call of some operators, and put the state back after; here the seed is ours to set.
database.wrapper_set_seed = _as_it_is


class Side:
    """One of the two libraries: how it gets its arguments and its functions, and how its results are read."""

    def __init__(self, library: Any, copier: type[Copier], function: Callable[..., Any], read: Callable[[Any], Any]):
        self.library, self.copier, self.function, self.read = library, copier, function, read


PYTORCH = Side(torch, Copier, lambda function, name="": function, lambda result: result)
FACULA = Side(facula, Carrier, carried_function, returned)


def entries() -> dict[str, Any]:
    """Return the operators of the database by name."""
    return {each.full_name: each for each in database.op_db}


def seed(value: int = SEED) -> None:
    """Seed every generator that PyTorch's samples are drawn from."""
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def spread(items: list[Any], most: int) -> list[Any]:
    """Return at most so many of the items, evenly spread from the first to the last."""
    if len(items) <= most:
        return items
    return [items[round(position * (len(items) - 1) / (most - 1))] for position in range(most)]


def _size(sample: Any) -> int:
    return sum(each.numel() for each in tensors([sample.input, sample.args, sample.kwargs]))


def samples(op: Any, dtype: torch.dtype, most: int, requires_grad: bool = False) -> list[tuple[str, Any]]:
    """Return samples of an operator, each with words that find it again."""
    seed()
    drawn = op.sample_inputs("cpu", dtype, requires_grad=requires_grad, set_seed=False)
    numbered = list(enumerate(itertools.islice(drawn, 1500)))
    chosen = [pair for pair in numbered if _size(pair[1]) <= LARGEST] or numbered
    return [(f"{str(dtype)[6:]} sample {number}", sample) for number, sample in spread(chosen, most)]


def types_of(op: Any) -> list[torch.dtype]:
    """Return the types an operator's results are compared in."""
    return [each for each in TYPES if each in op.dtypes] or [each for each in OTHER_TYPES if each in op.dtypes][:1]


def words(error: BaseException) -> str:
    """Return an exception in one line."""
    if isinstance(error, Absent):
        return str(error)
    return f"raised {type(error).__name__}: {error}".strip().split("\n")[0][:160]


def first_reason(cases: Iterable[tuple[str, Any]], compare: Callable[[Any], str | None]) -> str | None:
    """Return the first difference that is found in a case, with the words that find the case again."""
    ran = False
    for where, case in cases:
        try:
            reason = compare(case)
        except NoCase:
            continue
        ran = True
        if reason is not None:
            return f"{reason} ({where})"
    if not ran:
        raise NoCase("no sample")
    return None


def refusal_reason(expected: BaseException, found: BaseException | None) -> str | None:
    """Return how what was raised here, if anything, differs from what PyTorch raised."""
    if found is None:
        return f"accepted, expected {words(expected)}"
    return None if _same_kind(found, expected) else f"{words(found)}, expected {type(expected).__name__}"


def drew(state: torch.Tensor) -> bool:
    """Return whether random numbers were drawn since the state was taken."""
    return not torch.equal(state, torch.get_rng_state())


def reference(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, bool]:
    """Return PyTorch's result, and whether it is made of random numbers."""
    torch.manual_seed(SEED)
    before = torch.get_rng_state()
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        raise NoCase(words(error)) from None
    return result, drew(before)


class OperatorChecks:
    """The checks of one operator."""

    def __init__(self, op: Any) -> None:
        self.op = op
        #: How many samples drew random numbers, and how many of those drew other ones.
        self.drawn, self.other_draws = 0, ""

    def figures(self) -> dict[str, Callable[[], str | None]]:
        """Return the checks that apply, by name."""
        op = self.op
        found: dict[str, Callable[[], str | None]] = {"forward": self.forward}
        if op.supports_autograd:
            found["grad"] = functools.partial(self.gradients, 1)
        if op.supports_autograd and op.supports_gradgrad:
            found["gradgrad"] = functools.partial(self.gradients, 2)
        if op.inplace_variant is not None:
            found["inplace"] = functools.partial(self.variant, op.inplace_variant, writes=True)
        if op.method_variant is not None:
            found["method"] = functools.partial(self.variant, op.method_variant, writes=False)
        if op.supports_out:
            found["out"] = self.out
        if op.error_inputs_func is not None:
            found["errors"] = self.errors
        found["seeded"] = self.seeded
        return found

    def compare(
        self, expected: Any, found: Any, drawn: bool, input: Any, exact: Callable[[], Any] | None
    ) -> str | None:
        """Return how facula's result differs from PyTorch's: random ones may in their values, but are remembered."""
        name, tolerances = self.op.name, Tolerances(self.op.decorators)
        if self.op.has_nondeterministic_output:
            return difference(expected, found, tolerances, values=False)
        if drawn:
            self.drawn += 1
            pair = invariant(name, expected), invariant(name, found)
            self.other_draws = self.other_draws or difference(*pair, Tolerances(floor=3e-5)) or ""
            return difference(expected, found, tolerances, values=False)
        if name in CHOOSING and isinstance(input, torch.Tensor):
            found = same_choice(expected, found, input)
        if name not in INVARIANTS:
            return difference(expected, found, tolerances, exact=exact)
        reason = difference(expected, found, tolerances, values=False)
        if reason is None and tensors(expected):
            tolerances = Tolerances(self.op.decorators, floor(name, tensors(expected)[0].dtype))
            reason = difference(invariant(name, expected), invariant(name, found), tolerances)
        return reason

    def exact(self, function: Callable[..., Any], given: Any) -> Callable[[], Any]:
        """Return what computes PyTorch's result in double precision."""

        @functools.cache
        def compute() -> Any:
            try:
                input, args, kwargs = _widened(Copier()(given))
                torch.manual_seed(SEED)
                return function(input, *args, **kwargs)
            except Exception:
                return []

        return compute

    def call(self, function: Callable[..., Any], given: Any, writes: bool = False) -> str | None:
        """Return how one call differs: in its result, and in its input after the call where it ``writes`` there."""
        input, args, kwargs = Copier()(given)
        expected, drawn = reference(function, (input, *args), kwargs)
        try:
            mine = carried_function(function, self.op.name if function is self.op.op else "")
            my_input, my_args, my_kwargs = Carrier()(given)
            facula.manual_seed(SEED)
            found = mine(my_input, *my_args, **my_kwargs)
            result = returned(found)
        except NotCarried as error:
            raise NoCase(str(error)) from None
        except Exception as error:
            return words(error)
        exact = self.exact(function, given)
        reason = self.compare(expected, result, drawn, given[0], exact)
        if writes and reason is None:
            reason = self.compare(input, returned(my_input), drawn, given[0], exact)
            if reason is None and expected is input and found is not my_input:
                reason = "structure: what it returns is not its input"
        return reason

    def forward(self) -> str | None:
        """Compare results."""
        cases = (pair for dtype in types_of(self.op) for pair in samples(self.op, dtype, SAMPLES["forward"]))
        return first_reason(cases, lambda each: self.call(self.op.op, (each.input, each.args, each.kwargs)))

    def seeded(self) -> str | None:
        """Compare what is drawn from the same seed."""
        if not self.drawn:
            raise NoCase("nothing is drawn")
        return self.other_draws or None

    def _some(self) -> Iterator[tuple[str, Any]]:
        """Yield samples of each type, those without elements last."""
        for dtype in types_of(self.op):
            found = samples(self.op, dtype, SAMPLES["variant"])
            yield from sorted(found, key=lambda pair: _size(pair[1]) == 0)

    def variant(self, function: Callable[..., Any], writes: bool) -> str | None:
        """Compare a form of the operator: its method, or the one that writes into its input."""
        cases = (
            (where, sample)
            for where, sample in self._some()
            if isinstance(sample.input, torch.Tensor) and not (writes and sample.broadcasts_input)
        )
        return first_reason(cases, lambda each: self.call(function, (each.input, each.args, each.kwargs), writes))

    def out(self) -> str | None:
        """Compare what is written to ``out=``, of the result's shape and without elements."""
        ran = False
        for where, sample in self._some():
            given = sample.input, sample.args, sample.kwargs
            if "out" in sample.kwargs:
                continue
            try:
                input, args, kwargs = Copier()(given)
                first, drawn = reference(self.op.op, (input, *args), kwargs)
            except NoCase:
                continue
            if not tensors(first):
                continue
            for kind in ("full", "empty"):
                out = _place(first, kind)
                try:
                    reason = self._written(given, first, out, drawn)
                except NoCase:
                    continue
                ran = True
                if reason is not None:
                    return f"{reason} ({where}, {kind} out)"
        if not ran:
            raise NoCase("no sample")
        return None

    def _written(self, given: Any, first: Any, out: Any, drawn: bool) -> str | None:
        input, args, kwargs = Copier()(given)
        expected = Copier()(out)
        reference(self.op.op, (input, *args), {**kwargs, "out": expected})
        if not self.op.has_nondeterministic_output and difference(first, expected, Tolerances()) is not None:
            raise NoCase("PyTorch writes something else than it returns")
        try:
            mine = carried_function(self.op.op, self.op.name)
            input, args, kwargs = Carrier()(given)
            found = Carrier()(out)
            facula.manual_seed(SEED)
            mine(input, *args, **kwargs, out=found)
            found = returned(found)
        except NotCarried as error:
            raise NoCase(str(error)) from None
        except Exception as error:
            return words(error)
        return self.compare(expected, found, drawn, given[0], self.exact(self.op.op, given))

    def errors(self) -> str | None:
        """Compare what is refused, and with which type of exception."""
        function, ran = carried_function(self.op.op, self.op.name), False
        seed()
        cases = list(itertools.islice(self.op.error_inputs("cpu", set_seed=False), 500))
        for number, case in enumerate(spread(cases, SAMPLES["errors"])):
            given = case.sample_input.input, case.sample_input.args, case.sample_input.kwargs
            if issubclass(case.error_type, Warning):
                continue
            try:
                copied, carried = Copier()(given), Carrier()(given)
            except Exception:  # what cannot be carried, such as more dimensions than NumPy has
                continue
            try:
                self.op.op(copied[0], *copied[1], **copied[2])
                continue
            except Exception as error:
                expected = error
            ran = True
            found = None
            try:
                function(carried[0], *carried[1], **carried[2])
            except Exception as error:
                found = error
            reason = refusal_reason(expected, found)
            if reason is not None:
                return f"{reason} (error {number})"
        if not ran:
            raise NoCase("nothing is refused")
        return None

    def gradients(self, order: int) -> str | None:
        """Compare first or second derivatives in double precision."""
        op = self.op
        dtype = next((t for t in (torch.float64, torch.complex128) if t in op.dtypes and t in op.backward_dtypes), None)
        if dtype is None:
            raise NoCase("no double precision")
        least = 1e-6 if any(word in op.name for word in FACTORIZING) else 1e-7
        tolerances = Tolerances(op.decorators, least * (10 if order == 2 else 1))
        ran = False
        for where, sample in samples(op, dtype, SAMPLES["gradient" if order == 1 else "second gradient"], True):
            try:
                reason = self._gradient_difference(sample, order, tolerances)
            except NoCase:
                continue
            ran = True
            if reason is not None:
                return f"{reason} ({where})"
        if not ran:
            raise NoCase("nothing to differentiate")
        return None

    def _gradient_difference(self, sample: Any, order: int, tolerances: Tolerances) -> str | None:
        torch.manual_seed(SEED)
        before = torch.get_rng_state()
        try:
            expected = Derivatives(self.op, sample, PYTORCH, order)
        except Exception as error:
            raise NoCase(words(error)) from None
        drawn = drew(before)
        try:
            facula.manual_seed(SEED)
            found = Derivatives(self.op, sample, FACULA, order, expected)
        except NotCarried as error:
            raise NoCase(str(error)) from None
        except Exception as error:
            return words(error)
        values = not self.op.has_nondeterministic_output
        if values and (drawn or self.op.name in INVARIANTS):
            # Gradients of other draws, or of other ones of several right results, are other gradients.
            values = difference(expected.results, found.results, Tolerances(floor=1e-6)) is None
        for what in ("first", "second"):
            pairs = zip(getattr(expected, what), getattr(found, what), strict=True)
            for number, (a, b) in enumerate(pairs):
                if a is None or b is None:
                    present = a if b is None else b
                    if present is not None and values and bool((present != 0).any()):
                        return f"gradient {number} ({what}): {'one' if b is None else 'none'} expected"
                    continue
                reason = difference(a, b, tolerances, values)
                if reason is not None:
                    return f"gradient {number} ({what}): {reason}"
        return None


class Derivatives:
    """The derivatives of one sample in one of the libraries; the second library repeats what the first chose."""

    def __init__(self, op: Any, sample: Any, side: Side, order: int, leader: Derivatives | None = None) -> None:
        carry = side.copier()
        input, args, kwargs = carry((sample.input, sample.args, sample.kwargs))
        function = side.function(op.op, op.name)
        if op.gradcheck_wrapper.__name__.endswith(SYMMETRIZING):
            function = functools.partial(side.function(op.gradcheck_wrapper), function)
        process = side.function(sample.output_process_fn_grad)
        every = tensors(process(function(input, *args, **kwargs)), side.library.Tensor)
        every = [each.to_dense() if "sparse" in str(each.layout) else each for each in every]
        #: Which results have gradients.
        self.chosen = leader.chosen if leader else [n for n, each in enumerate(every) if each.requires_grad]
        if not self.chosen:
            raise NoCase("nothing to differentiate")
        results = [every[position] for position in self.chosen]
        self.results = side.read([each.detach() for each in results])
        self.weights = leader.weights if leader else [_weights(each) for each in results]
        weights = [side.copier()(each.detach().requires_grad_(order == 2)) for each in self.weights]
        grad = side.library.autograd.grad
        first = grad(results, carry.leaves, weights, create_graph=order == 2, allow_unused=True)
        self.first = [None if each is None else side.read(each.detach()) for each in first]
        self.second: list[Any] = []
        if order == 1:
            return
        #: Which gradients have gradients of their own, and what those are weighted with.
        self.again: dict[int, torch.Tensor] = (
            leader.again
            if leader
            else {n: _weights(each) for n, each in enumerate(first) if each is not None and each.requires_grad}
        )
        reached = {n: w for n, w in self.again.items() if first[n] is not None and first[n].requires_grad}
        wrt = [*carry.leaves, *weights]
        if reached:
            second = grad(
                [first[n] for n in reached], wrt, [side.copier()(w) for w in reached.values()], allow_unused=True
            )
            self.second = [None if each is None else side.read(each.detach()) for each in second]
        else:
            self.second = [None] * len(wrt)


def _weights(result: torch.Tensor) -> torch.Tensor:
    """Return what a result is weighted with: nothing where it is not finite, for no gradient means anything there."""
    generator = torch.Generator().manual_seed(result.numel())
    weights = torch.randn(result.shape, dtype=result.dtype, generator=generator)
    return torch.where(torch.isfinite(result.detach()), weights, torch.zeros_like(weights))


def _widened(value: Any) -> Any:
    """Return a nest with its tensors of single precision, and such types, in double precision."""
    if isinstance(value, torch.Tensor):
        return value.to(WIDER.get(value.dtype, value.dtype))
    if isinstance(value, torch.dtype):
        return WIDER.get(value, value)
    if type(value) in (list, tuple):
        return type(value)(map(_widened, value))
    if isinstance(value, dict):
        return {key: _widened(each) for key, each in value.items()}
    return value


def _place(result: Any, kind: str) -> Any:
    """Return tensors that a result can be written to."""
    if isinstance(result, torch.Tensor):
        return torch.ones(result.shape if kind == "full" else (0,), dtype=result.dtype)
    places = [_place(each, kind) for each in result]
    return places if type(result) is list else tuple(places)


def _same_kind(error: BaseException, expected: BaseException) -> bool:
    """Return whether an exception is of the type that PyTorch's is, or of what its type is derived from."""
    kind: type = type(expected)
    while kind.__module__ != "builtins":
        kind = kind.__bases__[0]
    return isinstance(error, kind)
