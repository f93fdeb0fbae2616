"""The trainer's examples, run small: they end well, and say what they should."""

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def example(folder: Path, name: str, *arguments: str) -> str:
    return run(folder, sys.executable, str(EXAMPLES / name), *arguments)


def test_digits_with_the_trainer_in_forty_lines(tmp_path: Path) -> None:
    assert len((EXAMPLES / "digits_trainer.py").read_text().splitlines()) <= 40
    printed = example(tmp_path, "digits_trainer.py")
    assert float(re.findall(r"val_accuracy +([\d.]+)", printed)[-1]) > 0.95
    assert list((tmp_path / "demo-output/trainer").glob("epoch=*.ckpt"))


def test_digits_without_a_module(tmp_path: Path) -> None:
    printed = example(tmp_path, "digits_fit.py")
    assert float(re.findall(r"test accuracy ([\d.]+)", printed)[0]) > 0.95
    hardest = re.findall(r"image (\d+), a (\d), taken for a (\d): loss ([\d.]+)", printed)
    losses = [float(loss) for *_, loss in hardest]
    assert len(hardest) == 5 and losses == sorted(losses, reverse=True)
    assert any(digit != taken for _, digit, taken, _ in hardest)


def test_a_gan_learns_to_draw_digits(tmp_path: Path) -> None:
    printed = example(tmp_path, "digits_gan.py", "--epochs", "2", "--output", "drawn")
    assert re.search(r"losses of the last epoch: \{'discriminator': [\d.]+, 'generator': [\d.]+\}", printed)
    assert (tmp_path / "drawn/drawn-digits.png").stat().st_size > 1000


def test_two_processes_train_as_one_however_they_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facula.distributed.launching import find_mpiexec, has_mpi

    name = "digits_two_processes.py"
    printed = [
        example(tmp_path, name, "--epochs", "2"),
        example(tmp_path, name, "--epochs", "2", "--processes", "1"),
    ]
    if has_mpi():
        printed.insert(
            0, run(tmp_path, find_mpiexec(), "-n", "2", sys.executable, str(EXAMPLES / name), "--epochs", "2")
        )
    monkeypatch.setenv("FACULA_WITHOUT_MPI", "1")
    printed.insert(0, example(tmp_path, name, "--epochs", "2"))
    results = [re.findall(r"accuracy ([\d.]+), norm of the weights ([\d.]+)", each) for each in printed]
    assert len(results[0]) == 1 and all(each == results[0] for each in results)
    samples = [re.findall(r"by process: (.*)", each) for each in printed]
    assert samples == [["[1442, 1442]"]] * (len(printed) - 1) + [["2884"]]


@pytest.mark.skipif(os.name != "posix", reason="a terminal is made, which needs a POSIX system")
def test_the_pictures_of_the_readme(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    example(tmp_path, "pictures.py", "--output", "pictures", "--epochs", "2")
    committed = {each.name for each in (EXAMPLES.parent / "docs/pictures").glob("*.png")}
    drawn = sorted((tmp_path / "pictures").glob("*.png"))
    assert {each.name for each in drawn} == committed
    for each in drawn:
        with Image.open(each) as image:
            assert image.width > 500 and image.height > 150 and len(image.getcolors(256)) > 5


def test_a_terminal_is_read_as_terminals_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = spec_from_file_location("pictures", EXAMPLES / "pictures.py")
    pictures = module_from_spec(spec)
    spec.loader.exec_module(pictures)
    lines = pictures.screen("one\r\ntwo\rTW\x1b[31m!\r\x1b[2Kthree\x1b[0m\r\n\x1b[1A\x1b[2K\x1b[32mfour")
    assert ["".join(character for character, _ in line) for line in lines] == ["one", "four", ""]
    assert lines[0][0][1] == pictures.FOREGROUND and lines[1][0][1] == pictures.COLORS[2]
