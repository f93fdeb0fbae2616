"""The table of results that validate and test print."""

from __future__ import annotations

import sys


def print_results(results: list[dict[str, float]], stage: str) -> None:
    """Print what was logged: a row for each name, a column for each loader."""
    import shutil

    names = list(dict.fromkeys(name.partition("/dataloader_idx_")[0] for each in results for name in each))
    if not names:
        return
    columns = []
    for index, each in enumerate(results):
        column = []
        for name in names:
            value = each.get(name, each.get(f"{name}/dataloader_idx_{index}"))
            column.append("" if value is None else f"{value:.10g}")
        columns.append(column)
    title = "Validate metric" if stage == "validation" else "Test metric"
    heads = [title, *(f"DataLoader {index}" for index in range(len(results)))]
    rows = [heads, *([name, *(column[i] for column in columns)] for i, name in enumerate(names))]
    width = max(len(cell) for row in rows for cell in row) + 4
    width = max(width, min(24, shutil.get_terminal_size((80, 20)).columns // len(heads)))
    line = ("─" * width) * len(heads)
    text = [line, "".join(cell.center(width) for cell in heads), line]
    text += ["".join(cell.center(width) for cell in row) for row in rows[1:]]
    text.append(line)
    sys.stdout.write("\n".join(text) + "\n")
    sys.stdout.flush()
