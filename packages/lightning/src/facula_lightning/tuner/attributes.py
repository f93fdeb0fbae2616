"""The attribute that a finder changes: of the model, of the data module, or among their hyper-parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.module import LightningModule


def holders(model: LightningModule, datamodule: LightningDataModule | None, name: str) -> list[Any]:
    """Return the objects that have an attribute, or a hyper-parameter, of a name."""
    found: list[Any] = []
    for owner in (model, datamodule):
        if owner is None:
            continue
        if hasattr(owner, name):
            found.append(owner)
        if name in owner.hparams:
            found.append(owner.hparams)
    return found


def get_attribute(model: LightningModule, datamodule: LightningDataModule | None, name: str) -> Any:
    """Return the value of an attribute: of the last object that has it, as in Lightning.

    AttributeError where there is none.
    """
    found = holders(model, datamodule, name)
    if not found:
        raise AttributeError(
            f"{name} is neither stored in the model namespace nor the `hparams` namespace/dict, nor the datamodule."
        )
    holder = found[-1]
    return holder[name] if isinstance(holder, dict) else getattr(holder, name)


def set_attribute(model: LightningModule, datamodule: LightningDataModule | None, name: str, value: object) -> None:
    """Give an attribute a value, in every object that has it."""
    for holder in holders(model, datamodule, name):
        if isinstance(holder, dict):
            holder[name] = value
        else:
            setattr(holder, name, value)


def rate_attribute(model: LightningModule, datamodule: LightningDataModule | None, name: str = "") -> str:
    """Return the name of the attribute with the learning rate: the one given, or "lr" or "learning_rate".

    AttributeError where there is none.
    """
    if name:
        if not holders(model, datamodule, name):
            raise AttributeError(
                f"The attribute name for the learning rate was set to {name}, but could not find this as a field in `model`"
                " or `model.hparams`."
            )
        return name
    options = ("lr", "learning_rate")
    for option in options:
        if holders(model, datamodule, option):
            return option
    raise AttributeError(
        "When using the learning rate finder, either `model` or `model.hparams` should have one of these fields:"
        f" {options}. If your model has a different name for the learning rate, set it with `.lr_find(attr_name=...)`."
    )
