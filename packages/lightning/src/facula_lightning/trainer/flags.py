"""The trainer's arguments: what values they may have, and what is meant by leaving them out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.profilers import Profiler


def resolve_limit(value: int | float | None, name: str) -> int | float:
    """Return how many batches, or which fraction of them, to use; all for None.

    Raises MisconfigurationException for anything but a fraction from 0 to 1 or a number of batches.
    """
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MisconfigurationException(
            f"You have passed invalid value {value!r} for {name}, expected an int or a float"
        )
    if isinstance(value, float) and value > 1 and value.is_integer():
        value = int(value)
    if value < 0 or (isinstance(value, float) and value > 1):
        raise MisconfigurationException(
            f"You have passed invalid value {value} for {name}, it has to be in the range [0.0, 1.0] or an int."
        )
    return value


def resolve_epochs_and_steps(max_epochs: int | None, max_steps: int, has_time: bool) -> tuple[int, int]:
    """Return the limits of training: 1000 epochs when nothing limits it."""
    if not isinstance(max_steps, int) or max_steps < -1:
        raise MisconfigurationException(
            f"`max_steps` must be a non-negative integer or -1 (infinite steps). You passed in {max_steps}."
        )
    if max_epochs is not None and (not isinstance(max_epochs, int) or max_epochs < -1):
        raise MisconfigurationException(
            f"`max_epochs` must be a non-negative integer or -1. You passed in {max_epochs}."
        )
    if max_epochs is None:
        max_epochs = -1 if max_steps != -1 or has_time else 1000
    return max_epochs, max_steps


def resolve_clipping(value: object, algorithm: object) -> tuple[float | None, str | None]:
    """Return the checked arguments of gradient clipping."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TypeError(f"`gradient_clip_val` should be an int or a float. Got {value}.")
    if algorithm is not None and algorithm not in ("norm", "value"):
        raise MisconfigurationException(
            f"`gradient_clip_algorithm` {algorithm} is invalid. Allowed algorithms: ['value', 'norm']."
        )
    return value, algorithm


def resolve_time(value: object, name: str) -> timedelta | None:
    """Return a duration given as timedelta, dictionary of its parts or text "DD:HH:MM:SS"."""
    if value is None or isinstance(value, timedelta):
        return value
    if isinstance(value, dict):
        return timedelta(**value)
    if isinstance(value, str):
        parts = value.strip().split(":")
        if len(parts) == 4 and all(part.isdigit() for part in parts):
            days, hours, minutes, seconds = map(int, parts)
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise MisconfigurationException(
        f"`{name}` should be 'DD:HH:MM:SS', a timedelta or a dictionary of its arguments, got {value!r}"
    )


def resolve_interval(value: object, every_n_epoch: int | None) -> int | float | timedelta:
    """Return after how many batches, which fraction of an epoch or what time validation is due."""
    if value is None:
        value = 1.0
    if isinstance(value, (str, dict, timedelta)):
        duration = resolve_time(value, "val_check_interval")
        assert duration is not None
        if duration <= timedelta(0):
            raise MisconfigurationException(f"`val_check_interval` as a time should be above 0, got {value!r}")
        _check_every_n_epoch(every_n_epoch)
        return duration
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise MisconfigurationException(f"`val_check_interval` should be an int, a float or a time, got {value!r}")
    if isinstance(value, float) and not 0 <= value <= 1:
        raise MisconfigurationException(f"`val_check_interval` as a float should be from 0.0 to 1.0, got {value}")
    if every_n_epoch is None and isinstance(value, float):
        raise MisconfigurationException(
            "`val_check_interval` should be an integer when `check_val_every_n_epoch=None`, got `val_check_interval="
            f"{value}`."
        )
    _check_every_n_epoch(every_n_epoch)
    return value


def _check_every_n_epoch(value: object) -> None:
    if value is not None and not isinstance(value, int):
        raise MisconfigurationException(f"`check_val_every_n_epoch` should be an integer, got {value!r}")


def resolve_profiler(value: object) -> Profiler | None:
    """Return a profiler given as such or by its name; None where nothing is to be recorded."""
    if value is None:
        return None
    from facula_lightning import profilers

    if isinstance(value, str):
        names: dict[str, type[Profiler]] = {
            "simple": profilers.SimpleProfiler,
            "advanced": profilers.AdvancedProfiler,
            "facula": profilers.FaculaProfiler,
        }
        if value.lower() not in names:
            raise MisconfigurationException(
                f"When passing string value for the `profiler` parameter of `Trainer`, it can only be one of {sorted(names)}."
                f" You passed {value!r}."
            )
        return names[value.lower()]()
    if not isinstance(value, profilers.Profiler):
        raise MisconfigurationException(
            f"expected a Profiler, a name of one or None for `profiler`, got {type(value).__name__}"
        )
    return None if isinstance(value, profilers.PassThroughProfiler) else value
