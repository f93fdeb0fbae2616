"""Looking at objects that a program was given."""

from __future__ import annotations

import pickle


def is_picklable(obj: object) -> bool:
    """Return whether an object can be pickled."""
    try:
        pickle.dumps(obj)
    except (pickle.PickleError, AttributeError, RuntimeError, TypeError):
        return False
    return True
