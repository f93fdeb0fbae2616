"""The names of checkpoint files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from facula import Tensor


def format_name(
    template: str | None, metrics: Mapping[str, object], prefix: str | None = None, insert_names: bool = True
) -> str:
    """Return a file name with numbers in place of ``{name}`` or ``{name:format}``; a metric that is missing is 0.

    With ``insert_names`` the name comes before the number.

    >>> format_name("{epoch:02d}-{loss:.2f}", {"epoch": 3, "loss": 0.123})
    'epoch=03-loss=0.12'
    """

    def number(match: re.Match[str]) -> str:
        name, form = match.group(1), match.group(2) or ""
        value = metrics.get(name, 0)
        if isinstance(value, Tensor):
            value = value.item()
        text = format(value, form)
        return f"{name}={text}" if insert_names else text

    name = re.sub(r"\{([^{}:]+)(?::([^{}]*))?\}", number, template or "{epoch}-{step}")
    return name if prefix is None else f"{prefix}-{name}"
