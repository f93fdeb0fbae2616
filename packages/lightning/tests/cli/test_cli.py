"""LightningCLI does what PyTorch Lightning's does: configurations and runs against recorded ones; and without jsonargparse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import facula
import pytest
from facula_lightning import LightningModule

pytest.importorskip("jsonargparse", reason="the command line needs jsonargparse")

import scenarios
from facula_lightning.cli import LightningArgumentParser, LightningCLI, ReduceLROnPlateau, instantiate_class
from facula_lightning.utilities.exceptions import MisconfigurationException

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())


@pytest.fixture(scope="module")
def made():
    found = scenarios.names("facula")
    return found, scenarios.make_classes(found)


@pytest.fixture(autouse=True)
def _away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def assert_close(found: object, expected: object) -> None:
    """Fail unless two trees of plain data are the same but for the last digits of numbers."""
    assert type(found) is type(expected), f"{found!r} is not {expected!r}"
    if isinstance(found, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(found, list):
        assert len(found) == len(expected), f"{found!r} is not {expected!r}"
        for one, other in zip(found, expected):
            assert_close(one, other)
    elif isinstance(found, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    else:
        assert found == expected


@pytest.mark.parametrize("name", scenarios.PARSED)
def test_configurations_are_lightnings(made, name) -> None:
    assert scenarios.parse(*made, scenarios.PARSED[name]) == RECORDED["parsed"][name]


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=lambda each: each.__name__)
def test_runs_are_lightnings(made, scenario, tmp_path) -> None:
    assert_close(scenarios.outcome(scenario, *made, str(tmp_path)), RECORDED[scenario.__name__])


def test_the_recorded_runs_are_those_of_the_lightning_that_is_here() -> None:
    pytest.importorskip("torch")
    lightning = pytest.importorskip("pytorch_lightning")
    if RECORDED["recorded from"] != f"pytorch-lightning {lightning.__version__}":
        pytest.skip(f"they were {RECORDED['recorded from']}")
    program = [sys.executable, "-W", "ignore", str(Path(__file__).parent / "scenarios.py")]
    live = subprocess.run(program, capture_output=True, text=True, timeout=600)
    assert live.returncode == 0, live.stderr
    assert_close(json.loads(live.stdout), RECORDED)


def test_a_model_loaded_of_its_configuration_can_be_saved_and_loaded_again(made, tmp_path) -> None:
    n, c = made
    args = f"fit --model.net {scenarios.__name__}.Net --model.net.width 4 --optimizer SGD --optimizer.lr 0.01"
    cli = scenarios.run(n, LightningCLI, args, model_class=c.WithNet, datamodule_class=c.Data)
    cli.trainer.save_checkpoint("first.ckpt")
    loaded = c.WithNet.load_from_checkpoint("first.ckpt")
    assert loaded.hparams == cli.model.hparams
    trainer = n.lightning.Trainer(**scenarios.QUIET, max_epochs=1)
    trainer.validate(loaded, c.Data(), verbose=False)
    trainer.save_checkpoint("second.ckpt")
    again = c.WithNet.load_from_checkpoint("second.ckpt")
    assert all(bool((one == two).all()) for one, two in zip(again.parameters(), cli.model.parameters()))


def test_the_class_that_a_checkpoint_names_is_made_by_its_base_class(made) -> None:
    n, c = made
    args = "fit --model Wide --model.width 2 --data.width 4 --optimizer SGD --optimizer.lr 0.01"
    options = {"model_class": c.Model, "subclass_mode_model": True, "datamodule_class": c.Data}
    scenarios.run(n, LightningCLI, args, **options).trainer.save_checkpoint("wide.ckpt")
    for base in (LightningModule, c.Model, c.Wide):
        assert type(base.load_from_checkpoint("wide.ckpt")) is c.Wide


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_instantiator": "os.system"}, "os.system"),
        ({"_class_path": "antigravity.Wide"}, "antigravity.Wide"),
        ({"_class_path": "facula.nn.Linear"}, "facula.nn.Linear"),
        ({"net": {"class_path": "antigravity.Net"}}, "antigravity.Net"),
    ],
)
def test_a_checkpoint_imports_nothing(made, change, message) -> None:
    n, c = made
    args = f"fit --model.net {scenarios.__name__}.Net --model.net.width 4 --optimizer SGD --optimizer.lr 0.01"
    cli = scenarios.run(n, LightningCLI, args, model_class=c.WithNet, datamodule_class=c.Data)
    cli.model.hparams.update(change)
    cli.trainer.save_checkpoint("changed.ckpt")
    with pytest.raises(ValueError, match=message):
        c.WithNet.load_from_checkpoint("changed.ckpt")
    assert "antigravity" not in sys.modules


def test_a_module_within_the_model_keeps_its_own_hyperparameters(made) -> None:
    n, c = made

    class Outer(c.Model):
        def __init__(self, width: int = 4, rate: float = 0.1) -> None:
            super().__init__(width, rate)
            self.inner = Inner(size=11)

    class Inner(LightningModule):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.save_hyperparameters()

    cli = scenarios.run(
        n, LightningCLI, "fit --optimizer SGD --optimizer.lr 0", model_class=Outer, datamodule_class=c.Data
    )
    assert cli.model.inner.hparams == {"size": 11}
    assert dict(cli.model.hparams)["rate"] == 0.1


def test_processes_that_are_sent_the_trainer_write_its_configuration_once(made, tmp_path) -> None:
    program = Path(__file__).parent / "spawn_program.py"
    for strategy in ("ddp_spawn", "ddp"):
        args = ["fit", "--trainer.strategy", strategy, "--trainer.devices", "2", "--trainer.accelerator", "cpu"]
        args += [
            "--optimizer",
            "SGD",
            "--optimizer.lr",
            "0.01",
            "--trainer.max_epochs",
            "1",
            "--trainer.logger.save_dir",
        ]
        args += [str(tmp_path / strategy), "--trainer.enable_progress_bar", "false"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run([sys.executable, str(program), *args], capture_output=True, text=True, env=environment)
        assert ended.returncode == 0, ended.stderr
        folder = tmp_path / strategy / "lightning_logs"
        assert [each.name for each in folder.iterdir()] == ["version_0"]
        assert f"strategy: {strategy}\n" in (folder / "version_0" / "config.yaml").read_text()


def test_arguments_that_do_not_fit_are_refused(made) -> None:
    parser = LightningArgumentParser()
    with pytest.raises(MisconfigurationException, match="Cannot add arguments from"):
        parser.add_lightning_class_args(facula.nn.Linear, "layer")
    with pytest.raises(AssertionError, match="Optimizer"):
        parser.add_optimizer_args(facula.nn.Linear)
    with pytest.raises(AssertionError, match="LRScheduler"):
        parser.add_lr_scheduler_args((facula.optim.SGD,))


def test_arguments_of_the_program_beside_those_of_the_command_line_are_warned_of(made) -> None:
    _, c = made
    with (
        scenarios.arguments("fit"),
        pytest.warns(UserWarning, match="args parameter is intended to run from within Python"),
    ):
        LightningCLI(c.Model, args=[], run=False, seed_everything_default=False)


def test_configure_optimizers_of_the_model_is_warned_of_when_replaced(made) -> None:
    n, c = made

    class Own(c.Model):
        def configure_optimizers(self):
            return facula.optim.SGD(self.parameters(), 0.5)

    options = {"model_class": Own, "datamodule_class": c.Data, "run": False}
    own = scenarios.run(n, LightningCLI, "", **options)
    assert own.model.configure_optimizers().param_groups[0]["lr"] == 0.5
    with pytest.warns(UserWarning, match="`Own.configure_optimizers` will be overridden by `LightningCLI"):
        cli = scenarios.run(n, LightningCLI, "--optimizer SGD --optimizer.lr 0.1", **options)
    assert cli.model.configure_optimizers().param_groups[0]["lr"] == 0.1


def test_a_class_is_made_of_its_description() -> None:
    weight = facula.nn.Parameter(facula.ones(1))
    optimizer = instantiate_class([weight], {"class_path": "facula.optim.SGD", "init_args": {"lr": 0.5}})
    assert type(optimizer) is facula.optim.SGD and optimizer.param_groups[0]["lr"] == 0.5
    scheduler = ReduceLROnPlateau(optimizer, "val_loss", patience=3)
    assert (scheduler.monitor, scheduler.patience) == ("val_loss", 3)


def test_without_jsonargparse_it_is_said_when_used(tmp_path) -> None:
    program = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("jsonargparse", "yaml", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import facula_lightning
import facula_lightning.cli
from facula_lightning.cli import LightningArgumentParser, LightningCLI
for kind in (LightningCLI, LightningArgumentParser):
    try:
        kind()
    except ModuleNotFoundError as error:
        print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert (
        ended.stdout.splitlines()
        == ["facula_lightning.cli needs the package jsonargparse: pip install 'facula-lightning[cli]'"] * 2
    )


def test_importing_the_trainer_imports_no_jsonargparse() -> None:
    program = "import sys, facula_lightning; print([name for name in ('jsonargparse', 'yaml') if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_run_for_trying_out_saves_no_configuration(made) -> None:
    n, c = made
    from facula_lightning.cli import SaveConfigCallback

    args = "--optimizer SGD --trainer.fast_dev_run 1"
    options = {
        "model_class": c.Model,
        "datamodule_class": c.Data,
        "run": False,
        "save_config_callback": SaveConfigCallback,
    }
    cli = scenarios.run(n, LightningCLI, args, **options)
    assert not any(isinstance(each, SaveConfigCallback) for each in cli.trainer.callbacks)
