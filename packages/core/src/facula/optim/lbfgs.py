"""L-BFGS: a quasi-Newton method that remembers a few steps (Nocedal and Wright, "Numerical Optimization", 7.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from facula.graph.modes import enable_grad, no_grad
from facula.ops.complex_numbers import view_as_real
from facula.ops.joining import cat
from facula.optim.optimizer import Closure, Optimizer, Params, check_not_negative
from facula.tensor import Tensor

__all__ = ["LBFGS"]


class _Point(NamedTuple):
    """A point on the line that is searched: how far along, the loss there, its gradient, its slope along the line."""

    at: float
    loss: float
    gradient: Tensor
    slope: float


def _number(value: Tensor) -> float:
    """Return a zero-dim tensor as a number of its own precision: the search along the line is computed in it."""
    return value.detach().cpu().numpy()[()]  # type: ignore[return-value]  # a NumPy number, no array


def _lowest_of_cubic(first: _Point, second: _Point, bounds: tuple[float, float] | None = None) -> float:
    """Return where the cubic through two points, with their slopes, is lowest within bounds, else the middle."""
    low, high = bounds or sorted((first.at, second.at))
    d1 = first.slope + second.slope - 3 * (first.loss - second.loss) / (first.at - second.at)
    square = d1**2 - first.slope * second.slope
    if square < 0:
        return (low + high) / 2.0
    d2 = np.sqrt(square)
    if first.at <= second.at:
        found = second.at - (second.at - first.at) * ((second.slope + d2 - d1) / (second.slope - first.slope + 2 * d2))
    else:
        found = first.at - (first.at - second.at) * ((first.slope + d2 - d1) / (first.slope - second.slope + 2 * d2))
    return min(max(found, low), high)


def _strong_wolfe(
    evaluate: Callable[[float], _Point],
    step: float,
    start: _Point,
    length: float,
    tolerance_change: float,
    max_evaluations: int,
    c1: float = 1e-4,
    c2: float = 0.9,
) -> tuple[_Point, int]:
    """Return a point where the loss has fallen enough and the line is flat enough, and how often the loss was computed.

    ``length`` is the largest change of a parameter over a unit of the line.
    """

    def falls_enough(point: _Point) -> bool:
        return point.loss <= start.loss + c1 * point.at * start.slope

    def is_flat_enough(point: _Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    # First an interval is looked for that holds such a point.
    before, point = start, evaluate(step)
    evaluations, done = 1, False
    bracket: list[_Point] = []
    for iteration in range(max_evaluations):
        if not falls_enough(point) or (iteration > 1 and point.loss >= before.loss):
            bracket = [before, point]
            break
        if is_flat_enough(point):
            bracket, done = [point], True
            break
        if point.slope >= 0:
            bracket = [before, point]
            break
        nearest, farthest = point.at + 0.01 * (point.at - before.at), point.at * 10
        further = _lowest_of_cubic(before, point, (nearest, farthest))
        before, point = point, evaluate(further)
        evaluations += 1
    else:
        bracket = [start, point]
    iteration = evaluations - 1

    # Then the interval is made smaller until it is one.
    slow_progress = False
    low = 0 if len(bracket) == 1 or bracket[0].loss <= bracket[1].loss else 1
    while not done and iteration < max_evaluations:
        if abs(bracket[1].at - bracket[0].at) * length < tolerance_change:
            break
        left, right = sorted(each.at for each in bracket)
        found = _lowest_of_cubic(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        if min(right - found, found - left) < margin:
            if slow_progress or found >= right or found <= left:
                found = right - margin if abs(found - right) < abs(found - left) else left + margin
                slow_progress = False
            else:
                slow_progress = True
        else:
            slow_progress = False
        point = evaluate(found)
        evaluations += 1
        iteration += 1
        high = 1 - low
        if not falls_enough(point) or point.loss >= bracket[low].loss:
            bracket[high] = point
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
            continue
        if is_flat_enough(point):
            done = True
        elif point.slope * (bracket[high].at - bracket[low].at) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
    return bracket[low], evaluations


class LBFGS(Optimizer):
    """L-BFGS with, by ``line_search_fn="strong_wolfe"``, a search along each direction; one group of parameters.

    ``step`` needs a closure that clears the gradients, computes the loss and its gradients, and returns it.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_not_negative(lr=lr)
        defaults: dict[str, Any] = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params: list[Tensor] = self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        """Return the gradients of all parameters as one vector."""
        slopes = [each.new_zeros(each.shape) if each.grad is None else each.grad.to_dense() for each in self._params]
        pieces = [(view_as_real(slope) if slope.is_complex() else slope).reshape(-1) for slope in slopes]
        return cat(pieces, 0)

    def _move(self, direction: Tensor, distance: float) -> None:
        offset = 0
        for each in self._params:
            parts = view_as_real(each) if each.is_complex() else each
            parts.add_(direction[offset : offset + parts.numel()].view_as(parts), alpha=distance)
            offset += parts.numel()

    def _go_back(self, values: list[Tensor]) -> None:
        for each, value in zip(self._params, values, strict=True):
            each.copy_(value)

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Take up to ``max_iter`` steps; return the loss at the start."""
        if closure is None:
            raise TypeError("LBFGS.step needs a closure that computes the loss and its gradients")
        for hook in tuple(self._optimizer_step_pre_hooks.values()):
            hook(self, (closure,), {})
        with no_grad():
            loss = self._minimize(closure)
        for hook in tuple(self._optimizer_step_post_hooks.values()):
            hook(self, (closure,), {})
        return loss

    def _minimize(self, closure: Closure) -> Tensor | float:
        group = self.param_groups[0]
        rate = float(group["lr"])
        search, max_eval = group["line_search_fn"], group["max_eval"]
        tolerance_change = group["tolerance_change"]
        if search not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, got {search!r}")
        # As in PyTorch, the state of all is kept with the first parameter.
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluated() -> Tensor | float:
            with enable_grad():
                return closure()

        first_loss = evaluated()
        loss = float(first_loss)
        evaluations = 1
        state["func_evals"] += 1
        gradient = self._gradient()
        if gradient.abs().max() <= group["tolerance_grad"]:
            return first_loss
        distance: float | None = state.get("t")
        iteration = 0
        while iteration < group["max_iter"]:
            iteration += 1
            state["n_iter"] += 1
            direction = self._direction(state, gradient, distance, group["history_size"])
            state["prev_flat_grad"] = gradient.clone()
            state["prev_loss"] = loss
            if state["n_iter"] == 1:
                distance = min(1.0, 1.0 / float(gradient.abs().sum())) * rate
            else:
                distance = rate
            slope = _number(gradient.dot(direction))
            if slope > -tolerance_change:
                break
            count = 0
            if search == "strong_wolfe":
                values = [each.clone() for each in self._params]

                def evaluate(at: float, values: list[Any] = values, direction: Tensor = direction) -> _Point:
                    self._move(direction, at)
                    value, slopes = float(evaluated()), self._gradient()
                    self._go_back(values)
                    return _Point(at, value, slopes, _number(slopes.dot(direction)))

                start = _Point(0.0, loss, gradient.clone(), slope)
                length = float(direction.abs().max())
                left = max_eval - evaluations
                point, count = _strong_wolfe(evaluate, distance, start, length, tolerance_change, left)
                distance, loss, gradient = point.at, point.loss, point.gradient
                self._move(direction, distance)
                optimal = bool(gradient.abs().max() <= group["tolerance_grad"])
            else:
                self._move(direction, distance)
                optimal = False
                if iteration != group["max_iter"]:
                    loss, gradient, count = float(evaluated()), self._gradient(), 1
                    optimal = bool(gradient.abs().max() <= group["tolerance_grad"])
            evaluations += count
            state["func_evals"] += count
            if iteration == group["max_iter"] or evaluations >= max_eval or optimal:
                break
            if (direction * distance).abs().max() <= tolerance_change:
                break
            if abs(loss - state["prev_loss"]) < tolerance_change:
                break
        state["d"], state["t"] = direction, distance
        return first_loss

    def _direction(self, state: dict[str, Any], gradient: Tensor, distance: float | None, history_size: int) -> Tensor:
        """Return the direction of the next step: the gradient times minus the estimated inverse of the Hessian."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return self._keep_direction(state, gradient.neg())
        change = gradient.sub(state["prev_flat_grad"])
        moved = state["d"].mul(distance)
        curvature = change.dot(moved)
        changes, moves, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        if curvature > 1e-10:
            if len(changes) == history_size:
                for history in (changes, moves, inverses):
                    history.pop(0)
            changes.append(change)
            moves.append(moved)
            inverses.append(1.0 / curvature)
            state["H_diag"] = curvature / change.dot(change)
        # The two loops: back through the remembered steps, and forth.
        factors = state.setdefault("al", [None] * history_size)
        direction = gradient.neg()
        for index in reversed(range(len(changes))):
            factors[index] = moves[index].dot(direction) * inverses[index]
            direction = direction - changes[index] * factors[index]
        direction = direction * state["H_diag"]
        for index in range(len(changes)):
            back = changes[index].dot(direction) * inverses[index]
            direction = direction + moves[index] * (factors[index] - back)
        return self._keep_direction(state, direction)

    @staticmethod
    def _keep_direction(state: dict[str, Any], direction: Tensor) -> Tensor:
        state["d"] = direction
        return direction
