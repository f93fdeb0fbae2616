"""The checks of a module of PyTorch's database: each returns how facula differs, or None."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import facula
import torch
from torch.testing._internal import common_modules as database

from tests.conformance.comparison import Tolerances, difference, tensors
from tests.conformance.inputs import Carrier, Copier, NotCarried, carried_function, returned
from tests.conformance.operators import SEED, NoCase, _widened, drew, first_reason, refusal_reason, seed, spread, words

#: How many samples are tried for each type, in training and in evaluation.
SAMPLES = 8


def _remembering(cls: type, *args: Any, **kwargs: Any) -> Any:
    """Make a module that knows what it was made of, so that one that is an argument can be made again."""
    made = object.__new__(cls)
    made.__dict__["_made_of"] = args, kwargs
    return made


torch.nn.Module.__new__ = staticmethod(_remembering)  # type: ignore[method-assign]


def entries() -> dict[str, Any]:
    """Return the modules of the database by name."""
    return {each.name: each for each in database.module_db}


class Made:
    """One sample's module in both libraries, with the same state."""

    def __init__(self, info: Any, dtype: torch.dtype, training: bool, sample: Any) -> None:
        self.sample = sample
        given = sample.constructor_input
        torch.manual_seed(SEED)
        self.theirs = info.module_cls(*given.args, **given.kwargs).to(dtype).train(training)
        args, kwargs = Carrier()((given.args, given.kwargs))
        mine = carried_function(info.module_cls)
        facula.manual_seed(SEED)
        self.mine = mine(*args, **kwargs).to(Carrier()(dtype)).train(training)
        self.names_here, self.names_there = repr(self.mine), repr(self.theirs)
        if info.is_lazy and sample.forward_input is not None:
            self.run(self.theirs, Copier(), torch)
            self.run(self.mine, Carrier(), facula)

    def run(self, module: Any, copier: Copier, library: Any) -> Any:
        """Return what a module gives for the sample."""
        args, kwargs = copier((self.sample.forward_input.args, self.sample.forward_input.kwargs))
        library.manual_seed(SEED)
        return module(*args, **kwargs)

    def load(self) -> None:
        """Give facula's module the state of PyTorch's."""
        self.mine.load_state_dict({name: Carrier()(each) for name, each in self.theirs.state_dict().items()})


class ModuleChecks:
    """The checks of one module."""

    def __init__(self, info: Any) -> None:
        self.info = info
        self.tolerances = Tolerances(info.decorators)

    def figures(self) -> dict[str, Callable[[], str | None]]:
        """Return the checks that apply, by name."""
        found = {
            "repr": functools.partial(self._each, self.names),
            "state": functools.partial(self._each, self.state),
            "forward": functools.partial(self._each, self.forward),
            "grad": functools.partial(self._each, self.gradient),
        }
        if self.info.module_error_inputs_func is not None:
            found["errors"] = self.errors
        return found

    def _samples(self) -> Iterator[tuple[str, torch.dtype, bool, Any]]:
        for training in (True, False):
            for dtype in (torch.float64, torch.float32):
                if dtype not in self.info.dtypes:
                    continue
                seed()
                found = list(self.info.module_inputs_func(self.info, "cpu", dtype, True, training))
                for number, sample in spread(list(enumerate(found)), SAMPLES):
                    yield (
                        f"{str(dtype)[6:]} {'training' if training else 'evaluation'} {number}",
                        dtype,
                        training,
                        sample,
                    )

    def _each(self, check: Callable[[Made], str | None]) -> str | None:
        def compare(case: tuple[torch.dtype, bool, Any]) -> str | None:
            try:
                return check(Made(self.info, *case))
            except NotCarried as error:
                raise NoCase(str(error)) from None
            except NoCase:
                raise
            except Exception as error:
                return words(error)

        return first_reason(((where, tuple(case)) for where, *case in self._samples()), compare)

    def names(self, made: Made) -> str | None:
        """Compare what the modules are printed as."""
        if made.names_here == made.names_there:
            return None
        return f"expected {made.names_there!r}, got {made.names_here!r}"[:200]

    def state(self, made: Made) -> str | None:
        """Compare names, shapes and order of the state, and the parameters that the same seed gives."""
        theirs, mine = made.theirs.state_dict(), made.mine.state_dict()
        if list(theirs) != list(mine):
            return f"names: expected {list(theirs)}, got {list(mine)}"[:200]
        for name, value in theirs.items():
            if isinstance(value, torch.Tensor):
                reason = difference(value, returned(mine[name]), self.tolerances)
                if reason is not None:
                    return f"{name}: {reason}"
        made.load()
        return None

    def forward(self, made: Made) -> str | None:
        """Compare results, and the buffers after."""
        expected, drawn, found = self._run(made)
        reason = difference(expected, returned(found), self.tolerances, not drawn, self._exact(made))
        if reason is not None:
            return reason
        for name, value in made.theirs.state_dict().items():
            if isinstance(value, torch.Tensor):
                reason = difference(value, returned(made.mine.state_dict()[name]), self.tolerances, not drawn)
                if reason is not None:
                    return f"{name} afterwards: {reason}"
        return None

    def _run(self, made: Made) -> tuple[Any, bool, Any]:
        if made.sample.forward_input is None:
            raise NoCase("no forward input")
        made.load()
        torch.manual_seed(SEED)
        before = torch.get_rng_state()
        self._given = Copier(), Carrier()
        try:
            expected = made.run(made.theirs, self._given[0], torch)
        except Exception as error:
            raise NoCase(words(error)) from None
        return expected, drew(before), made.run(made.mine, self._given[1], facula)

    def _exact(self, made: Made) -> Callable[[], Any]:
        def compute() -> Any:
            try:
                given = made.sample.forward_input
                args, kwargs = _widened(Copier()((given.args, given.kwargs)))
                return made.theirs.double()(*args, **kwargs)
            except Exception:
                return []

        return compute

    def gradient(self, made: Made) -> str | None:
        """Compare the gradients of inputs and parameters, in double precision."""
        if next(iter(made.theirs.parameters()), torch.zeros(0, dtype=torch.float64)).dtype != torch.float64:
            raise NoCase("single precision")
        expected, drawn, found = self._run(made)
        copier, carrier = self._given
        theirs = [each for each in tensors(expected) if each.requires_grad]
        mine = [each for each in tensors(found, facula.Tensor) if each.requires_grad]
        if len(theirs) != len(mine):
            return f"{len(theirs)} results with gradients expected, got {len(mine)}"
        wrt = [*copier.leaves, *made.theirs.parameters()]
        if not theirs or not wrt or theirs[0].dtype != torch.float64:
            raise NoCase("nothing to differentiate")
        torch.manual_seed(SEED)
        weights = [torch.randn_like(each) for each in theirs]
        try:
            wanted = torch.autograd.grad(theirs, wrt, weights, allow_unused=True)
        except Exception as error:
            raise NoCase(words(error)) from None
        carried = [Carrier()(each) for each in weights]
        got = facula.autograd.grad(mine, [*carrier.leaves, *made.mine.parameters()], carried, allow_unused=True)
        names = [f"input {n}" for n in range(len(copier.leaves))] + [name for name, _ in made.theirs.named_parameters()]
        for name, a, b in zip(names, wanted, got, strict=True):
            if a is None and b is None:
                continue
            if a is None or b is None:
                present = a if b is None else returned(b)
                if bool((present != 0).any()):
                    return f"gradient of {name}: {'none' if a is None else 'one'} expected"
                continue
            reason = difference(a, returned(b), self.tolerances, not drawn)
            if reason is not None:
                return f"gradient of {name}: {reason}"
        return None

    def errors(self) -> str | None:
        """Compare what is refused, when a module is made and when it is called."""
        seed()
        ran = False
        cases = self.info.module_error_inputs_func(self.info, "cpu", torch.float32, False, True)
        for number, case in enumerate(cases):
            given = case.module_error_input
            failures: list[BaseException | None] = []
            for cls, copier in ((self.info.module_cls, Copier()), (carried_function(self.info.module_cls), Carrier())):
                try:
                    args, kwargs = copier((given.constructor_input.args, given.constructor_input.kwargs))
                    module = cls(*args, **kwargs)
                    if given.forward_input is not None:
                        args, kwargs = copier((given.forward_input.args, given.forward_input.kwargs))
                        module(*args, **kwargs)
                    failures.append(None)
                except Exception as error:
                    failures.append(error)
            expected, found = failures
            if expected is None:
                continue
            ran = True
            reason = refusal_reason(expected, found)
            if reason is not None:
                return f"{reason} (error {number})"
        if not ran:
            raise NoCase("nothing is refused")
        return None
