"""Sums of products written in Einstein's notation."""

import math
import string
from collections.abc import Sequence
from typing import Any

from facula.types import Tensor

__all__ = ["einsum"]

# A label is a letter, or for the dimensions that an ellipsis stands for, a negative number counted from the end.
Label = str | int

ELLIPSIS = "..."


def einsum(*args: object) -> Tensor:
    """Return the sum of products that an equation names: letters that are missing in the result are summed over.

    Takes ``(equation, *operands)``, or each operand followed by a list of numbers in place of letters. ``...`` stands
    for dimensions that broadcast. RuntimeError for an equation that does not fit the operands.

    >>> facula.einsum("ij,jk->ik", facula.ones(2, 3), facula.ones(3, 4)).shape
    facula.Size([2, 4])
    """
    equation, operands = _arguments(args)
    inputs, result = _parsed(equation, operands)
    terms = [_without_repeats(tensor, labels) for tensor, labels in zip(operands, inputs, strict=True)]
    total, labels = terms[0]
    for at, (other, others) in enumerate(terms[1:], start=1):
        later = {label for _, each in terms[at + 1 :] for label in each}
        total, labels = _contracted(total, labels, other, others, later | set(result))
    total, labels = _summed(total, labels, set(result))
    return total.permute([labels.index(label) for label in result])


def _arguments(args: tuple[Any, ...]) -> tuple[str, list[Tensor]]:
    """Return the equation and the operands of either form of call."""
    if not args:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its list"
        )
    if isinstance(args[0], str):
        equation, operands = args[0], list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        return equation, operands
    terms = [_term(each) for each in args[1::2]]
    result = "->" + _term(args[-1]) if len(args) % 2 else ""
    return ",".join(terms[: len(args) // 2]) + result, list(args[: len(args) - len(args) % 2 : 2])


def _term(numbers: Sequence[Any]) -> str:
    """Return a list of numbers, and perhaps an Ellipsis, as letters."""
    letters = string.ascii_uppercase + string.ascii_lowercase
    term = ""
    for each in numbers:
        if each is Ellipsis:
            term += ELLIPSIS
        elif isinstance(each, int) and 0 <= each < len(letters):
            term += letters[each]
        else:
            raise ValueError(
                f"einsum(): expected subscripts in a list to be Ellipsis or within the range [0, 52), but got {each}"
            )
    return term


def _parsed(equation: str, operands: list[Tensor]) -> tuple[list[list[Label]], list[Label]]:
    """Return the labels of each operand's dimensions and of the result's."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not operands:
        raise ValueError("einsum(): must provide at least one operand")
    if len(terms) != len(operands):
        more = "fewer" if len(terms) > len(operands) else "more"
        raise RuntimeError(f"einsum(): {more} operands were provided than specified in the equation")
    inputs = [_labels(term, tensor.dim(), at) for at, (term, tensor) in enumerate(zip(terms, operands, strict=True))]
    _check_sizes(inputs, operands)
    everything = [label for labels in inputs for label in labels]
    dots = sorted({label for label in everything if isinstance(label, int)})
    if not arrow:
        letters = sorted({label for label in everything if isinstance(label, str)})
        return inputs, [
            *dots,
            *(label for label in letters if everything.count(label) == 1),
        ]
    if right.count(ELLIPSIS) > 1:
        raise RuntimeError("einsum(): found '.' for output but an ellipsis (...) was already found")
    before, ellipsis, after = right.partition(ELLIPSIS)
    result = [*before, *(dots if ellipsis else ()), *after]
    for label in result:
        if isinstance(label, str) and label not in string.ascii_letters:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {right.index(label)} in the output: {label}"
            )
        if label not in everything:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input operand"
            )
        if result.count(label) > 1:
            raise RuntimeError(f"einsum(): output subscript {label} appears more than once in the output")
    return inputs, result


def _labels(term: str, ndim: int, operand: int) -> list[Label]:
    before, ellipsis, after = term.partition(ELLIPSIS)
    for at, letter in enumerate(before + after):
        if letter not in string.ascii_letters:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {at} in the equation string, subscripts must be in "
                "[a-zA-Z]"
            )
    covered = ndim - len(before) - len(after)
    if covered < 0 or (covered and not ellipsis):
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) does not match the "
            "number of "
            f"dimensions ({ndim}) for operand {operand}" + ("" if ellipsis else " and no ellipsis was given")
        )
    return [*before, *range(-covered, 0), *after]


def _check_sizes(inputs: list[list[Label]], operands: list[Tensor]) -> None:
    sizes: dict[Label, int] = {}
    for at, (labels, tensor) in enumerate(zip(inputs, operands, strict=True)):
        own: dict[Label, int] = {}
        for label, length in zip(labels, tensor.shape, strict=True):
            if own.setdefault(label, length) != length:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {at} but the sizes don't match, {length} != "
                    f"{own[label]}"
                )
            known = sizes.get(label, 1)
            if known != length and known != 1 and length != 1:
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {length} for operand {at} which does not broadcast with "
                    f"previously seen size {known}"
                )
            sizes[label] = max(known, length) if length else 0


def _without_repeats(tensor: Tensor, labels: list[Label]) -> tuple[Tensor, list[Label]]:
    """Return the diagonal over each label that is repeated."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            tensor = tensor.diagonal(0, first, second)
            labels = [each for at, each in enumerate(labels) if at not in (first, second)] + [label]
    return tensor, labels


def _summed(tensor: Tensor, labels: list[Label], keep: set[Label]) -> tuple[Tensor, list[Label]]:
    """Return the sum over the labels that nothing needs any more."""
    over = [at for at, label in enumerate(labels) if label not in keep]
    if not over:
        return tensor, labels
    return tensor.sum(over), [label for label in labels if label in keep]


def _contracted(
    left: Tensor,
    left_labels: list[Label],
    right: Tensor,
    right_labels: list[Label],
    keep: set[Label],
) -> tuple[Tensor, list[Label]]:
    """Return the product of two operands, summed over the labels that are in both and are not kept."""
    left, left_labels = _summed(left, left_labels, keep | set(right_labels))
    right, right_labels = _summed(right, right_labels, keep | set(left_labels))
    shared = [label for label in left_labels if label in right_labels]
    over = [label for label in shared if label not in keep]
    batch = [label for label in shared if label in keep]
    rows = [label for label in left_labels if label not in shared]
    columns = [label for label in right_labels if label not in shared]
    sizes = {label: 1 for label in (*left_labels, *right_labels)}
    for labels, tensor in ((left_labels, left), (right_labels, right)):
        for label, length in zip(labels, tensor.shape, strict=True):
            sizes[label] = length if length != 1 else sizes[label]
    labels = [*batch, *rows, *columns]
    if not over:
        # Nothing to sum: an element-wise product with broadcasting.
        first = _arranged(left, left_labels, [*batch, *rows]).reshape(
            [left.shape[left_labels.index(label)] if label in left_labels else 1 for label in labels]
        )
        second = _arranged(right, right_labels, [*batch, *columns]).reshape(
            [right.shape[right_labels.index(label)] if label in right_labels else 1 for label in labels]
        )
        return first * second, labels
    first = _as_matrices(left, left_labels, (batch, rows, over), sizes)
    second = _as_matrices(right, right_labels, (batch, over, columns), sizes)
    return first.matmul(second).reshape([sizes[label] for label in labels]), labels


def _arranged(tensor: Tensor, labels: list[Label], order: list[Label]) -> Tensor:
    return tensor if labels == order else tensor.permute([labels.index(label) for label in order])


def _as_matrices(tensor: Tensor, labels: list[Label], groups: tuple[Any, ...], sizes: dict[Label, int]) -> Tensor:
    """Return ``tensor`` with three groups of dimensions, each folded into one; a single matrix without a batch."""
    order = [label for group in groups for label in group]
    arranged = _arranged(tensor, labels, order)
    full = [sizes[label] for label in order]
    if list(arranged.shape) != full:
        arranged = arranged.expand(full)
    shape = [math.prod(sizes[label] for label in group) for group in groups]
    return arranged.reshape(shape if groups[0] else shape[1:])
