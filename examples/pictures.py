"""Makes the pictures of the trainer's README: its progress bar on a terminal, a learning-rate search, training curves.

Run: python examples/pictures.py --output docs/pictures      (half a minute; needs matplotlib, and a POSIX system)
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from facula.utils.data import DataLoader, random_split
from facula_lightning import Trainer, seed_everything
from facula_lightning.loggers import CSVLogger
from facula_lightning.tuner import Tuner
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor
from PIL import Image, ImageDraw, ImageFont

EXAMPLES = Path(__file__).resolve().parent
sys.path.insert(0, str(EXAMPLES))
from digits import BLUE, INK, ORANGE, RED, DigitClassifier, _pyplot, draw_curves, read_metrics  # noqa: E402

BACKGROUND, FOREGROUND = "#101820", "#d8dee6"
#: The colours of a terminal: black, red, green, yellow, blue, magenta, cyan, white.
COLORS = ["#4c5763", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee6"]
BLOCKS = "▏▎▍▌▋▊▉█"
_ESCAPE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def run_on_terminal(command: list[str], columns: int, folder: Path) -> str:
    """Return all that a command writes to a terminal of its own, made for it."""
    import pty
    import termios

    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns), LINES="40")
        os.execvp(command[0], command)
    termios.tcsetwinsize(terminal, (40, columns))
    written = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        written += part
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{written.decode(errors='replace')}")
    return written.decode()


def screen(text: str) -> list[list[tuple[str, str]]]:
    """Return the lines of characters and their colours that a terminal shows of a text with its control sequences."""
    lines: list[list[tuple[str, str]]] = [[]]
    row = column = 0
    color = FOREGROUND
    for found in _ESCAPE.finditer(text):
        numbers, control, end, plain = found.groups()
        count = int(numbers) if numbers and numbers.isdigit() else 0
        if end == "\r":
            column = 0
        elif end == "\n":
            row += 1
            while len(lines) <= row:
                lines.append([])
        elif control == "K":
            lines[row] = [] if count == 2 else lines[row][:column]
        elif control == "A":
            row = max(0, row - max(count, 1))
        elif control == "m":
            color = _color(numbers, color)
        elif plain:
            line = lines[row]
            line.extend([(" ", FOREGROUND)] * (column - len(line)))
            line[column : column + len(plain)] = [(each, color) for each in plain]
            column += len(plain)
    return lines


def _color(codes: str, before: str) -> str:
    for code in codes.split(";"):
        if code in ("", "0", "39"):
            before = FOREGROUND
        elif code.isdigit() and int(code) in (*range(30, 38), *range(90, 98)):
            before = COLORS[int(code) % 10]
    return before


def draw_terminal(lines: list[list[tuple[str, str]]], columns: int, path: Path) -> None:
    """Draw lines of a terminal."""
    import matplotlib

    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSansMono.ttf"), 15)
    width, height, margin = font.getlength("M"), 20, 14
    size = (round(columns * width) + 2 * margin, len(lines) * height + 2 * margin)
    image = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        for column, (character, color) in enumerate(line):
            left, top = margin + column * width, margin + row * height
            if character in BLOCKS:
                # As terminals do, without seams between the cells.
                share = (BLOCKS.index(character) + 1) / 8
                draw.rectangle((round(left), top + 2, round(left + share * width) - 1, top + height - 3), fill=color)
            else:
                draw.text((left, top), character, fill=color, font=font)
    image.quantize(32).save(path, optimize=True)


def progress_bar(path: Path, columns: int = 118) -> None:
    """Draw what a terminal shows in the midst of a training, run there by this program."""
    with tempfile.TemporaryDirectory() as folder:
        text = run_on_terminal([sys.executable, __file__, "--train-only"], columns, Path(folder))
    # Up to the drawing of the bar that is nearest to two thirds of an epoch; the first two have no numbers of the one before.
    drawings = list(re.finditer(r"Epoch [2-9]\D* (\d+)%[^\r\n]*", text))
    chosen = min(drawings, key=lambda each: abs(int(each[1]) - 67), default=None)
    if chosen is None:
        raise RuntimeError(f"no bar was drawn:\n{text}")
    lines = screen(text[: chosen.end()])
    while not lines[0]:
        lines.pop(0)
    draw_terminal(lines, columns, path)


def train_only() -> None:
    """Train for a few epochs with what a trainer shows unasked."""
    seed_everything(2, verbose=False)
    trainer = Trainer(accelerator="cpu", max_epochs=4, logger=False, enable_checkpointing=False, num_sanity_val_steps=0)
    trainer.fit(DigitClassifier(width=48), *loaders())


def loaders() -> tuple[DataLoader, DataLoader]:
    train, val = random_split(Digits(transform=ToTensor()), [1242, 200])
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=100)


def learning_rate_finder(path: Path) -> None:
    """Draw the losses of a search for a learning rate, and what the two ways to choose one suggest."""
    plt = _pyplot()
    seed_everything(2, verbose=False)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    found = Tuner(trainer).lr_find(DigitClassifier(), *loaders(), min_lr=1e-6, max_lr=10, update_attr=False)
    figure, axis = plt.subplots(figsize=(7.5, 4), layout="constrained")
    found.plot(ax=axis)
    axis.lines[0].set(color=BLUE, linewidth=2)
    rates, losses = found.results["lr"], found.results["loss"]
    for method, color in (("steepest", RED), ("valley", ORANGE)):
        rate = found.suggestion(method=method)
        label = f'suggestion(method="{method}"): {rate:.1e}'
        axis.plot(rate, losses[rates.index(rate)], "o", color=color, markersize=9, label=label)
    axis.set_title("Learning rate finder", loc="left", fontweight="bold", color=INK)
    axis.grid(axis="y", color="#e4e7eb")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    shrink(path, 800)


def curves(path: Path, epochs: int) -> None:
    """Draw loss and accuracy of a run from its CSV log."""
    seed_everything(2, verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        logger = CSVLogger(folder)
        trainer = Trainer(
            accelerator="cpu", max_epochs=epochs, logger=logger, log_every_n_steps=10, num_sanity_val_steps=0,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(DigitClassifier(), *loaders())
        draw_curves(read_metrics(Path(logger.log_dir) / "metrics.csv"), path)
    shrink(path, 900)


def shrink(path: Path, width: int) -> None:
    """Make a picture smaller, in pixels and bytes."""
    with Image.open(path) as image:
        size = (width, round(image.height * width / image.width))
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(64).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--epochs", type=int, default=15, help="of the training curves")
    parser.add_argument("--train-only", action="store_true", help="draw nothing: what the first picture shows")
    given = parser.parse_args()
    if given.train_only:
        train_only()
        return
    if os.name != "posix":
        parser.error("a terminal is made for the picture of the progress bar, which needs a POSIX system")
    given.output.mkdir(parents=True, exist_ok=True)
    progress_bar(given.output / "progress-bar.png")
    learning_rate_finder(given.output / "learning-rate-finder.png")
    curves(given.output / "training-curves.png", given.epochs)
    for each in sorted(given.output.glob("*.png")):
        print(f"{each}: {each.stat().st_size} bytes")


if __name__ == "__main__":
    main()
