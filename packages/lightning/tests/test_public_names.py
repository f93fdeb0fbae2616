"""Every public name of Lightning that is promised is there, or its absence has a reason; arguments are Lightning's."""

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import facula_lightning
import pytest
from facula_lightning import Trainer

TABLE = tomllib.loads((Path(__file__).parent / "public_names.toml").read_text())
NAMES = [(section, name, where) for section, names in TABLE["names"].items() for name, where in names.items()]


def find(path: str) -> object:
    """Return what is at "module:attribute.attribute", an argument of it where one stands in brackets."""
    module, _, attributes = path.partition(":")
    attributes, _, argument = attributes.partition("(")
    found = importlib.import_module(module)
    for each in filter(None, attributes.split(".")):
        # What belongs to a trainer, a module and the like is often there once one is made.
        found = getattr(found() if inspect.isclass(found) and not hasattr(found, each) else found, each)
    return inspect.signature(found).parameters[argument.rstrip(")")] if argument else found


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize(("section", "name", "where"), NAMES, ids=lambda value: str(value)[:40])
def test_a_name_is_where_the_table_says(section: str, name: str, where: object) -> None:
    if isinstance(where, dict):
        assert list(where) == ["skipped"] and len(where["skipped"]) > 10, "a reason is wanted"
        return
    for path in [where] if isinstance(where, str) else where:
        kind, _, value = path.partition(" ")
        if kind == "strategy":
            from facula_lightning.strategies.resolve import resolve_strategy

            assert resolve_strategy(value, "cpu", 2, 1).strategy_name == "ddp"
            with pytest.raises(ValueError, match=value):
                resolve_strategy(f"{value}_of_another_kind", "cpu", 2, 1)
        elif kind == "precision":
            from facula_lightning.plugins.precision import make_precision

            assert make_precision(value, "cpu").precision == value
        elif kind == "mode":
            assert facula_lightning.utilities.CombinedLoader([], value).mode == value
        else:
            find(path)


def test_the_table_names_nothing_twice_and_every_section() -> None:
    counts = {section: len(names) for section, names in TABLE["names"].items()}
    assert counts == TABLE["counts"]
    assert sum(counts.values()) == 398


def arguments(function: object) -> list[str]:
    """Return the arguments of a function, with their defaults where those are written as they are read."""
    found = []
    for each in inspect.signature(function).parameters.values():
        if each.name in ("self", "cls"):
            continue
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        default = "" if each.default is each.empty else f"={each.default!r}"
        found.append(plain(f"{stars}{each.name}{default}"))
    return found


def plain(argument: str) -> str:
    """Return an argument as it is recorded: of a default that is an object it is only said that there is one."""
    name, sign, default = argument.partition("=")
    try:
        ast.literal_eval(default or "None")
    except (ValueError, SyntaxError):
        default = "…"
    return name + sign + default


@pytest.mark.parametrize("path", TABLE["arguments"])
def test_arguments_are_those_recorded_from_lightning(path: str) -> None:
    recorded, ours = TABLE["arguments"][path]["arguments"], arguments(find(path))
    differs = TABLE["arguments"][path].get("differs")
    if differs is not None:
        assert ours != recorded, f"{differs!r} is not so any more"
        return
    recorded = recorded + TABLE["arguments"][path].get("more", [])
    assert [each.partition("=")[0] for each in ours] == [each.partition("=")[0] for each in recorded]
    for mine, theirs in zip(ours, recorded):
        assert mine == theirs or theirs.endswith("=…"), path


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("path", TABLE["arguments"])
def test_arguments_are_those_of_this_lightning(path: str) -> None:
    lightning = pytest.importorskip("pytorch_lightning")
    if lightning.__version__ != TABLE["recorded_from"].split()[-1]:
        pytest.skip(f"the arguments were recorded from {TABLE['recorded_from']}")
    where = TABLE["arguments"][path]["theirs"]
    # Lightning wraps some of them, which hides their arguments.
    found = inspect.unwrap(find(where))
    theirs = [re.sub("=.*", "=…", each) for each in arguments(found)]
    assert theirs == [re.sub("=.*", "=…", each) for each in TABLE["arguments"][path]["arguments"]]


def test_flags_have_lightnings_defaults_once_they_are_resolved() -> None:
    trainer = Trainer(accelerator="cpu", logger=False)
    assert (trainer.max_epochs, trainer.max_steps, trainer.num_sanity_val_steps) == (1000, -1, 2)
    assert (trainer.log_every_n_steps, trainer.val_check_interval, trainer.check_val_every_n_epoch) == (50, 1.0, 1)
    assert (trainer.accumulate_grad_batches, trainer.precision, trainer.world_size) == (1, "32-true", 1)
