"""Command lines and what comes of them, for this package and for PyTorch Lightning alike.

``python scenarios.py`` prints what comes of them under PyTorch Lightning: recorded.json.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}


def names(core: str) -> SimpleNamespace:
    """Return what the scenarios use of a core, "facula" or "torch", and of the trainer on it; their names alone differ."""
    if core == "facula":
        import facula
        import facula.utils.data as data
        import facula_lightning as lightning
        import facula_lightning.callbacks
        import facula_lightning.cli as cli

        return SimpleNamespace(core=facula, data=data, lightning=lightning, cli=cli, prefix="facula")
    import pytorch_lightning as lightning
    import pytorch_lightning.cli as cli
    import torch
    import torch.utils.data as data

    return SimpleNamespace(core=torch, data=data, lightning=lightning, cli=cli, prefix="torch")


def make_classes(n: SimpleNamespace) -> SimpleNamespace:
    """Return the models, data and callbacks of the scenarios, made from the classes of ``n``."""
    nn, L = n.core.nn, n.lightning

    class Net(nn.Module):
        def __init__(self, width: int, depth: int = 1) -> None:
            super().__init__()
            self.layers = nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)], nn.Linear(width, 1))

        def forward(self, x):
            return self.layers(x)

    class Model(L.LightningModule):
        def __init__(self, width: int = 4, rate: float = 0.1, mode: str | None = None, sizes: list[int] = [1]) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = nn.Linear(width, 1)

        def training_step(self, batch, batch_idx):
            loss = self.layer(batch[0]).pow(2).mean()
            self.log("loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch, batch_idx):
            self.log("val", self.layer(batch[0]).pow(2).mean())

        def test_step(self, batch, batch_idx):
            self.log("test", self.layer(batch[0]).pow(2).mean())

        def predict_step(self, batch, batch_idx):
            return self.layer(batch[0])

    class Wide(Model):
        def __init__(self, width: int = 4, factor: int = 2) -> None:
            super().__init__(width * factor)
            self.save_hyperparameters()

    class WithNet(Model):
        def __init__(self, net: Net, rate: float = 0.1) -> None:
            super().__init__(2)
            self.save_hyperparameters(ignore=["sizes", "mode", "width"])
            self.layer = net

    class WithCallables(Model):
        def __init__(self, optimizer: n.cli.OptimizerCallable = n.core.optim.SGD, scheduler: n.cli.LRSchedulerCallable = n.core.optim.lr_scheduler.ConstantLR) -> None:  # fmt: skip
            super().__init__()
            self.make_optimizer, self.make_scheduler = optimizer, scheduler

        def configure_optimizers(self):
            optimizer = self.make_optimizer(self.parameters())
            return {"optimizer": optimizer, "lr_scheduler": self.make_scheduler(optimizer)}

    class WithOptimizers(Model):
        def __init__(self, first: dict, second: dict) -> None:
            super().__init__()
            self.first, self.second = first, second

        def configure_optimizers(self):
            return n.cli.instantiate_class(self.parameters(), self.first)

    class Data(L.LightningDataModule):
        def __init__(self, batch_size: int = 4, width: int = 4) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.count = width

        def loader(self):
            x = n.core.arange(16.0 * self.count).reshape(16, self.count) / 16
            return n.data.DataLoader(n.data.TensorDataset(x), self.hparams.batch_size)

        train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader

    class Noting(L.Callback):
        def __init__(self, note: str = "-") -> None:
            self.note = note

    made = SimpleNamespace(**{key: value for key, value in locals().items() if isinstance(value, type)})
    module = sys.modules[__name__]
    for name, value in vars(made).items():
        # Where jsonargparse, and a checkpoint that names them, find them.
        value.__module__, value.__qualname__ = __name__, name
        setattr(module, name, value)
    return made


#: Arguments of ``fit`` whose configurations are compared.
PARSED = {
    "nothing": "",
    "numbers": "--trainer.max_epochs 3 --model.width 7 --model.rate 1e-3 --data.batch_size=2 --seed_everything 5",
    "limits": "--trainer.limit_train_batches 3 --trainer.limit_val_batches 0.5 --trainer.overfit_batches 1",
    "union of numbers and words": "--trainer.devices 2 --trainer.precision 64 --trainer.deterministic warn",
    "list": "--trainer.devices [0,1] --model.sizes [1,2,3] --model.sizes+ 4",
    "time": "--trainer.max_time 00:01:00:00",
    "none": "--model.mode null --trainer.max_epochs null --trainer.logger false",
    "path": "--trainer.default_root_dir some/folder",
    "callback": "--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val --trainer.callbacks.patience 5",
    "callbacks": "--trainer.callbacks+=LearningRateMonitor --trainer.callbacks+=ModelCheckpoint"
    " --trainer.callbacks.save_last true",
    "logger": "--trainer.logger CSVLogger --trainer.logger.save_dir logs --trainer.logger.name trial",
    "plugin": "--trainer.plugins AsyncCheckpointIO",
    "profiler": "--trainer.profiler simple",
    "optimizer": "--optimizer Adam --optimizer.lr 0.01 --optimizer.betas [0.5,0.9]",
    "scheduler": "--optimizer SGD --optimizer.lr 0.1 --lr_scheduler StepLR --lr_scheduler.step_size 3",
    "plateau": "--optimizer SGD --optimizer.lr 1 --lr_scheduler ReduceLROnPlateau --lr_scheduler.monitor val",
    "class path": '--optimizer {"class_path":"CORE.optim.AdamW","init_args":{"weight_decay":0.5}}',
    "checkpoint": "--ckpt_path last --weights_only false",
    "seed": "--seed_everything false",
    # What is refused
    "unknown": "--model.depth 2",
    "no number": "--trainer.max_epochs many",
    "no precision": "--trainer.precision 7",
    "no optimizer": "--optimizer StepLR",
    "no monitor": "--optimizer SGD --optimizer.lr 1 --lr_scheduler ReduceLROnPlateau",
    "no float": "--model.rate fast",
}


def neutral(text: str) -> str:
    """Return text in which both packages have one name."""
    for name in ("pytorch_lightning", "facula_lightning"):
        text = text.replace(name, "LIGHTNING")
    for name in ("torch.", "facula."):
        text = text.replace(name, "CORE.")
    return text


@contextlib.contextmanager
def arguments(*args: str):
    """Let ``args`` be the command line."""
    before, sys.argv = sys.argv, ["program", *args]
    try:
        yield
    finally:
        sys.argv = before


def printed(cli: Any, *args: str, **options: Any) -> str:
    """Return what a command line that ends without a run prints, and with which status it ends."""
    out = io.StringIO()
    with arguments(*args), contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            cli(**options)
            status: object = "ran"
        except SystemExit as end:
            status = end.code
    lines = [line for line in neutral(out.getvalue()).splitlines() if not line.startswith("#")]
    return "\n".join([str(status), *lines])


def parse(n: SimpleNamespace, c: SimpleNamespace, args: str) -> str:
    """Return the configuration that ``fit`` with some arguments prints."""
    text = args.replace("CORE.", f"{n.core.__name__}.")
    return printed(
        n.cli.LightningCLI, "fit", *text.split(), "--print_config", model_class=c.Model, datamodule_class=c.Data
    )


def run(n: SimpleNamespace, cli: Any, text: str, **options: Any) -> Any:
    """Return the command line object after a run of ``text``; the trainer is a quiet one on one device."""
    defaults = {**QUIET, "accelerator": "cpu", "devices": 1, "max_epochs": 1, **options.pop("trainer_defaults", {})}
    options.setdefault("save_config_callback", None)
    with arguments(*text.replace("CORE.", f"{n.core.__name__}.").split()):
        return cli(trainer_defaults=defaults, seed_everything_default=3, **options)


def facts(cli: Any) -> dict[str, Any]:
    """Return what is to be equal after a run."""
    trainer, model = cli.trainer, cli.model
    schedulers = [each.scheduler for each in trainer.lr_scheduler_configs]
    return {
        "model": type(model).__name__,
        "hparams": json.loads(neutral(json.dumps(dict(model.hparams)))),
        "weights": [value for each in model.parameters() for value in each.flatten().tolist()],
        "optimizers": [[type(each).__name__, each.param_groups[0]["lr"]] for each in trainer.optimizers],
        "schedulers": [[type(each).__name__, getattr(each, "monitor", None)] for each in schedulers],
        "metrics": {key: float(value) for key, value in trainer.callback_metrics.items()},
        "steps": trainer.global_step,
    }


def fits(n, c, folder):
    optimizer = "--optimizer Adam --optimizer.lr 0.01"
    cli = run(n, n.cli.LightningCLI, f"fit --model.width 3 --data.width 3 {optimizer}", model_class=c.Model, datamodule_class=c.Data)  # fmt: skip
    return facts(cli)


def has_schedulers(n, c, folder):
    found = []
    for scheduler in ("StepLR --lr_scheduler.step_size 1", "ReduceLROnPlateau --lr_scheduler.monitor val"):
        args = f"fit --optimizer SGD --optimizer.lr 0.01 --lr_scheduler {scheduler}"
        found.append(facts(run(n, n.cli.LightningCLI, args, model_class=c.Model, datamodule_class=c.Data)))
    return found


def calls_what_surrounds_a_subcommand(n, c, folder):
    calls = []

    class Program(n.cli.LightningCLI):
        def before_instantiate_classes(self):
            calls.append(["before classes", hasattr(self, "trainer")])

        def after_instantiate_classes(self):
            calls.append(["after classes", type(self.trainer).__name__])

        def before_fit(self):
            calls.append(["before fit", self.trainer.global_step])

        def after_fit(self):
            calls.append(["after fit", self.trainer.global_step])

        def validate(self, **kwargs):
            calls.append(["own validate", sorted(kwargs)])

        def predict(self, model, **kwargs):
            calls.append(["own predict", type(model).__name__])

        def after_predict(self):
            calls.append(["after predict"])

    for name in ("fit", "validate", "test", "predict"):
        args = f"{name} --optimizer SGD --optimizer.lr 0.01"
        calls.append(facts(run(n, Program, args, model_class=c.Model, datamodule_class=c.Data))["steps"])
    return calls


def chooses_subclasses(n, c, folder):
    place = __name__
    args = f"fit --model {place}.Wide --model.factor 3 --data {place}.Data --data.width 12 --optimizer SGD --optimizer.lr 0.01"
    cli = run(n, n.cli.LightningCLI, args)
    other = run(n, n.cli.LightningCLI, "fit --model Wide --model.width 2 --data.width 4 --optimizer SGD", model_class=c.Model, subclass_mode_model=True, datamodule_class=c.Data)  # fmt: skip
    return [facts(cli), facts(other)]


def loads_what_it_saved(n, c, folder):
    """A model made of objects is made again of its checkpoint."""
    args = f"fit --model.net {__name__}.Net --model.net.width 4 --model.net.depth 2 --optimizer SGD --optimizer.lr 0.01"
    cli = run(n, n.cli.LightningCLI, args, model_class=c.WithNet, datamodule_class=c.Data)
    path = os.path.join(folder, "net.ckpt")
    cli.trainer.save_checkpoint(path)
    loaded = c.WithNet.load_from_checkpoint(path)
    changed = c.WithNet.load_from_checkpoint(path, rate=0.5)
    data = c.Data.load_from_checkpoint(path, batch_size=2)
    chosen = run(n, n.cli.LightningCLI, "fit --model Wide --model.width 2 --data.width 4 --optimizer SGD", model_class=c.Model, subclass_mode_model=True, datamodule_class=c.Data)  # fmt: skip
    other = os.path.join(folder, "wide.ckpt")
    chosen.trainer.save_checkpoint(other)
    refused = []
    for kind in (c.WithNet,):
        try:
            kind.load_from_checkpoint(other)
        except ValueError as error:
            refused.append(type(error).__name__)
    return {
        "hparams": json.loads(neutral(json.dumps(dict(cli.model.hparams)))),
        "equal": [
            bool((one == two).all()) for one, two in zip(loaded.state_dict().values(), cli.model.state_dict().values())
        ],
        "changed": changed.hparams["rate"],
        "data": dict(data.hparams)["batch_size"],
        "chosen": dict(chosen.model.hparams)["_class_path"].rpartition(".")[2],
        "refused": refused,
    }


def takes_the_models_arguments_from_a_checkpoint(n, c, folder):
    cli = run(n, n.cli.LightningCLI, "fit --model.width 3 --data.width 3 --optimizer SGD --optimizer.lr 0.01", model_class=c.Model, datamodule_class=c.Data)  # fmt: skip
    path = os.path.join(folder, "model.ckpt")
    cli.trainer.save_checkpoint(path)
    tested = run(n, n.cli.LightningCLI, f"test --data.width 3 --ckpt_path {path}", model_class=c.Model, datamodule_class=c.Data)  # fmt: skip
    return facts(tested)


def makes_a_model_by_a_function(n, c, folder):
    # An annotation that is text is found in the module's names.
    def make_model(half: int = 2) -> c.Model:
        return c.Wide(half)

    make_model.__annotations__ = {"half": int, "return": c.Model}
    cli = run(n, n.cli.LightningCLI, "fit --model.half 2 --optimizer SGD --optimizer.lr 0.01", model_class=make_model, datamodule_class=c.Data)  # fmt: skip
    found = facts(cli)
    return {key: found[key] for key in ("model", "weights", "optimizers")}


def links_arguments(n, c, folder):
    class Parsed(n.cli.LightningCLI):
        def add_arguments_to_parser(self, parser):
            parser.link_arguments("data.width", "model.width")

    class Made(n.cli.LightningCLI):
        def add_arguments_to_parser(self, parser):
            parser.link_arguments("data.count", "model.width", apply_on="instantiate")

    found = []
    for kind in (Parsed, Made):
        args = "fit --data.width 5 --optimizer SGD --optimizer.lr 0.01"
        cli = run(n, kind, args, model_class=c.Model, datamodule_class=c.Data)
        found.append(facts(cli))
        found.append(printed(kind, "fit", "--print_config", model_class=c.Model, datamodule_class=c.Data))
    return found


def adds_optimizers_by_hand(n, c, folder):
    class One(n.cli.LightningCLI):
        def add_arguments_to_parser(self, parser):
            parser.add_optimizer_args(n.core.optim.Adam)
            parser.add_lr_scheduler_args(n.core.optim.lr_scheduler.ExponentialLR)

    class Linked(n.cli.LightningCLI):
        def add_arguments_to_parser(self, parser):
            parser.add_optimizer_args(n.core.optim.Adam, "first", link_to="model.first")
            parser.add_optimizer_args((n.core.optim.Optimizer,), "second", link_to="model.second")

    class TwoAutomatic(n.cli.LightningCLI):
        def add_arguments_to_parser(self, parser):
            parser.add_optimizer_args(n.core.optim.Adam, "first")
            parser.add_optimizer_args(n.core.optim.SGD, "second")

    one = run(n, One, "fit --optimizer.lr 0.02 --lr_scheduler.gamma 0.5", model_class=c.Model, datamodule_class=c.Data)
    linked = run(n, Linked, "fit --first.lr 0.03 --second SGD", model_class=c.WithOptimizers, datamodule_class=c.Data)
    try:
        run(n, TwoAutomatic, "fit", model_class=c.Model, datamodule_class=c.Data)
        refused = "no"
    except Exception as error:
        refused = type(error).__name__
    own = getattr(linked.model, "second")
    return [facts(one), facts(linked)["optimizers"], json.loads(neutral(json.dumps(dict(own), default=vars))), refused]


def makes_optimizers_in_the_model(n, c, folder):
    plain = run(n, n.cli.LightningCLI, "fit", model_class=c.WithCallables, datamodule_class=c.Data, auto_configure_optimizers=False)  # fmt: skip
    args = "fit --model.optimizer Adam --model.optimizer.lr 0.25 --model.scheduler ExponentialLR --model.scheduler.gamma 0.5"
    chosen = run(n, n.cli.LightningCLI, args, model_class=c.WithCallables, datamodule_class=c.Data, auto_configure_optimizers=False)  # fmt: skip
    return [{key: facts(cli)[key] for key in ("optimizers", "schedulers")} for cli in (plain, chosen)]


def adds_callbacks(n, c, folder):
    class Program(n.cli.LightningCLI):
        def add_arguments_to_parser(self, parser):
            parser.add_lightning_class_args(c.Noting, "noting")
            parser.set_defaults({"noting.note": "default"})

    found = []
    for args, always in (
        ("fit", [c.Noting("always")]),
        ("fit --noting.note given --trainer.callbacks+=Noting --trainer.callbacks.note listed", c.Noting("one")),
    ):
        args += " --optimizer SGD --optimizer.lr 0.01"
        cli = run(n, Program, args, model_class=c.Model, datamodule_class=c.Data, trainer_defaults={"callbacks": always})  # fmt: skip
        found.append([each.note for each in cli.trainer.callbacks if isinstance(each, c.Noting)])
    return found


def reads_files(n, c, folder):
    first, second, model = (Path(folder) / name for name in ("first.yaml", "second.yaml", "model.yaml"))
    first.write_text(
        "trainer:\n  max_epochs: 1\n  limit_train_batches: 2\noptimizer:\n  class_path: SGD\n  init_args:\n    lr: 0.1\n"
    )
    second.write_text("trainer:\n  limit_train_batches: 3\noptimizer:\n  init_args:\n    lr: 0.2\n")
    model.write_text("width: 3\n")
    whole = Path(folder) / "whole.yaml"
    whole.write_text(f"fit:\n  trainer:\n    limit_val_batches: 1\n  data:\n    width: 3\n  model: {model}\n")
    args = f"--config {whole} fit --config {first} -c {second} --trainer.max_epochs 2"
    cli = run(n, n.cli.LightningCLI, args, model_class=c.Model, datamodule_class=c.Data)
    found = facts(cli)
    return [found["steps"], found["optimizers"], found["hparams"], cli.trainer.limit_val_batches]


def reads_the_environment(n, c, folder):
    values = {"PL_FIT__TRAINER__MAX_EPOCHS": "2", "PL_FIT__MODEL__RATE": "0.5", "PL_FIT__OPTIMIZER": "SGD"}
    found = []
    os.environ.update(values)
    try:
        for kwargs in ({"default_env": True}, {}, {"fit": {"default_env": True}}):
            cli = run(n, n.cli.LightningCLI, "fit", model_class=c.Model, datamodule_class=c.Data, parser_kwargs=kwargs)
            found.append([cli.model.hparams["rate"], cli.trainer.max_epochs, len(cli.trainer.optimizers)])
    except Exception as error:
        found.append(type(error).__name__)
    finally:
        for name in values:
            del os.environ[name]
    return found


def runs_nothing(n, c, folder):
    cli = run(n, n.cli.LightningCLI, "--model.width 3 --trainer.max_epochs 7 --optimizer SGD --optimizer.lr 0.5", model_class=c.Model, datamodule_class=c.Data, run=False)  # fmt: skip
    configured = cli.model.configure_optimizers()
    return [cli.subcommand, cli.trainer.max_epochs, cli.config["seed_everything"], type(configured).__name__, cli.trainer.global_step]  # fmt: skip


def takes_arguments_from_the_program(n, c, folder):
    found = []
    for args in (
        ["fit", "--model.width=3", "--data.width=3", "--optimizer=SGD"],
        {"subcommand": "fit", "fit": {"model": {"width": 3}, "data": {"width": 3}, "optimizer": "SGD"}},
    ):
        cli = run(n, n.cli.LightningCLI, "", model_class=c.Model, datamodule_class=c.Data, args=args)
        found.append(facts(cli))
    return found


def seeds(n, c, folder):
    found = []
    for text in ("--seed_everything 9", "--seed_everything false", "--seed_everything true", ""):
        os.environ.pop("PL_GLOBAL_SEED", None)
        cli = run(n, n.cli.LightningCLI, f"fit {text} --optimizer SGD", model_class=c.Model, datamodule_class=c.Data)
        found.append([cli.config["fit"]["seed_everything"], os.environ.get("PL_GLOBAL_SEED")])
    return found


def saves_its_configuration(n, c, folder):
    saved = []

    class Elsewhere(n.cli.SaveConfigCallback):
        def save_config(self, trainer, pl_module, stage):
            saved.append([stage, self.config["model"]["width"]])

    logs = {"save_dir": folder, "name": "logs", "version": 0}
    logger = {"class_path": f"{n.lightning.__name__}.loggers.CSVLogger", "init_args": logs}
    common = {"model_class": c.Model, "datamodule_class": c.Data, "trainer_defaults": {"logger": logger}}
    args = "fit --model.width 3 --data.width 3 --optimizer SGD --optimizer.lr 0.01 --trainer.default_root_dir ."
    run(n, n.cli.LightningCLI, args, save_config_callback=n.cli.SaveConfigCallback, **common)
    text = (Path(folder) / "logs/version_0/config.yaml").read_text()
    try:
        run(n, n.cli.LightningCLI, args, save_config_callback=n.cli.SaveConfigCallback, **common)
    except RuntimeError as error:
        saved.append(type(error).__name__)
    for kwargs in (
        {"save_config_kwargs": {"overwrite": True, "config_filename": "config.yaml"}},
        {"save_config_callback": Elsewhere, "save_config_kwargs": {"save_to_log_dir": False}},
    ):
        run(n, n.cli.LightningCLI, args, **{"save_config_callback": n.cli.SaveConfigCallback, **kwargs}, **common)
    try:
        n.cli.SaveConfigCallback(None, None, save_to_log_dir=False)
    except ValueError as error:
        saved.append(type(error).__name__)
    lines = [line for line in neutral(text).splitlines() if not line.startswith("#")]
    return [saved, [line.replace(folder, "FOLDER") for line in lines]]


def has_other_subcommands(n, c, folder):
    found = []

    class Trainer(n.lightning.Trainer):
        def count(self, model, up_to: int = 3, name: str = "x"):
            """Count.

            More of it.
            """
            found.append([type(model).__name__, up_to, name])

    class Program(n.cli.LightningCLI):
        @staticmethod
        def subcommands():
            return {"count": {"model", "name"}}

    run(n, Program, "count --up_to 5", model_class=c.Model, trainer_class=Trainer)
    return found


SCENARIOS = [
    fits, has_schedulers, calls_what_surrounds_a_subcommand, chooses_subclasses, loads_what_it_saved,
    takes_the_models_arguments_from_a_checkpoint, makes_a_model_by_a_function, links_arguments, adds_optimizers_by_hand,
    makes_optimizers_in_the_model, adds_callbacks, reads_files, reads_the_environment, runs_nothing,
    takes_arguments_from_the_program, seeds, saves_its_configuration, has_other_subcommands,
]  # fmt: skip


def outcome(scenario, n: SimpleNamespace, c: SimpleNamespace, folder: str) -> Any:
    """Return what comes of a scenario, as it is after a way through JSON."""
    environment = dict(os.environ)
    try:
        return json.loads(json.dumps(scenario(n, c, folder)))
    finally:
        os.environ.clear()
        os.environ.update(environment)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.modules["scenarios"] = sys.modules["__main__"]
    __name__ = "scenarios"
    found = names("torch")
    kinds = make_classes(found)
    recorded: dict[str, Any] = {"recorded from": f"pytorch-lightning {found.lightning.__version__}"}
    recorded["parsed"] = {key: parse(found, kinds, args) for key, args in PARSED.items()}
    with contextlib.redirect_stdout(sys.stderr):
        for each in SCENARIOS:
            with tempfile.TemporaryDirectory() as place:
                os.chdir(place)
                recorded[each.__name__] = outcome(each, found, kinds, place)
                os.chdir("/")
    json.dump(recorded, sys.stdout, indent=1)
