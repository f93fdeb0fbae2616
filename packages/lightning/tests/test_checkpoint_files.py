"""Checkpoint files: whole or not at all, verified, compared, converted, and those of PyTorch Lightning."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from facula_lightning.checkpointing.__main__ import main
from facula_lightning.checkpointing.compare import diff, verify
from facula_lightning.checkpointing.connector import newest_hpc_checkpoint, next_hpc_checkpoint
from facula_lightning.checkpointing.io import CheckpointFileError, read_checkpoint, write_checkpoint
from facula_lightning.checkpointing.manifest import leaves
from facula_lightning.plugins import AsyncCheckpointIO, SafetensorsCheckpointIO, TorchCheckpointIO

LIGHTNING = Path(__file__).parent / "data" / "lightning_2_6_6.ckpt"


class Model(LightningModule):
    def __init__(self, width: int = 3, rate: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(2, width)
        self.out = nn.Linear(width, 1)

    def training_step(self, batch, batch_idx):
        return self.out(facula.tanh(self.layer(batch[0]))).sub(batch[1]).pow(2).mean()

    def configure_optimizers(self):
        optimizer = facula.optim.Adam(self.parameters(), lr=self.hparams.rate)
        return {"optimizer": optimizer, "lr_scheduler": facula.optim.lr_scheduler.StepLR(optimizer, 1)}


def data() -> DataLoader:
    x = facula.randn(12, 2, generator=facula.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4)


def quiet(folder: Path, **settings) -> Trainer:
    usual = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    return Trainer(**{"max_epochs": 1, "accelerator": "cpu", **usual, **settings})


TREE = {
    "state_dict": {"a": facula.arange(6.0).reshape(2, 3), "b": facula.tensor(2 + 1j), "c": facula.zeros(0)},
    "optimizer": {0: {"step": facula.tensor(3.0), "betas": (0.9, 0.999)}, 1: None},
    "plain": [1, 2.5, float("inf"), "text", True, None, b"\x00\xff", {1, 2}, facula.float16, facula.device("cpu")],
    "more": {"__facula__": "a key like any other"},
}


def plain(tree: object) -> list:
    return [(path, each.tolist() if isinstance(each, facula.Tensor) else each) for path, each in leaves(tree)]


@pytest.mark.parametrize("plugin", [TorchCheckpointIO(), SafetensorsCheckpointIO(), AsyncCheckpointIO()])
def test_what_is_written_is_read(plugin, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.ckpt"
    plugin.save_checkpoint(TREE, path)
    found = plugin.load_checkpoint(path)
    plugin.teardown()
    assert plain(found) == plain(TREE)
    assert type(found["optimizer"][0]["betas"]) is tuple
    assert verify(path) == []
    assert [each.name for each in path.parent.iterdir()] == ["a.ckpt"]


def test_pytorch_reads_the_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    write_checkpoint(TREE, tmp_path / "a.ckpt")
    found = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert found["state_dict"]["a"].tolist() == TREE["state_dict"]["a"].tolist()


def test_safetensors_readers_find_the_tensors(tmp_path: Path) -> None:
    numpy_reader = pytest.importorskip("safetensors.numpy")
    SafetensorsCheckpointIO().save_checkpoint(TREE, tmp_path / "a.safetensors")
    assert numpy_reader.load_file(tmp_path / "a.safetensors")["state_dict/a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("plugin", [TorchCheckpointIO(), SafetensorsCheckpointIO()])
def test_no_changed_byte_goes_unnoticed(plugin, tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    plugin.save_checkpoint({"state_dict": {"weight": facula.arange(40.0)}, "epoch": 3}, path)
    whole = path.read_bytes()
    step = max(1, len(whole) // 300)
    for position in range(0, len(whole), step):
        changed = bytearray(whole)
        changed[position] ^= 0x10
        path.write_bytes(changed)
        try:
            found = plugin.load_checkpoint(path)
        except CheckpointFileError as error:
            assert "a.ckpt" in str(error)
        else:
            # What may change unnoticed are a zip file's dates, its padding and the like: no content.
            assert found["epoch"] == 3 and found["state_dict"]["weight"].tolist() == list(range(40)), position
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointFileError, match=r"a\.ckpt"):
            plugin.load_checkpoint(path)


def test_a_changed_tensor_is_named(tmp_path: Path) -> None:
    write_checkpoint({"state_dict": {"weight": facula.ones(3)}}, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    records["archive/data/0"] = bytes(12)
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    assert json.loads(records["archive/facula.json"])["tensors"]["state_dict/weight"]["shape"] == [3]
    with pytest.raises(CheckpointFileError, match="state_dict/weight.* was changed"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_a_malicious_file_is_refused(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": {}, "x": Evil()}, 2))
    with pytest.raises(CheckpointFileError, match="refused"):
        read_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "executed").exists()


def test_a_kill_while_saving_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    program = """
import sys, facula
from facula_lightning.checkpointing.io import write_checkpoint
for number in range(10_000):
    write_checkpoint({"state_dict": {"w": facula.full((1000, 200), number)}, "n": number}, sys.argv[1])
    print(number, flush=True)
"""
    path = tmp_path / "a.ckpt"
    for attempt in range(4):
        child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(attempt + 2):
            child.stdout.readline()
        time.sleep(0.003 * attempt)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = read_checkpoint(path)
        assert (found["state_dict"]["w"] == found["n"]).all()
    # What a killed process left behind is removed by the next one.
    write_checkpoint({"state_dict": {}}, path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.ckpt"]


def test_the_commands(tmp_path: Path, capsys) -> None:
    first, second = tmp_path / "a.ckpt", tmp_path / "b.safetensors"
    write_checkpoint(TREE, first)
    assert main(["convert", str(first), str(second)]) == 0
    assert main(["verify", str(first), str(second)]) == 0
    assert main(["diff", str(first), str(second)]) == 0
    write_checkpoint({**TREE, "state_dict": {"a": facula.ones(2, 3)}, "plain": [1]}, first)
    assert main(["diff", str(first), str(second)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("~ state_dict/a: float32 [2, 3], up to 4 apart") for line in lines)
    assert any(line.startswith("+ plain/1") for line in lines)
    first.write_bytes(first.read_bytes()[:-30])
    assert main(["verify", str(first)]) == 1


def test_an_object_is_refused_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="callbacks/Mine/it is a Path|callbacks/Mine/it is a PosixPath"):
        SafetensorsCheckpointIO().save_checkpoint({"callbacks": {"Mine": {"it": tmp_path}}}, tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_writing_thread_is_raised(tmp_path: Path) -> None:
    plugin = AsyncCheckpointIO()
    (tmp_path / "file").write_text("no folder")
    plugin.save_checkpoint(TREE, tmp_path / "file" / "a.ckpt")
    with pytest.raises(OSError):
        plugin.teardown()


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.parametrize("plugin", [SafetensorsCheckpointIO, AsyncCheckpointIO])
def test_a_run_with_another_plugin_resumes(plugin, tmp_path: Path) -> None:
    whole = Model()
    start = {name: each.clone() for name, each in whole.state_dict().items()}
    quiet(tmp_path, max_epochs=2, enable_checkpointing=False).fit(whole, data())
    first = Model()
    first.load_state_dict(start)
    keep = ModelCheckpoint(tmp_path / "kept", save_last=True)
    trainer = quiet(tmp_path, plugins=[plugin()], callbacks=[keep])
    trainer.fit(first, data())
    second = Model()
    quiet(tmp_path, max_epochs=2, plugins=[plugin()], enable_checkpointing=False).fit(
        second, data(), ckpt_path=trainer.checkpoint_callback.last_model_path
    )
    assert [each.tolist() for each in second.parameters()] == [each.tolist() for each in whole.parameters()]


# Checkpoints of PyTorch Lightning 2.6.6. The file was saved after 4 of 6 steps; these are the weights after the last.
FINAL = [
    [[0.29314935207366943, -0.13033783435821533], [0.18392108380794525, -0.5573793053627014]],
    [[-0.18730485439300537, -0.06591225415468216], [0.18125443160533905, 0.16287513077259064]],
]


def test_a_lightning_checkpoint_is_read_and_gone_on_with(tmp_path: Path) -> None:
    model = Model.load_from_checkpoint(LIGHTNING)
    assert (model.hparams.width, model.hparams.rate) == (4, 0.1)
    trainer = quiet(tmp_path, max_epochs=2, enable_checkpointing=False)
    with pytest.warns(UserWarning) as warned:
        trainer.fit(model, data(), ckpt_path=LIGHTNING)
    messages = " ".join(str(each.message) for each in warned)
    assert "does not hold the state of the random generators" in messages and "EarlyStopping" in messages
    assert (trainer.global_step, trainer.current_epoch) == (6, 2)
    expected = facula.tensor(FINAL).reshape(4, 2)
    facula.testing.assert_close(model.layer.weight.detach(), expected, rtol=1e-5, atol=1e-6)


def test_a_lightning_checkpoint_is_converted(tmp_path: Path) -> None:
    assert main(["convert", str(LIGHTNING), str(tmp_path / "a.safetensors")]) == 0
    assert verify(tmp_path / "a.safetensors") == []
    again = read_checkpoint(tmp_path / "a.safetensors")
    assert again["migrated_from"] == "pytorch-lightning 2.6.6" and again["global_step"] == 4


def test_a_checkpoint_of_this_lightning_is_gone_on_with(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    lightning = pytest.importorskip("pytorch_lightning")
    from pytorch_lightning.callbacks import ModelCheckpoint as TheirCheckpoint

    class Theirs(lightning.LightningModule):
        def __init__(self, width=4):
            super().__init__()
            self.save_hyperparameters()
            self.layer, self.out = torch.nn.Linear(2, width), torch.nn.Linear(width, 1)

        def training_step(self, batch, batch_idx):
            return self.out(torch.tanh(self.layer(batch[0]))).sub(batch[1]).pow(2).mean()

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters(), lr=0.1)
            return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1)}

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = torch.from_numpy(facula.randn(12, 2, generator=facula.Generator().manual_seed(0)).numpy())
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), 4)
        keep = TheirCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        model = Theirs()
        lightning.Trainer(
            max_epochs=3, accelerator="cpu", logger=False, callbacks=[keep], enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(model, loader)  # fmt: skip
    for epoch in (0, 1):
        ours = Model.load_from_checkpoint(tmp_path / f"epoch={epoch}.ckpt", rate=0.1)
        trainer = quiet(tmp_path / "x", max_epochs=3, enable_checkpointing=False)
        with pytest.warns(UserWarning, match="callbacks used to create the checkpoint"):
            trainer.fit(ours, data(), ckpt_path=tmp_path / f"epoch={epoch}.ckpt")
        assert trainer.global_step == 9
        facula.testing.assert_close(
            ours.layer.weight.detach(), facula.tensor(model.layer.weight.tolist()), rtol=1e-4, atol=1e-6
        )


def test_old_lightning_checkpoints_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("pytorch_lightning")
    from argparse import Namespace

    from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

    weights = {"layer.weight": torch.ones(3, 2)}
    old = {
        "0.8": {
            **{"checkpoint_callback_best_model_score": 0.5, "checkpoint_callback_best_model_path": "x.ckpt"},
            **{"early_stop_callback_wait": 2, "early_stop_callback_patience": 4},
            **{"hparams": Namespace(width=3), "pytorch-lightning_version": "0.8.5"},
        },
        "1.4": {
            "callbacks": {ModelCheckpoint: {"best_model_path": "x.ckpt"}, EarlyStopping: {"wait_count": 2}},
            "hyper_parameters": {"width": 3},
            "pytorch-lightning_version": "1.4.9",
        },
    }
    for version, content in old.items():
        path = tmp_path / f"{version}.ckpt"
        torch.save(
            {
                "epoch": 3,
                "global_step": 30,
                "state_dict": weights,
                "optimizer_states": [],
                "lr_schedulers": [],
                **content,
            },
            path,
        )
        found = read_checkpoint(path)
        assert found["callbacks"]["ModelCheckpoint"]["best_model_path"] == "x.ckpt"
        assert found["callbacks"]["EarlyStopping"]["wait_count"] == 2
        assert dict(found["hyper_parameters"]) == {"width": 3}
        loop = found["loops"]["fit_loop"]
        assert loop["optimizer_steps"] == 30 and loop["epoch_progress"]["current"]["completed"] == 3


# Which file is meant.


def test_checkpoints_of_jobs_that_were_ended(tmp_path: Path) -> None:
    trainer = quiet(tmp_path, max_epochs=2, enable_checkpointing=False)
    with pytest.raises(ValueError, match="no HPC checkpoint was found"):
        trainer.fit(Model(), data(), ckpt_path="hpc")
    trainer = quiet(tmp_path, enable_checkpointing=False)
    trainer.fit(Model(), data())
    assert newest_hpc_checkpoint(tmp_path) is None
    for number in (1, 2):
        path = next_hpc_checkpoint(tmp_path)
        assert path.endswith(f"hpc_ckpt_{number}.ckpt")
        trainer.save_checkpoint(path)
    again = quiet(tmp_path, max_epochs=2, enable_checkpointing=False)
    again.fit(Model(), data(), ckpt_path="hpc")
    assert again.ckpt_path == newest_hpc_checkpoint(tmp_path) and again.global_step == 6


def test_a_checkpoint_of_a_failure(tmp_path: Path) -> None:
    class Failing(Model):
        def training_step(self, batch, batch_idx):
            if self.global_step == 2:
                raise ZeroDivisionError
            return super().training_step(batch, batch_idx)

    callback = OnExceptionCheckpoint(tmp_path / "failed")
    with pytest.raises(ZeroDivisionError):
        quiet(tmp_path, callbacks=[callback]).fit(Failing(), data())
    assert read_checkpoint(callback.ckpt_path)["global_step"] == 2
    again = quiet(tmp_path, callbacks=[callback])
    again.fit(Model(), data(), ckpt_path=callback.ckpt_path)
    assert again.global_step == 3
    assert not os.path.exists(callback.ckpt_path)


def test_storage_options_are_refused(tmp_path: Path) -> None:
    trainer = quiet(tmp_path, enable_checkpointing=False)
    trainer.fit(Model(), data())
    with pytest.raises(TypeError, match="storage_options"):
        trainer.save_checkpoint(tmp_path / "a.ckpt", storage_options={"a": 1})
    trainer.save_checkpoint(tmp_path / "weights.ckpt", weights_only=True)
    with pytest.raises(KeyError, match="only the model"):
        quiet(tmp_path, max_epochs=2).fit(Model(), data(), ckpt_path=tmp_path / "weights.ckpt")
    assert diff(tmp_path / "weights.ckpt", tmp_path / "weights.ckpt") == []


def test_hyper_parameters_of_a_file_take_the_place_of_the_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "hparams.csv").write_text("key,value\nrate,0.25\nwidth,4\n")
    model = Model.load_from_checkpoint(LIGHTNING, hparams_file=tmp_path / "hparams.csv")
    assert (model.hparams.rate, model.hparams.width) == (0.25, 4)
    with pytest.raises(ValueError, match=r"\.csv, \.yml or \.yaml"):
        Model.load_from_checkpoint(LIGHTNING, hparams_file=tmp_path / "hparams.txt")
    pytest.importorskip("yaml")
    (tmp_path / "hparams.yaml").write_text("rate: 0.5\nwidth: 4\n")
    assert Model.load_from_checkpoint(LIGHTNING, hparams_file=tmp_path / "hparams.yaml", rate=0.75).hparams.rate == 0.75


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_what_a_killed_run_had_replaced_is_deleted(tmp_path: Path) -> None:
    class Killed(TorchCheckpointIO):
        def remove_checkpoint(self, path):
            raise ZeroDivisionError

    folder = tmp_path / "kept"
    with pytest.raises(ZeroDivisionError):
        quiet(tmp_path, max_epochs=3, plugins=[Killed()], callbacks=[ModelCheckpoint(folder)]).fit(Model(), data())
    first, second = (folder / f"epoch={number}-step={3 * number + 3}.ckpt" for number in (0, 1))
    assert sorted(folder.iterdir()) == [first, second]
    quiet(tmp_path, max_epochs=3, callbacks=[ModelCheckpoint(folder)]).fit(Model(), data(), ckpt_path=second)
    # The one that the run was resumed from stays.
    assert sorted(folder.iterdir()) == [second, folder / "epoch=2-step=9.ckpt"]


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, done = tmp_path / "last.ckpt", []
    replace = os.replace

    def synchronised(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        done.append("folder" if path == tmp_path else "temporary file" if path.suffix == ".tmp" else path.name)

    def replaced(source, path) -> None:
        done.append("replaced")
        replace(source, path)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to see which file a handle is")
    monkeypatch.setattr(os, "fsync", synchronised)
    monkeypatch.setattr(os, "replace", replaced)
    write_checkpoint({"state_dict": {}}, target)
    assert done == ["temporary file", "replaced", "folder"]
