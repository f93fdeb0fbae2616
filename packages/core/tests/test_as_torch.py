"""Programs written for PyTorch, run with facula under its names; each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import facula
import pytest

SOURCES = Path(facula.__file__).parents[1]


def run(program: str, folder: Path, *arguments: str, code: int = 0) -> str:
    """Run a program by ``python -m facula.as_torch``, where no PyTorch can be found, and return what it prints."""
    script = folder / "program.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-m", "facula.as_torch", str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_training_program_runs_unmodified(tmp_path) -> None:
    program = """
import sys
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.optim.lr_scheduler import StepLR

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
x = torch.randn(64, 3)
data = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
schedule = StepLR(optimizer, 1)
for epoch in range(int(sys.argv[1])):
    for inputs, labels in data:
        loss = F.cross_entropy(model(inputs.to(device)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    schedule.step()
torch.save(model.state_dict(), "model.pt")
model.load_state_dict(torch.load("model.pt", weights_only=True))
with torch.no_grad():
    print(__name__, f"{(model(x).argmax(1) == (x.sum(1) > 0)).float().mean().item():.1f}")
"""
    name, accuracy = run(program, tmp_path, "6").split()
    assert name == "__main__" and float(accuracy) >= 0.9


def test_names_are_facula_s_and_what_is_missing_says_so(tmp_path) -> None:
    program = """
import importlib.metadata, importlib.util
import torch, torch.nn.modules.batchnorm
import facula

assert torch.Tensor is facula.Tensor and torch.nn.Linear is facula.nn.Linear
assert torch.nn.functional.relu is facula.nn.functional.relu
assert issubclass(torch.nn.BatchNorm2d, torch.nn.modules.batchnorm._BatchNorm)
assert torch.__version__ == importlib.metadata.version("torch") == "2.13.0"
assert importlib.util.find_spec("torch") is not None
assert not hasattr(torch, "no_such_name") and not torch.jit.is_scripting()
assert torch.compile(torch.nn.Linear(1, 1)).in_features == 1
try:
    torch.no_such_name
except NotImplementedError as error:
    print(error)
try:
    from torch import neither
except ImportError:
    print("ImportError")
try:
    import torch._inductor
except ModuleNotFoundError as error:
    print(error)
"""
    lines = run(program, tmp_path).splitlines()
    assert lines == [
        "torch.no_such_name is not implemented by facula",
        "ImportError",
        "No module named 'torch._inductor'",
    ]


def test_overrides_see_the_aliases(tmp_path) -> None:
    program = """
import torch

class Logged(torch.Tensor):
    seen = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.seen.append(func is torch.exp or func == torch.exp)
        return super().__torch_function__(func, types, args, kwargs or {})

class Plain(torch.Tensor):
    __torch_function__ = torch._C._disabled_torch_function_impl

print(type(torch.exp(torch.ones(2).as_subclass(Logged))).__name__, Logged.seen)
print(type(Plain([1.0]) + 1).__name__)
"""
    assert run(program, tmp_path).splitlines() == ["Logged [True]", "Tensor"]


def test_it_can_be_taken_back(tmp_path) -> None:
    program = """
import sys
import facula.as_torch
import torch

assert torch.Tensor is facula.Tensor
facula.as_torch.uninstall()
assert not any(name.partition(".")[0] == "torch" for name in sys.modules)
assert not any(type(each).__module__ == "facula.as_torch.finder" for each in sys.meta_path)
print("taken back")
"""
    assert run(program, tmp_path) == "taken back\n"


def test_mistakes_on_the_command_line(tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    for arguments in ([], [str(tmp_path / "nothing.py")]):
        command = [sys.executable, "-m", "facula.as_torch", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        assert done.returncode != 0 and "usage: python -m facula.as_torch" in done.stderr


def test_pytorch_itself_must_not_be_there_yet() -> None:
    pytest.importorskip("torch")
    program = "import torch, facula.as_torch\nfacula.as_torch.install()"
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=120)
    assert "RuntimeError: torch has been imported already" in done.stderr
