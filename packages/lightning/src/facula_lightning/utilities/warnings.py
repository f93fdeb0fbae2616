"""Warnings that may be beside the point, and turning them off."""

from __future__ import annotations

import warnings


class PossibleUserWarning(UserWarning):
    """A warning of what is right in some programs, and a mistake in most."""


def disable_possible_user_warnings(module: str = "") -> None:
    """Ignore warnings of the category `PossibleUserWarning`, from modules whose names match ``module``, or all."""
    warnings.filterwarnings("ignore", module=module, category=PossibleUserWarning)
