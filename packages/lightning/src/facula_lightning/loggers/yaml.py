"""Writing plain values as YAML, for people and YAML readers alike."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

# A string that needs no quotes: it cannot be taken for anything else.
_PLAIN = re.compile(r"[A-Za-z_/][\w./+-]*( [\w./+-]+)*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def to_yaml(values: Mapping[str, object]) -> str:
    """Return a mapping as YAML text; what is no plain value is written as its ``repr``.

    >>> print(to_yaml({"lr": 0.1, "layers": [2, 3]}), end="")
    layers:
    - 2
    - 3
    lr: 0.1
    """
    if not values:
        return "{}\n"
    return "\n".join(_mapping(values, "")) + "\n"


def _mapping(values: Mapping[Any, Any], indent: str) -> list[str]:
    lines = []
    for key in sorted(values, key=str):
        lines += _entry(f"{indent}{_scalar(key)}:", values[key], indent + "  ", indent)
    return lines


def _entry(head: str, value: object, deeper: str, here: str) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [head, *_mapping(value, deeper)]
    if isinstance(value, (list, tuple, set)) and value:
        lines = [head]
        for each in value:
            if isinstance(each, (Mapping, list, tuple)) and each:
                lines.append(f"{here}- {json.dumps(each, default=repr)}")
            else:
                lines.append(f"{here}- {_scalar(each)}")
        return lines
    return [f"{head} {_scalar(value)}"]


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, (Mapping, list, tuple, set)):
        return "{}" if isinstance(value, Mapping) else "[]"
    text = value if isinstance(value, str) else repr(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text)


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(float(value))
    # YAML wants a point in what stands before the exponent.
    return text if "." in text or "e" not in text else text.replace("e", ".0e")
