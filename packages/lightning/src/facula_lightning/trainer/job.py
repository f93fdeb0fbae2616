"""TrainerJob: a method of a trainer that several processes call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.strategies.launchers.job import Job
from facula_lightning.utilities.seed import collect_rng_states, set_rng_states

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class TrainerJob(Job):
    """A method of a trainer and what it is called with."""

    def __init__(self, trainer: Trainer, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.trainer = trainer
        self.method = method
        self.arguments = arguments
        self.keywords = keywords

    @property
    def what(self) -> str:
        """The trainer."""
        return "Trainer"

    def prepare(self) -> None:
        """Let the loggers choose where they write."""
        for logger in self.trainer.loggers:
            _ = logger.version  # the same in this run and the next

    def run(self) -> Any:
        """Call the method."""
        self.trainer.strategy.launcher = None
        return getattr(self.trainer, self.method)(*self.arguments, **self.keywords)

    @property
    def is_first(self) -> bool:
        """Whether this process is the first."""
        return self.trainer.is_global_zero

    def answer(self, returned: Any) -> dict[str, Any]:
        """Return what the run left behind, as far as it is taken over."""
        trainer, module = self.trainer, self.trainer.lightning_module
        assert module is not None
        return {
            "returned": returned,
            "weights": module.state_dict(),
            "callbacks": [callback.state_dict() for callback in trainer.callbacks],
            "logging": trainer._logging.state_dict(),
            "progress": (trainer.fit_loop.epoch_progress, trainer.fit_loop.batch_progress),
            "seen": trainer.fit_loop.seen,
            "steps": (trainer.fit_loop.batches_that_stepped, trainer.global_step),
            "loggers": [logger.state_dict() for logger in trainer.loggers],
            "rng": collect_rng_states(),
            "state": (trainer._status, trainer._method, trainer.interrupted, trainer.should_stop),
        }

    def take_over(self, answer: dict[str, Any]) -> Any:
        """Bring the trainer and its model to where the run left them; return what the method returned."""
        trainer = self.trainer
        module = self.keywords.get("model", self.arguments[0] if self.arguments else None)
        module = module if module is not None else trainer.lightning_module
        assert module is not None
        trainer.lightning_module = module
        module.trainer = trainer
        module.load_state_dict(answer["weights"])
        for callback, state in zip(trainer.callbacks, answer["callbacks"]):
            if state:
                callback.load_state_dict(state)
        trainer._logging.load_state_dict(answer["logging"])
        trainer.fit_loop.epoch_progress, trainer.fit_loop.batch_progress = answer["progress"]
        trainer.fit_loop.seen = answer["seen"]
        trainer.fit_loop.batches_that_stepped, trainer._optimization.steps = answer["steps"]
        for logger, state in zip(trainer.loggers, answer["loggers"]):
            if state:
                logger.load_state_dict(state)
        set_rng_states(answer["rng"])
        trainer._status, trainer._method, trainer.interrupted, trainer.should_stop = answer["state"]
        return answer["returned"]
