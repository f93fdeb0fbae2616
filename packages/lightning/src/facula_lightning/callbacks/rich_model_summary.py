"""RichModelSummary: the table of a model's layers, drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facula_lightning.callbacks.model_summary import ModelSummary, layer_columns, totals_of
from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule


class RichModelSummary(ModelSummary):
    """Prints the table of `ModelSummary` as rich draws it, which has to be installed.

    ``header_style`` is the style of the heads, "bold magenta" unless another is given.
    """

    def __init__(self, max_depth: int = 1, **summarize_kwargs: object) -> None:
        super().__init__(max_depth, **summarize_kwargs)
        imported("rich", "RichModelSummary", "rich")

    def show(self, module: LightningModule) -> None:
        """Print the table of a module."""
        console = imported("rich.console", "RichModelSummary", "rich").Console()
        heads, columns = layer_columns(module, self._max_depth)
        kind = imported("rich.table", "RichModelSummary", "rich").Table
        table = kind(header_style=self._summarize_kwargs.get("header_style", "bold magenta"))
        for head in heads:
            is_number = head in ("Params", "In sizes", "Out sizes")
            table.add_column(
                head or " ",
                style=None if head else "dim",
                justify="right" if is_number else "left",
                no_wrap=head == "Name",
            )
        for row in zip(*columns):
            table.add_row(*row)
        console.print(table)
        grid = kind.grid(expand=True)
        grid.add_column()
        for number, text in totals_of(module):
            grid.add_row(f"[bold]{text}[/]: {number}")
        console.print(grid)
