"""Anomaly mode: name the forward line when a gradient fails or is nan."""

from facula.graph.modes import set_anomaly, state


class set_detect_anomaly:
    """Switch anomaly mode on or off: as a function at once, as a context manager until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._previous = state.anomaly
        set_anomaly(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        set_anomaly(self._previous)


class detect_anomaly(set_detect_anomaly):
    """Context in which a failing or nan gradient names the forward line it belongs to."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)


def is_anomaly_enabled() -> bool:
    """Return whether anomaly mode is on."""
    return state.anomaly
