"""Rows of joining, repeating, flipping, and triangles."""

from itertools import combinations, combinations_with_replacement, product

import numpy as np

from samples.sample import NUMBERS, Sample, case, numbers


def row(name: str, cases: list, reference=None, **options: object) -> Sample:
    return Sample(name, cases, reference or getattr(np, name), dtypes=NUMBERS, **options)


def block_diag(*blocks: np.ndarray) -> np.ndarray:
    blocks = [np.atleast_2d(each) for each in blocks]
    result = np.zeros(np.sum([each.shape for each in blocks], 0), blocks[0].dtype)
    top = left = 0
    for each in blocks:
        result[top : top + each.shape[0], left : left + each.shape[1]] = each
        top, left = top + each.shape[0], left + each.shape[1]
    return result


def diag_embed(x: np.ndarray, offset: int = 0, dim1: int = -2, dim2: int = -1) -> np.ndarray:
    size = x.shape[-1] + abs(offset)
    result = np.zeros((*x.shape[:-1], size, size), x.dtype)
    for at in range(x.shape[-1]):
        result[..., at + max(-offset, 0), at + max(offset, 0)] = x[..., at]
    return np.moveaxis(result, (-2, -1), (dim1, dim2))


def chosen(x: np.ndarray, r: int = 2, with_replacement: bool = False) -> np.ndarray:
    choose = combinations_with_replacement if with_replacement else combinations
    return np.array(list(choose(x, r)), x.dtype).reshape(-1, r)


def flip(x: np.ndarray, dims: object) -> np.ndarray:
    return np.flip(x, dims)


ONE, TWO = numbers(2, 3), numbers(2, 3, seed=1)
LISTS = [case([ONE, TWO]), case([numbers(3), numbers(3, seed=1)]), case([ONE])]
ATLEAST = [case(numbers()), case(numbers(3)), case(numbers(2, 3)), case(numbers(2, 3, 2)), case(numbers(0))]
TRIANGLES = [case(numbers(3, 4)), case(numbers(3, 4), 1), case(numbers(2, 3, 3), -1), case(numbers(0, 3))]

ROWS = [
    row(
        "cat",
        [
            case([ONE, TWO], 1),
            case([ONE, numbers(1, 3), TWO]),
            case([ONE, numbers(0, 3)]),
            case([numbers(0), ONE], 0),
            case([ONE, TWO], -2),
        ],
        lambda arrays, dim=0: np.concatenate([each for each in arrays if each.shape != (0,)], dim),
        aliases=["concat", "concatenate"],
    ),
    row(
        "stack",
        [case([ONE, TWO], 1), case([ONE, TWO], -1), case([numbers(), numbers(seed=1)]), case([numbers(0), numbers(0)])],
    ),
    row("vstack", LISTS, aliases=["row_stack"]),
    row("hstack", [*LISTS, case([numbers(), numbers(seed=1)])]),
    row("dstack", LISTS),
    row("column_stack", LISTS),
    *[row(f"atleast_{n}d", ATLEAST) for n in (1, 2, 3)],
    row("block_diag", [case(ONE, numbers(1, 2)), case(numbers(), numbers(3)), case(ONE)], block_diag),
    row("broadcast_tensors", [case(numbers(3, 1), numbers(4)), case(numbers(), numbers(0, 2))], np.broadcast_arrays),
    row(
        "cartesian_prod",
        [case(numbers(3), numbers(2, seed=1)), case(numbers(3)), case(numbers(2), numbers(0), numbers(2))],
        lambda *arrays: (
            arrays[0]
            if len(arrays) == 1
            else np.array(list(product(*arrays)), arrays[0].dtype).reshape(-1, len(arrays))
        ),
    ),
    row("combinations", [case(numbers(4)), case(numbers(3), 2, True), case(numbers(4), 3), case(numbers(1))], chosen),
    row(
        "diag", [case(numbers(3)), case(numbers(3), 1), case(numbers(3, 4), -1), case(numbers(3, 4)), case(numbers(0))]
    ),
    row(
        "diag_embed",
        [case(numbers(2, 3)), case(numbers(2, 3), 1, 0, 2), case(numbers(2), -1), case(numbers(0))],
        diag_embed,
    ),
    row("diagflat", [case(numbers(2, 2)), case(numbers(3), -1), case(numbers())]),
    row(
        "flip",
        [case(numbers(3, 4), (0,)), case(numbers(2, 3, 2), (0, -1)), case(numbers(0, 3), (0,)), case(numbers(), ())],
        flip,
    ),
    row("fliplr", [case(numbers(3, 4)), case(numbers(0, 3))]),
    row("flipud", [case(numbers(3, 4)), case(numbers(3)), case(numbers(0, 3))]),
    row(
        "rot90", [case(numbers(3, 4)), case(numbers(3, 4), 2), case(numbers(2, 3, 2), -1, (1, 2)), case(numbers(0, 3))]
    ),
    row(
        "roll",
        [case(numbers(3, 4), 2), case(numbers(3, 4), (1, -2), (0, 1)), case(numbers(0, 3), 1, 0), case(numbers(), 1)],
    ),
    row(
        "tile",
        [case(numbers(2, 3), (2,)), case(numbers(2), (2, 3)), case(numbers(2, 3), (0, 1)), case(numbers(), (2,))],
    ),
    row(
        "repeat_interleave",
        [
            case(numbers(2, 3), 2),
            case(numbers(2, 3), 2, 1),
            case(numbers(2, 3), np.array([0, 3]), 0),
            case(numbers(0, 3), 2, 0),
            case(numbers(), 3),
        ],
        np.repeat,
    ),
    row(
        "meshgrid",
        [
            case(numbers(3), numbers(2, seed=1), indexing="ij"),
            case(numbers(3), numbers(2, seed=1), indexing="xy"),
            case(numbers(0), numbers(2), indexing="ij"),
        ],
    ),
    row("tril", TRIANGLES),
    row("triu", TRIANGLES),
    Sample("trace", [case(numbers(3, 4)), case(numbers(0, 0))], np.trace, NUMBERS, "sum", slack=2),
    *[
        Sample(
            f"{name}_indices",
            [case(3, 4), case(4, 3, 1), case(3, 3, -1), case(0, 3)],
            lambda row, col, offset=0, name=name: np.stack(getattr(np, name + "_indices")(row, offset, col)),
            (),
        )
        for name in ("tril", "triu")
    ],
    Sample(
        "broadcast_shapes",
        [case((3, 1), (4,)), case((), (2,)), case((0, 1), (1, 3))],
        lambda *shapes: np.broadcast_shapes(*shapes),
        (),
    ),
]
