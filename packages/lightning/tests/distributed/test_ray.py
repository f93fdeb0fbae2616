"""Ray's actors as processes: a stand-in for Ray with the same calls, and Ray itself where it is installed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from fabric_program import train
from facula_lightning import seed_everything
from facula_lightning.fabric import Fabric
from facula_lightning.strategies import DDPStrategy
from facula_lightning.strategies.launchers.ray import RayLauncher
from facula_lightning.utilities import MisconfigurationException
from models import Regression, loader, quiet, weights

HERE = Path(__file__).parent


@pytest.fixture
def run(tmp_path):
    """A function that runs the program, and returns how it ended, its answer and what was asked of the stand-in."""

    def start(*arguments: object, real: bool = False) -> tuple[subprocess.CompletedProcess, dict, list[dict]]:
        file, notes = tmp_path / "answer.json", tmp_path / "notes"
        notes.touch()
        path = [] if real else [str(HERE / "fake_ray")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")]),
            "FAKE_RAY_NOTES": str(notes),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, str(HERE / "ray_program.py"), str(file), *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
        found = json.loads(file.read_text()) if file.exists() else {}
        return ended, found, [json.loads(line) for line in notes.read_text().splitlines()]

    return start


def alone(tmp_path) -> list:
    seed_everything(5, verbose=False)
    model = Regression()
    quiet(tmp_path, max_epochs=2).fit(model, loader(11, 4, shuffle=True), loader(5, 2))
    return weights(model)


@pytest.mark.parametrize(("processes", "machines"), [(2, 1), (2, 2)])
def test_actors_train_as_one_process_with_the_whole_batch(run, tmp_path, processes, machines) -> None:
    ended, found, notes = run(processes, machines, "fit")
    assert ended.returncode == 0, ended.stderr
    for one, other in zip(found["weights"], alone(tmp_path), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert found["steps"] == 6 and found["world"] == processes * machines
    kind = {1: "STRICT_PACK", 2: "STRICT_SPREAD"}[machines]
    assert notes[:2] == [{"init": {}}, {"bundles": [{"CPU": processes}] * machines, "strategy": kind}]
    assert notes[2 : 2 + machines] == [
        {"actors": {"num_cpus": 1, "num_gpus": 0}, "machine": machine} for machine in range(machines)
    ]
    assert notes[2 + machines :] == [{"killed": True}] * processes * machines + [{"removed": True}]


def test_fabric_gets_what_the_first_actor_returns(run) -> None:
    ended, found, notes = run(2, 2, "fabric")
    assert ended.returncode == 0, ended.stderr
    assert found["places"] == [[0, 0, 0], [1, 1, 0], [2, 0, 1], [3, 1, 1]]
    seed_everything(5, verbose=False)
    expected = train(Fabric(accelerator="cpu", loggers=type("Silent", (), {"log_metrics": lambda *a, **b: None})()), 11)
    for one, other in zip(found["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert [each for each in notes if "init" in each] == [{"init": {}}]


def test_one_that_fails_ends_all_and_its_error_is_the_cause(run) -> None:
    ended, found, notes = run(2, 1, "fails")
    assert ended.returncode == 1 and not found
    assert "RuntimeError: process 1 of 2 failed" in ended.stderr and "ZeroDivisionError: on purpose" in ended.stderr
    assert notes[-3:] == [{"killed": True}, {"killed": True}, {"removed": True}]


def test_what_a_process_needs_is_said_by_the_launcher(tmp_path) -> None:
    strategy = DDPStrategy(start_method="ray")
    strategy.launcher = RayLauncher(3, cpus_per_process=2, resources={"fast": 1})
    assert quiet(tmp_path, devices=3, strategy=strategy).strategy.launcher.needs == {"CPU": 2, "GPU": 0, "fast": 1}
    made = quiet(tmp_path, devices=1, num_nodes=2, strategy="ddp_ray").strategy
    assert isinstance(made.launcher, RayLauncher) and (made.launcher.processes, made.launcher.machines) == (1, 2)
    assert made.world_size == 2
    # One process needs no actor.
    assert quiet(tmp_path, devices=1, strategy="ddp_ray").strategy.launcher is None


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_it_is_said_what_to_install(tmp_path) -> None:
    with pytest.raises(MisconfigurationException, match=r"pip install 'facula-lightning\[ray\]'"):
        Fabric(accelerator="cpu", devices=2, strategy="ddp_ray").launch(lambda fabric: None)


@pytest.mark.skipif(find_spec("ray") is None, reason="needs ray: pip install 'facula-lightning[ray]'")
def test_ray_itself(run, tmp_path) -> None:
    ended, found, _ = run(2, 1, "fit", real=True)
    assert ended.returncode == 0, ended.stderr
    for one, other in zip(found["weights"], alone(tmp_path), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    ended, found, _ = run(2, 1, "fails", real=True)
    assert "process 1 of 2 failed" in ended.stderr and "on purpose" in ended.stderr
