"""The README's example and every example in a docstring run."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import facula
import facula_audio
import pytest

MODULES = [name for _, name, _ in pkgutil.walk_packages(facula_audio.__path__, "facula_audio.")]
README = Path(__file__).parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore:.*mel filters are all zero")
@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"facula": facula}, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_readme_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    example = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(README), "exec"), {})
    out = capsys.readouterr().out
    assert "num_frames=16000, num_channels=1, bits_per_sample=16, encoding='PCM_S'" in out
    assert "(1, 40, 41)" in out


def test_functions_have_docstrings() -> None:
    public = [getattr(module, name) for module in (facula_audio.functional, facula_audio.transforms,
              facula_audio.datasets, facula_audio.models) for name in module.__all__]  # fmt: skip
    assert [each.__name__ for each in public if not each.__doc__] == []
