"""LambdaCallback: a callback made of functions."""

from __future__ import annotations

from collections.abc import Callable

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

_HOOKS = frozenset(name for name in vars(Callback) if name.startswith("on_") or name in ("setup", "teardown"))


class LambdaCallback(Callback):
    """Calls the functions given by hook name.

    >>> LambdaCallback(setup=lambda trainer, module, stage: None).state_key
    'LambdaCallback'
    """

    def __init__(self, **hooks: Callable[..., None]) -> None:
        for name, function in hooks.items():
            if name not in _HOOKS:
                raise MisconfigurationException(
                    f"The event function: `{name}` doesn't exist in supported callbacks function."
                )
            setattr(self, name, function)
