"""Runs the checks of the chosen entries in worker processes, and shows the figures at the end."""

from collections.abc import Callable, Iterator

import pytest

from tests.conformance.expected import KINDS, complaints, figures, read
from tests.conformance.runner import Runner

_RUNNER = pytest.StashKey[Runner]()


@pytest.fixture(scope="session")
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """The processes that run the checks of all chosen tests."""
    chosen = []
    for item in request.session.items:
        kind = next((kind for kind in KINDS if kind.rstrip("s") in item.originalname), None)
        if "runner" in getattr(item, "fixturenames", ()) and kind is not None:
            chosen.append(f"{kind}/{item.callspec.params['name']}")
    made = request.config.stash[_RUNNER] = Runner(chosen)
    yield made
    made.close()


@pytest.fixture
def agree(runner: Runner) -> Callable[[str], None]:
    """Fails where an entry, such as ``operators/add``, does not differ as listed."""

    def check(entry: str) -> None:
        found = complaints(entry, runner.outcome(entry), read().get(entry, {}))
        if found:
            pytest.fail("\n".join(found), pytrace=False)

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show how many of the checks agree with PyTorch."""
    runner = config.stash.get(_RUNNER, None)
    if runner is not None:
        terminalreporter.section("agreement with PyTorch")
        for line in figures(runner.finished()):
            terminalreporter.line(line)
