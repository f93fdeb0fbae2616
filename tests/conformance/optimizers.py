"""The checks of optimizers, of PyTorch's database, and of schedules: each returns how facula differs, or None."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import facula
import torch
from torch.testing._internal import common_optimizers as database

from tests.conformance.comparison import Tolerances, difference
from tests.conformance.inputs import Carrier, Copier, NotCarried, carried_function, named
from tests.conformance.operators import FACULA, PYTORCH, NoCase, Side, refusal_reason, seed, words

STEPS = 5
#: One step adds up roundings of several operations; five of them a little more.
TOLERANCES = Tolerances(floor=1e-5)


def entries() -> dict[str, Any]:
    """Return the optimizers of the database by name."""
    return {each.name: each for each in database.optim_db}


class Training:
    """A few steps of an optimizer in one library, towards the same goals from the same beginnings."""

    def __init__(self, info: Any, options: dict[str, Any], side: Side, sparse: bool = False) -> None:
        self.side, self.sparse, carry = side, sparse, side.copier()
        generator = torch.Generator().manual_seed(0)
        shapes = [(3, 4), (4, 2) if info.name == "Muon" else (4,)]
        beginnings = [torch.randn(shape, generator=generator) for shape in shapes]
        self.goals = [carry(torch.randn(shape, generator=generator)) for shape in shapes]
        self.parameters = [carry(torch.nn.Parameter(each)) for each in beginnings]
        self.optimizer = side.function(info.optim_cls)(self.parameters, **carry(options))
        self.needs_closure = info.step_requires_closure

    def loss(self) -> Any:
        """Return how far the parameters are from the goals, and set their gradients."""
        self.optimizer.zero_grad()
        pairs = list(zip(self.parameters, self.goals, strict=True))
        loss = sum(((each - goal) ** 2 + 0.05 * each**4).sum() for each, goal in pairs)
        loss.backward()
        if self.sparse:
            rows = self.side.copier()(torch.tensor([[0, 2, 2]]))
            for each in self.parameters:
                sizes = tuple(each.shape)
                each.grad = self.side.library.sparse_coo_tensor(rows, each.grad[rows[0]], sizes)
        return loss

    def run(self, steps: int = STEPS) -> Iterator[Any]:
        """Yield the parameters after each step."""
        for _ in range(steps):
            if self.needs_closure:
                self.optimizer.step(self.loss)
            else:
                self.loss()
                self.optimizer.step()
            yield self.side.read([each.detach().clone() for each in self.parameters])


class OptimizerChecks:
    """The checks of one optimizer."""

    def __init__(self, info: Any) -> None:
        self.info = info

    def figures(self) -> dict[str, Callable[[], str | None]]:
        """Return the checks that apply, by name."""
        found = {"steps": self.steps, "state": self.state, "repr": self.names, "errors": self.errors}
        if self.info.supports_sparse and not self.info.only_supports_sparse_grads:
            found["sparse"] = self.sparse
        return found

    def _options(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in self.info.optim_inputs_func(device="cpu", dtype=torch.float32):
            yield each.desc, dict(each.kwargs)

    def _both(self, options: dict[str, Any], sparse: bool | None = None) -> tuple[Training, Training]:
        sparse = self.info.only_supports_sparse_grads if sparse is None else sparse
        try:
            theirs = Training(self.info, options, PYTORCH, sparse)
        except Exception as error:
            raise NoCase(words(error)) from None
        return theirs, Training(self.info, options, FACULA, sparse)

    def _each(self, check: Callable[[dict[str, Any]], str | None]) -> str | None:
        for where, options in self._options():
            try:
                reason = check(options)
            except NoCase:
                continue
            except Exception as error:
                reason = words(error)
            if reason is not None:
                return f"{reason} ({where})"
        return None

    def steps(self) -> str | None:
        """Compare the parameters after each step, with each choice of options."""
        return self._each(self._steps)

    def _steps(self, options: dict[str, Any], sparse: bool | None = None) -> str | None:
        theirs, mine = self._both(options, sparse)
        expected = list(theirs.run())
        for step, (a, b) in enumerate(zip(expected, mine.run(), strict=True)):
            reason = difference(a, b, TOLERANCES)
            if reason is not None:
                return f"step {step}: {reason}"
        return None

    def sparse(self) -> str | None:
        """Compare steps with sparse gradients."""
        options, _ = self.info.metadata_for_sparse
        try:
            return self._steps(dict(options), sparse=True)
        except NoCase:
            raise
        except Exception as error:
            return words(error)

    def state(self) -> str | None:
        """Compare what is saved, and go on from what the other library saved."""
        return self._each(self._state)

    def _state(self, options: dict[str, Any]) -> str | None:
        theirs, mine = self._both(options)
        for _ in zip(theirs.run(2), mine.run(2), strict=True):
            pass
        saved, here = theirs.optimizer.state_dict(), mine.optimizer.state_dict()
        layout = _layout(saved)
        if _layout(here) != layout:
            return f"layout: expected {_odd(layout, _layout(here))}, got {_odd(_layout(here), layout)}"[:240]
        mine.optimizer.load_state_dict(Carrier()(saved))
        theirs.optimizer.load_state_dict(FACULA.read(here))
        for step, (a, b) in enumerate(zip(theirs.run(2), mine.run(2), strict=True)):
            reason = difference(a, b, TOLERANCES)
            if reason is not None:
                return f"step {step} after loading: {reason}"
        return None

    def names(self) -> str | None:
        """Compare what is printed."""

        def check(options: dict[str, Any]) -> str | None:
            theirs, mine = self._both(options)
            a, b = repr(theirs.optimizer), repr(mine.optimizer)
            return None if a == b else f"expected {a!r}, got {b!r}"[:240]

        return self._each(check)

    def errors(self) -> str | None:
        """Compare what is refused."""
        seed()
        ran = False
        for number, case in enumerate(self.info.optim_error_inputs_func(device="cpu", dtype=torch.float32)):
            given, failures = case.optimizer_error_input, []
            for cls, copier in ((self.info.optim_cls, Copier()), (carried_function(self.info.optim_cls), Carrier())):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")
                        cls(copier(given.params), **copier(given.kwargs))
                    failures.append(None)
                except NotCarried:
                    break
                except Exception as error:
                    failures.append(error)
            if len(failures) < 2 or failures[0] is None:
                continue
            ran = True
            expected, found = failures
            reason = refusal_reason(expected, found)
            if reason is not None:
                return f"{reason} (error {number})"
        if not ran:
            raise NoCase("nothing is refused")
        return None


def _layout(state: dict[str, Any]) -> dict[str, Any]:
    """Return the layout of a saved state: names, and plain values."""
    found = {f"state {number}": sorted(each) for number, each in state["state"].items()}
    for number, group in enumerate(state["param_groups"]):
        for name, value in group.items():
            plain = value if isinstance(value, (bool, int, float, str, tuple, list, type(None))) else "tensor"
            found[f"group {number} {name}"] = list(plain) if isinstance(plain, (tuple, list)) else plain
    return found


def _odd(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in a.items() if name not in b or b[name] != value}


def _metric(step: int) -> float:
    return (1.0, 0.8, 0.8, 0.81, 0.8)[step % 5] if step < 15 else 0.5


#: Each schedule of PyTorch's with several choices of options.
SCHEDULES: dict[str, list[Callable[[Any, Any], Any]]] = {
    "ChainedScheduler": [lambda S, o: S.ChainedScheduler([S.ConstantLR(o, 0.2, 6), S.ExponentialLR(o, 0.95)])],
    "ConstantLR": [lambda S, o: S.ConstantLR(o), lambda S, o: S.ConstantLR(o, factor=0.3, total_iters=9)],
    "CosineAnnealingLR": [
        lambda S, o: S.CosineAnnealingLR(o, 12, eta_min=0.002),
        lambda S, o: S.CosineAnnealingLR(o, T_max=40),
    ],
    "CosineAnnealingWarmRestarts": [
        lambda S, o: S.CosineAnnealingWarmRestarts(o, 5),
        lambda S, o: S.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=1e-3),
    ],
    "CyclicLR": [
        lambda S, o: S.CyclicLR(o, 0.002, 0.2, step_size_up=3, step_size_down=7),
        lambda S, o: S.CyclicLR(o, 0.01, 0.1, 4, mode="triangular2", base_momentum=0.6, max_momentum=0.9),
        lambda S, o: S.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.98, cycle_momentum=False),
    ],
    "ExponentialLR": [lambda S, o: S.ExponentialLR(o, gamma=0.92)],
    "LambdaLR": [
        lambda S, o: S.LambdaLR(o, lambda epoch: 0.9**epoch),
        lambda S, o: S.LambdaLR(o, [lambda epoch: 1 / (1 + epoch), lambda epoch: 0.95**epoch]),
    ],
    "LinearLR": [lambda S, o: S.LinearLR(o), lambda S, o: S.LinearLR(o, 0.2, end_factor=0.8, total_iters=14)],
    "LRScheduler": [
        lambda S, o: type("Halving", (S.LRScheduler,), {"get_lr": lambda s: [b / 2**s.last_epoch for b in s.base_lrs]})(
            o
        )
    ],
    "MultiplicativeLR": [lambda S, o: S.MultiplicativeLR(o, lambda epoch: 0.96 if epoch % 3 else 0.8)],
    "MultiStepLR": [lambda S, o: S.MultiStepLR(o, [4, 9, 9, 22], gamma=0.4)],
    "OneCycleLR": [
        lambda S, o: S.OneCycleLR(o, max_lr=0.6, total_steps=31),
        lambda S, o: S.OneCycleLR(
            o, [0.6, 0.3], epochs=8, steps_per_epoch=4, anneal_strategy="linear", three_phase=True
        ),
    ],
    "PolynomialLR": [lambda S, o: S.PolynomialLR(o), lambda S, o: S.PolynomialLR(o, total_iters=18, power=2.5)],
    "ReduceLROnPlateau": [
        lambda S, o: S.ReduceLROnPlateau(o, factor=0.4, patience=2, cooldown=2),
        lambda S, o: S.ReduceLROnPlateau(o, "max", 0.5, 1, threshold_mode="abs", min_lr=1e-3),
    ],
    "SequentialLR": [
        lambda S, o: S.SequentialLR(o, [S.LinearLR(o, 0.2, total_iters=4), S.CosineAnnealingLR(o, 20)], [6])
    ],
    "StepLR": [lambda S, o: S.StepLR(o, 6), lambda S, o: S.StepLR(o, step_size=4, gamma=0.6)],
}


class ScheduleChecks:
    """The checks of one kind of schedule."""

    def __init__(self, name: str) -> None:
        self.name = name

    def figures(self) -> dict[str, Callable[[], str | None]]:
        """Return the checks, by name."""
        return {"rates": self.rates, "state": self.state}

    def _run(self, library: Any, S: Any, build: Callable[[Any, Any], Any]) -> tuple[list[Any], list[str]]:
        parameters = [library.nn.Parameter(library.zeros(2)) for _ in range(2)]
        groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.03}]
        optimizer = library.optim.SGD(groups, lr=0.1, momentum=0.9)
        schedule, rates = build(S, optimizer), []
        for step in range(30):
            optimizer.step()
            row = [float(group[name]) for group in optimizer.param_groups for name in ("lr", "momentum")]
            rates.append(row + [float(rate) for rate in schedule.get_last_lr()])
            if self.name == "ReduceLROnPlateau":
                schedule.step(_metric(step))
            else:
                schedule.step()
        return rates, sorted(schedule.state_dict())

    def _both(self) -> Iterator[tuple[Any, Any]]:
        for build in SCHEDULES.get(self.name, []):
            theirs = self._run(torch, torch.optim.lr_scheduler, build)
            yield theirs, self._run(facula, named("optim.lr_scheduler"), build)

    def rates(self) -> str | None:
        """Compare rates and momenta over 30 steps."""
        if self.name not in SCHEDULES:
            return "no example of this schedule"
        for number, (theirs, mine) in enumerate(self._both()):
            for step, (a, b) in enumerate(zip(theirs[0], mine[0], strict=True)):
                if any(abs(x - y) > 1e-9 * abs(x) + 1e-12 for x, y in zip(a, b, strict=True)):
                    return f"step {step}: expected {a}, got {b} (choice {number})"
        return None

    def state(self) -> str | None:
        """Compare the names of what is saved."""
        for theirs, mine in self._both():
            if theirs[1] != mine[1]:
                return f"expected {theirs[1]}, got {mine[1]}"
        return None
