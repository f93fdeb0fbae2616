"""The README's example runs and learns its sentence."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_example_learns_its_sentence():
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    printed = io.StringIO()
    names = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(example, str(README), "exec"), names)
    assert names["loss"].item() < 0.5
    assert printed.getvalue().startswith("to be, or ")
    assert len(printed.getvalue().rstrip("\n")) == 50
