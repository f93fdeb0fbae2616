"""The example programs take the same steps with facula and, where it is installed, with PyTorch under its name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

EXAMPLES = Path(__file__).parents[3] / "examples"

# In a process of its own, every module of PyTorch is also known by facula's name for it.
AS_TORCH = """
import runpy, sys
import torch, torch.nn.functional, torch.optim.lr_scheduler, torch.utils.data
for name, module in list(sys.modules.items()):
    if name.partition(".")[0] == "torch":
        sys.modules["facula" + name.removeprefix("torch")] = module
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def losses(prefix, script, *arguments):
    command = [sys.executable, *prefix, str(EXAMPLES / script), "--only-first-steps", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return [float(loss) for loss in re.findall(r"^step +\d+  loss ([\d.]+)$", done.stdout, flags=re.MULTILINE)]


@pytest.mark.slow
@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples of the repository are not here")
@pytest.mark.parametrize("script", ["ag_news.py", "tiny_shakespeare.py"])
def test_the_first_twenty_losses_are_pytorchs(test_data, script):
    arguments = ["--train-file", "train_10k.csv"] if script == "ag_news.py" else []
    ours = losses([], script, *arguments)
    theirs = losses(["-c", AS_TORCH], script, *arguments)
    assert len(ours) == len(theirs) == 20
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert ours[-1] < ours[0]
