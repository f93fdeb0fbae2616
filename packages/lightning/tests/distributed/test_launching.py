"""Starting ranks in every way; checkpoints, logs and printing on several ranks; resuming."""

import csv
import json
import sys
from pathlib import Path

import facula
import numpy as np
import pytest
from facula_lightning import seed_everything
from facula_lightning.plugins import environments
from facula_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from facula_lightning.strategies.resolve import NAMES
from facula_lightning.utilities.exceptions import MisconfigurationException
from models import Regression, loader, quiet


@pytest.mark.parametrize("start", ["mpi", "tcp"], indirect=True)
@pytest.mark.parametrize(("how", "strategy"), [(0, "ddp"), (0, "ddp_spawn"), (2, "ddp"), (2, "auto")])
def test_ranks_are_started_and_the_first_alone_writes(start, tmp_path, how, strategy) -> None:
    file = tmp_path / "answer.json"
    ended = start("launch_program.py", how, file, strategy)
    found = json.loads(file.read_text())
    seed_everything(5, verbose=False)
    model, trainer = Regression(), quiet(tmp_path, max_epochs=4)
    trainer.fit(model, loader(11, 4, shuffle=True), loader(5, 2))
    for one, other in zip(found["weights"], model.state_dict().values()):
        np.testing.assert_allclose(one, other.flatten().tolist(), rtol=1e-9)
    assert found["metrics"]["val_loss"] == pytest.approx(trainer.callback_metrics["val_loss"].item(), rel=1e-9)
    assert (found["steps"], found["epochs"]) == (12, 4)
    expected = [each.tolist() for each in trainer.predict(model, loader(5, 2))]
    np.testing.assert_allclose(np.concatenate(found["predictions"]), np.concatenate(expected), rtol=1e-9)
    assert ended.stdout.count("printed by 0") == 1 and "printed by 1" not in ended.stdout
    assert ended.stdout.count("Total params") == 1
    assert [each.name for each in (tmp_path / "lightning_logs").iterdir()] == ["version_0"]
    rows = list(csv.DictReader((tmp_path / "lightning_logs/version_0/metrics.csv").read_text().splitlines()))
    assert sum(bool(row["val_loss"]) for row in rows) == 4
    checkpoints = sorted(each.name for each in (tmp_path / "lightning_logs/version_0/checkpoints").iterdir())
    assert checkpoints == sorted(["last.ckpt", Path(found["best"]).name])


@pytest.mark.parametrize("ranks", [2, 3])
def test_a_resumed_run_equals_an_uninterrupted_one(answer, ranks) -> None:
    first = answer("resume_program.py", ranks, "first")
    second = answer("resume_program.py", ranks, "second")
    whole = answer("resume_program.py", ranks, "whole")
    assert second["weights"] == whole["weights"]
    for rank in range(ranks):
        assert first["seen"][rank] + second["seen"][rank] == whole["seen"][rank]


def test_torchrun_spelling_starts_a_run(start, tmp_path) -> None:
    import os
    import subprocess

    file = tmp_path / "answer.json"
    start("launch_program.py", 2, file, "ddp")
    before = json.loads(file.read_text())["weights"]
    folder = tmp_path / "second"
    folder.mkdir()
    program = [str(Path(__file__).parent / "launch_program.py"), str(folder / "answer.json"), "ddp"]
    command = [sys.executable, "-m", "facula.distributed.run", "--nproc-per-node=2", *program]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert json.loads((folder / "answer.json").read_text())["weights"] == before


def test_processes_of_slurm_need_no_mpi(tmp_path) -> None:
    import os
    import subprocess

    from facula.distributed.initialization import find_free_port

    port = find_free_port()
    shared = {
        **{"SLURM_NTASKS": "2", "SLURM_NODEID": "0", "SLURM_NODELIST": "127.0.0.1", "MASTER_PORT": str(port)},
        **{"OMP_NUM_THREADS": "1"},
    }
    command = [sys.executable, str(Path(__file__).parent / "launch_program.py"), str(tmp_path / "answer.json"), "ddp"]
    ranks = [
        subprocess.Popen(command, env={**os.environ, **shared, "SLURM_PROCID": rank, "SLURM_LOCALID": rank})
        for rank in ("0", "1")
    ]
    assert [each.wait(120) for each in ranks] == [0, 0]
    found = json.loads((tmp_path / "answer.json").read_text())
    assert (found["steps"], found["epochs"]) == (12, 4)


def test_numbers_of_devices_that_do_not_fit_are_refused(start, tmp_path) -> None:
    ended = start("launch_program.py", 3, tmp_path / "answer.json", "ddp", fails=True)
    assert "does not match the world size (3)" in ended.stderr


def test_names_of_strategies(tmp_path) -> None:
    for name, (method, options) in NAMES.items():
        trainer = quiet(tmp_path, devices=2, strategy=name)
        assert isinstance(trainer.strategy, DDPStrategy) and trainer.strategy.start_method == method
        assert trainer.strategy._ddp_kwargs == options
        assert trainer.world_size == 2 and trainer.global_rank == 0 and trainer.device_ids == [0, 1]
    assert isinstance(quiet(tmp_path, devices=1).strategy, SingleDeviceStrategy)
    assert isinstance(quiet(tmp_path, devices=2).strategy, DDPStrategy)
    own = DDPStrategy(find_unused_parameters=True, bucket_cap_mb=1)
    assert quiet(tmp_path, devices=2, strategy=own).strategy is own
    for settings, kind in (
        ({"strategy": "carrier_pigeon"}, ValueError),
        ({"strategy": "single_device", "devices": 2}, MisconfigurationException),
        ({"devices": 0}, MisconfigurationException),
        ({"devices": [0, 1]}, MisconfigurationException),
        ({"num_nodes": 0}, MisconfigurationException),
        ({"num_nodes": 2, "devices": 2}, MisconfigurationException),
        ({"accelerator": "abacus"}, ValueError),
    ):
        with pytest.raises(kind):
            quiet(tmp_path, **settings)
    with pytest.raises(ValueError, match="start_method"):
        DDPStrategy(start_method="wish")


def test_environments_read_what_launchers_set(monkeypatch) -> None:
    for name, value in (("PMI_RANK", "3"), ("PMI_SIZE", "4"), ("MPI_LOCALRANKID", "1"), ("MPI_LOCALNRANKS", "2")):
        monkeypatch.setenv(name, value)
    mpi = environments.MPIEnvironment()
    assert mpi.detect() and mpi.creates_processes_externally
    assert (mpi.world_size(), mpi.global_rank(), mpi.local_rank(), mpi.node_rank()) == (4, 3, 1, 1)
    with pytest.raises(ValueError, match=r"does not match the world size \(4\)"):
        mpi.validate_settings(num_devices=3, num_nodes=1)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1"), ("GROUP_RANK", "2")):
        monkeypatch.setenv(name, value)
    assert not environments.TorchElasticEnvironment.detect()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("MASTER_PORT", "1234")
    elastic = environments.TorchElasticEnvironment()
    assert elastic.detect() and elastic.main_port == 1234
    assert (elastic.world_size(), elastic.global_rank(), elastic.local_rank(), elastic.node_rank()) == (8, 5, 1, 2)
    for name, value in (("SLURM_NTASKS", "6"), ("SLURM_PROCID", "4"), ("SLURM_LOCALID", "0"), ("SLURM_NODEID", "2")):
        monkeypatch.setenv(name, value)
    slurm = environments.SLURMEnvironment()
    assert slurm.detect()
    assert slurm.main_port == 1234
    monkeypatch.delenv("MASTER_PORT")
    assert slurm.main_port == 12910
    monkeypatch.setenv("SLURM_JOB_ID", "9870123")
    assert slurm.main_port == 15123
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")
    assert not slurm.detect()
    assert (slurm.world_size(), slurm.global_rank(), slurm.local_rank(), slurm.node_rank()) == (6, 4, 0, 2)
    resolve = slurm.resolve_root_node_address
    assert [resolve(each) for each in ("alpha,beta", "host[22-24]", "host[1,5-9],x", "a")] == [
        "alpha",
        "host22",
        "host1",
        "a",
    ]
    assert environments.LightningEnvironment().creates_processes_externally


def test_accelerators() -> None:
    from facula_lightning.accelerators import CPUAccelerator, CUDAAccelerator, find_usable_cuda_devices

    assert CPUAccelerator.get_parallel_devices("3") == [facula.device("cpu")] * 3
    for wrong in ("x", 0, -1, True, [0]):
        with pytest.raises(TypeError, match="should be an int > 0"):
            CPUAccelerator.parse_devices(wrong)
    with pytest.raises(MisconfigurationException, match="Device should be CPU"):
        CPUAccelerator().setup_device(facula.device("cuda", 0))
    assert find_usable_cuda_devices(0) == []
    if not CUDAAccelerator.is_available():
        assert find_usable_cuda_devices() == []
        with pytest.raises(ValueError, match="no visible CUDA devices"):
            find_usable_cuda_devices(1)
        with pytest.raises(MisconfigurationException, match="your machine only has"):
            CUDAAccelerator.parse_devices([0])


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("stops", ["finished", 3]),
        ("is terminated", ["terminated", 3]),
        ("stops after validation", ["finished", 6]),
    ],
)
def test_what_stops_one_rank_stops_all(answer, what, expected) -> None:
    assert answer("stopping_program.py", 2, what) == [expected, expected]


@pytest.mark.parametrize("start", ["mpi", "tcp"], indirect=True)
def test_a_rank_that_hangs_is_named(start, tmp_path) -> None:
    ended = start("stopping_program.py", 2, tmp_path / "answer.json", "sleeps", fails=True)
    assert "rank 0: all_reduce (number " in ended.stderr and "did not end within 2 s" in ended.stderr
    assert "rank 1: has ended all_reduce (number " in ended.stderr


@pytest.mark.parametrize("start", ["mpi", "tcp"], indirect=True)
def test_an_error_in_one_rank_ends_all(start, tmp_path) -> None:
    ended = start("stopping_program.py", 2, tmp_path / "answer.json", "fails", fails=True)
    assert "ZeroDivisionError: on purpose" in ended.stderr


def test_unused_parameters_are_named(start, tmp_path) -> None:
    ended = start("stopping_program.py", 2, tmp_path / "answer.json", "has unused parameters", fails=True)
    assert "find_unused_parameters=True" in ended.stderr and "unused.0.weight" in ended.stderr


@pytest.mark.parametrize("ranks", [2, 4])
def test_modules_speak_to_each_other(answer, ranks) -> None:
    assert answer("together_program.py", ranks) == [[rank, 0, ranks] for rank in range(ranks)]
