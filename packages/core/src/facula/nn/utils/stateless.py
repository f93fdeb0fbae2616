"""Calling a module with other tensors in place of its own, and reaching its tensors by dotted names."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from facula.nn.module import Module
from facula.tensor import Tensor

__all__ = ["NamedMemberAccessor", "functional_call"]


class NamedMemberAccessor:
    """Gets and sets parameters, buffers and modules of a module by their dotted names."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def get_submodule(self, name: str) -> Module:
        """Return the module of that name; AttributeError when there is none."""
        return self.module.get_submodule(name)

    def swap_submodule(self, path: str, value: Module) -> Module:
        """Put a module under a name and return the one that was there."""
        before = self.get_submodule(path)
        self.module.set_submodule(path, value)
        return before

    def _table(self, name: str) -> tuple[dict[str, Any], str]:
        """Return the table a tensor is in, and its name there; KeyError when there is none."""
        path, _, key = name.rpartition(".")
        try:
            owner = self.module.get_submodule(path)
        except AttributeError:
            raise KeyError(name) from None
        for table in (owner._parameters, owner._buffers):
            if key in table:
                return table, key
        raise KeyError(name)

    def get_tensor(self, name: str) -> Tensor:
        """Return the tensor of that name; AttributeError when there is none."""
        path, _, key = name.rpartition(".")
        found = getattr(self.module.get_submodule(path), key)
        if not isinstance(found, Tensor):
            raise TypeError(f"{name}: expected a Tensor, got {type(found).__name__}")
        return found

    def set_tensor(self, name: str, value: Tensor) -> None:
        """Put a tensor in the place of the one of that name."""
        self.swap_tensor(name, value)

    def swap_tensor(self, name: str, value: Tensor) -> Tensor:
        """Put a tensor in the place of the one of that name, and return that one."""
        try:
            table, key = self._table(name)
        except KeyError:
            path, _, key = name.rpartition(".")
            owner = self.module.get_submodule(path)
            before = getattr(owner, key)  # neither parameter nor buffer, or parametrized
            setattr(owner, key, value)
            return before
        before, table[key] = table[key], value
        return before

    def del_tensor(self, name: str) -> None:
        """Take the tensor of that name away."""
        path, _, key = name.rpartition(".")
        delattr(self.module.get_submodule(path), key)

    def get_tensors(self, names: list[str]) -> list[Tensor]:
        """Return the tensors of those names."""
        return [self.get_tensor(name) for name in names]

    def set_tensors(self, names: list[str], values: list[Tensor]) -> None:
        """Put tensors in the places of those of the names."""
        self.swap_tensors(names, values)

    def set_tensors_dict(self, named_tensors: Mapping[str, Tensor]) -> None:
        """Put tensors in the places of those of the names."""
        for name, value in named_tensors.items():
            self.set_tensor(name, value)

    def swap_tensors(self, names: list[str], values: list[Tensor]) -> list[Tensor]:
        """Put tensors in the places of those of the names, and return these."""
        return [self.swap_tensor(name, value) for name, value in zip(names, values, strict=True)]

    def swap_tensors_dict(
        self, named_tensors: Mapping[str, Tensor], allow_missing: bool = False
    ) -> tuple[dict[str, Tensor], list[str]]:
        """Put tensors in the places of those of the names; return these, and the names there were none for."""
        before: dict[str, Tensor] = {}
        missing: list[str] = []
        for name, value in named_tensors.items():
            try:
                before[name] = self.swap_tensor(name, value)
            except (AttributeError, KeyError):
                if not allow_missing:
                    self.set_tensors_dict(before)
                    raise RuntimeError(f"Missing key(s): {name!r}.") from None
                missing.append(name)
        return before, missing

    def check_keys(self, keys: Iterator[str] | list[str]) -> tuple[list[str], list[str]]:
        """Return the names of tensors that are not among ``keys``, and the keys that name none."""
        given = set(keys)
        valid = {name for name, _ in self.named_tensors(remove_duplicate=False)}
        return sorted(valid - given), sorted(given - valid)

    def named_parameters(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield parameters and their names."""
        yield from self.module.named_parameters(remove_duplicate=remove_duplicate)

    def named_buffers(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield buffers and their names."""
        yield from self.module.named_buffers(remove_duplicate=remove_duplicate)

    def named_tensors(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield parameters and buffers and their names."""
        yield from self.named_parameters(remove_duplicate)
        yield from self.named_buffers(remove_duplicate)

    def named_modules(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it and their names."""
        yield from self.module.named_modules(remove_duplicate=remove_duplicate)


def _with_tied(module: Module, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return values with those added for the other names of tensors that have several."""
    accessor = NamedMemberAccessor(module)
    names: dict[int, list[str]] = {}
    for name, tensor in accessor.named_tensors(remove_duplicate=False):
        names.setdefault(id(tensor), []).append(name)
    result = dict(values)
    for tied in names.values():
        given = [name for name in tied if name in values]
        if len({id(values[name]) for name in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which are tied. Consider using "
                "tie_weights=False"
            )
        if given:
            result.update(dict.fromkeys(tied, values[given[0]]))
    return result


@contextmanager
def _reparametrize_module(
    module: Module, parameters_and_buffers: dict[str, Tensor], tie_weights: bool = False, strict: bool = False
) -> Iterator[None]:
    """Put other tensors in a module as long as the context lasts; buffers it writes anew go into the dictionary."""
    values = _with_tied(module, parameters_and_buffers) if tie_weights else parameters_and_buffers
    accessor = NamedMemberAccessor(module)
    if strict:
        missing, unexpected = accessor.check_keys(list(values))
        problems = [
            f"{kind} key(s): {', '.join(map(repr, keys))}."
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing))
            if keys
        ]
        if problems:
            lines = "\n\t".join(problems)
            raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t{lines}")
    before, _ = accessor.swap_tensors_dict(values, allow_missing=True)
    try:
        yield
    finally:
        after, _ = accessor.swap_tensors_dict(before, allow_missing=True)
        parameters_and_buffers.update({name: after[name] for name in parameters_and_buffers if name in after})


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: object = None,
    kwargs: dict[str, object] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> object:
    """Return what a module returns with other tensors in place of its own: `facula.func.functional_call` is newer."""
    warnings.warn(
        "`nn.utils.stateless.functional_call` is deprecated. Please use `func.functional_call` instead, which is a "
        "drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights=tie_weights, strict=strict):
        return module(*arguments, **(kwargs or {}))
