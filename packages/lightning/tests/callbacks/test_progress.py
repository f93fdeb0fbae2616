"""Bars on a terminal, in a notebook and in a log file."""

import importlib
import inspect
import io
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import facula
import pytest
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import (
    ModelSummary,
    PlainProgressBar,
    ProgressBar,
    RichModelSummary,
    RichProgressBar,
    RichProgressBarTheme,
    TQDMProgressBar,
)

PROGRAM = Path(__file__).parent / "progress_program.py"
KINDS = ["plain", "tqdm", "rich"]
CONTROL = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def needs(kind: str) -> None:
    if kind != "plain":
        pytest.importorskip(kind)


def screen(text: str) -> list[str]:
    """Return the lines that a terminal shows of what was written to it."""
    lines, row, column = [""], 0, 0
    for numbers, control, end, plain in CONTROL.findall(text):
        count = max(int(numbers), 1) if numbers.isdigit() else 1
        if end == "\r":
            column = 0
        elif end == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif control == "A":
            row = max(0, row - count)
        elif control == "K":
            lines[row] = "" if numbers == "2" else lines[row][:column]
        elif plain:
            lines[row] = lines[row][:column].ljust(column) + plain + lines[row][column + len(plain) :]
            column += len(plain)
    return [line.rstrip() for line in lines]


def on_terminal(*arguments: str, code: int = 0) -> str:
    """Return all that the program writes to a terminal of its own."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 110, 0, 0))
    environment = {**os.environ, "COLUMNS": "110", "LINES": "40", "TERM": "xterm-256color"}
    program = subprocess.Popen(
        [sys.executable, "-W", "error", str(PROGRAM), *arguments], stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(mine, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        written += part
    os.close(mine)
    assert program.wait(60) == code, written.decode()
    return written.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_file_gets_plain_lines(kind: str) -> None:
    needs(kind)
    program = [sys.executable, "-W", "error", str(PROGRAM), kind]
    ended = subprocess.run(program, capture_output=True, timeout=60)
    assert ended.returncode == 0 and not ended.stderr, ended.stderr.decode()
    text = ended.stdout.decode()
    assert not re.search(r"[^\n -~─-╿]", text), "control characters in a log file"
    lines = [line for line in text.splitlines() if re.match("Epoch|Validation|Predicting|Sanity|printed", line)]
    whole = [line for line in lines if ": 100% 20/20 [" in line or line == "printed above"]
    assert [line.partition(":")[0] for line in whole] == [
        "Epoch 0", "printed above", "Epoch 1", "Validation", "Predicting",
    ]  # fmt: skip
    assert "loss=" in whole[2] and "quality=0.5" in whole[2]
    if kind == "plain":
        # At most a line in 0.1 seconds, where 20 batches take 0.3 at least.
        assert 0 < len([line for line in lines if line.startswith("Epoch 0")]) - 1 < 18
    else:
        assert len(lines) == len(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_terminal_shows_bars_in_place(kind: str) -> None:
    needs(kind)
    text = on_terminal(kind)
    lines = [line for line in screen(text) if re.match("Epoch|Validation|Predicting|Sanity|printed", line)]
    names = [line.split()[0].strip(":") for line in lines]
    # Below the first epoch's bar, which stays, in our own; above the one bar for all epochs in the others.
    assert names == (["Epoch"] if kind == "plain" else []) + ["printed", "Epoch", "Validation", "Predicting"]
    assert all("20/20" in line for line in lines if not line.startswith("printed"))
    assert re.search(r"loss[=:]", lines[-3]) and re.search(r"quality[=:] ?0.5", lines[-3])
    # While validation goes on, both are there, and the epoch's numbers.
    if kind != "plain":
        shown = screen(text[: [found.end() for found in re.finditer(r"Validation[^\r\n]*", text)][2]])
        assert [line.split()[0].strip(":") for line in shown[-2:]] == ["Epoch", "Validation"]
    # It is not drawn for each of the more than 60 batches.
    assert 2 <= len(re.findall(r"Epoch 0[:/]", text)) < 40


@pytest.mark.parametrize("kind", ["tqdm", "rich"])
def test_bars_of_epochs_may_stay(kind: str) -> None:
    needs(kind)
    lines = [line for line in screen(on_terminal(kind, "leave")) if line.startswith("Epoch")]
    assert [re.split("[:/ ]", line)[1] for line in lines] == ["0", "1"] and all("20/20" in line for line in lines)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_leaves_the_terminal_in_order(kind: str) -> None:
    needs(kind)
    text = on_terminal(kind, "fail", code=1)
    lines = screen(text)
    assert lines[-2] == "ZeroDivisionError"
    error = next(at for at, line in enumerate(lines) if line.startswith("Traceback"))
    assert lines[error - 1].startswith("Epoch 0")
    if "\x1b[?25l" in text:
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor was left hidden"


def run(*callbacks, batches: int = 6, stage: str = "fit", **settings) -> Trainer:
    class Model(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = facula.nn.Linear(1, 1)

        def training_step(self, batch, batch_idx):
            loss = self.layer(batch).pow(2).mean()
            self.log("loss", loss, prog_bar=True)
            return loss

        def validation_step(self, batch, batch_idx, dataloader_idx=0):
            pass

        test_step = validation_step

        def configure_optimizers(self):
            return facula.optim.SGD(self.parameters(), 0.1)

    quiet = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu", "max_epochs": 2}
    trainer = Trainer(callbacks=list(callbacks), **{**quiet, **settings})
    data = [facula.ones(2, 1)] * batches
    if stage == "fit":
        trainer.fit(Model(), data, data[:2])
    else:
        getattr(trainer, stage)(Model(), [iter_of(data), iter_of(data[:3])], verbose=False)
    return trainer


def iter_of(batches: list) -> facula.utils.data.DataLoader:
    return facula.utils.data.DataLoader(batches, batch_size=None)


@pytest.fixture
def notebook(monkeypatch) -> None:
    """What looks like a notebook to a program."""
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_a_notebook_gets_a_bar_in_place_without_control_sequences(notebook, capsys) -> None:
    run(PlainProgressBar(), enable_model_summary=False)
    text = capsys.readouterr().out
    assert "\x1b" not in text and text.count("\n") == 2
    # Batches are quicker than a notebook is written to: the first is drawn, and the end.
    assert [line.count("\r") for line in text.split("\n")] == [2, 2, 0]
    assert [line.split()[4] for line in screen(text)[:2]] == ["6/6", "6/6"]


def test_a_notebook_gets_tqdms_bar(notebook, capsys, monkeypatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # no widgets
    run(TQDMProgressBar(), enable_model_summary=False)
    assert "6/6" in screen(capsys.readouterr().out)[0]


def test_loaders_of_several_lengths_have_a_bar_each(capsys) -> None:
    bar = PlainProgressBar()
    run(bar, stage="test", enable_model_summary=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" [")[0] for line in lines] == [
        "Testing DataLoader 0: 100% 6/6", "Testing DataLoader 1: 100% 3/3",
    ]  # fmt: skip


def test_what_a_bar_knows() -> None:
    seen: dict[str, object] = {}

    class Watching(ProgressBar):
        def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0) -> None:
            super().on_validation_batch_start(trainer, pl_module, batch, batch_idx, dataloader_idx)
            changed = self.has_dataloader_changed(dataloader_idx)
            where = "sanity" if trainer.sanity_checking else "val"
            seen.setdefault(where, (self.total_val_batches_current_dataloader, changed))

        def on_train_batch_start(self, trainer, *arguments) -> None:
            seen["train"] = self.total_train_batches, self.total_val_batches

    bar = Watching()
    with pytest.raises(TypeError, match="reference has not been set yet"):
        _ = bar.trainer
    trainer = run(bar, num_sanity_val_steps=1, enable_model_summary=False)
    assert bar.trainer is trainer and trainer.progress_bar_callback is bar
    assert seen == {"sanity": (1, True), "val": (2, True), "train": (6, 2)}
    bar.disable()
    assert bar.is_disabled
    bar.enable()
    assert bar.is_enabled


def test_bars_of_tqdm_can_be_made_otherwise(monkeypatch, capsys) -> None:
    pytest.importorskip("tqdm")
    written = io.StringIO()
    written.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", written)

    class Mine(TQDMProgressBar):
        def init_train_tqdm(self):
            bar = super().init_train_tqdm()
            bar.unit = "lot"
            return bar

        def get_metrics(self, trainer, pl_module):
            return {"hello": 5}

    bar = Mine(process_position=1)
    with pytest.raises(TypeError, match="_train_progress_bar` reference has not been set yet"):
        _ = bar.train_progress_bar
    run(bar, enable_model_summary=False)
    assert "hello=5" in written.getvalue() and "lot/s" in written.getvalue()
    assert bar.process_position == 1


def test_no_bar_is_drawn_at_the_rate_of_zero(capsys, monkeypatch) -> None:
    bars = [bar(refresh_rate=0) for bar in (TQDMProgressBar, RichProgressBar) if importable(bar)]
    for bar in bars:
        run(bar, enable_model_summary=False)
        assert capsys.readouterr().out == ""
    monkeypatch.setenv("COLAB_GPU", "1")
    if importable(TQDMProgressBar):
        assert TQDMProgressBar().refresh_rate == 20 and TQDMProgressBar(refresh_rate=3).refresh_rate == 3
        monkeypatch.setenv("TQDM_MINITERS", "7")
        assert TQDMProgressBar(refresh_rate=3).refresh_rate == 7


def importable(bar: type) -> bool:
    try:
        bar()
    except ModuleNotFoundError:
        return False
    return True


def test_richs_bar_takes_a_theme_and_a_console() -> None:
    pytest.importorskip("rich")
    file = io.StringIO()
    theme = RichProgressBarTheme(description="green", metrics_format=".1e", metrics_text_delimiter="; ")
    bar = RichProgressBar(theme=theme, console_kwargs={"file": file, "force_terminal": True, "width": 100})
    trainer = run(bar)
    assert any(type(each) is RichModelSummary for each in trainer.callbacks)
    assert re.search(r"loss: \d\.\de-\d\d", file.getvalue()) and "\x1b[32m" in file.getvalue()
    plain = io.StringIO()
    run(RichProgressBar(console_kwargs={"file": plain}), enable_model_summary=False)
    assert [line.partition(" [")[0] for line in plain.getvalue().splitlines()] == [
        "Epoch 0: 100% 6/6", "Epoch 1: 100% 6/6",
    ]  # fmt: skip


def test_richs_summary_is_ours_in_a_table(capsys) -> None:
    pytest.importorskip("rich")
    run(RichModelSummary(max_depth=-1), enable_progress_bar=False)
    text = capsys.readouterr().out
    assert re.search(r"│ 0 │ layer │ Linear │ +2 │ train │", text) and "Total params: 2" in text
    assert isinstance(RichModelSummary(), ModelSummary)


def test_a_missing_package_is_named(monkeypatch) -> None:
    for kind, bar in (("tqdm", TQDMProgressBar), ("rich", RichProgressBar), ("rich", RichModelSummary)):
        monkeypatch.setitem(sys.modules, kind, None)
        with pytest.raises(ModuleNotFoundError, match=f"{bar.__name__} needs the package {kind}: pip install {kind}"):
            bar()


def test_neither_is_imported_before_it_is_used() -> None:
    check = "import facula_lightning.callbacks, sys; assert not {'tqdm', 'rich', 'IPython'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


@pytest.mark.parametrize("name", ["TQDMProgressBar", "RichProgressBar", "RichModelSummary", "RichProgressBarTheme"])
def test_arguments_are_lightnings(name: str) -> None:
    theirs = pytest.importorskip("pytorch_lightning.callbacks")
    where = theirs if hasattr(theirs, name) else importlib.import_module(f"{theirs.__name__}.progress.rich_progress")
    ours = importlib.import_module("facula_lightning.callbacks")

    def arguments(kind: type) -> list[tuple[str, object]]:
        return [(each.name, each.default) for each in inspect.signature(kind).parameters.values()]

    if name == "RichProgressBar":
        assert [each[0] for each in arguments(ours.RichProgressBar)] == [
            each[0] for each in arguments(where.RichProgressBar)
        ]
        assert vars(ours.RichProgressBar().theme) == vars(where.RichProgressBar().theme)
    else:
        assert arguments(getattr(ours, name)) == arguments(getattr(where, name))
