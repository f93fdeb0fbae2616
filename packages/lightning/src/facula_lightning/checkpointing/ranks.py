"""What each of several processes adds to a checkpoint, and takes from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.utilities.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


def gather_states(trainer: Trainer, own: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of all processes, in order; every process must call it."""
    if trainer.world_size == 1:
        return [own]
    from facula import distributed

    states: list[Any] = [None] * trainer.world_size
    distributed.all_gather_object(states, own)
    return states


def state_of_rank(trainer: Trainer, states: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what this process goes on with: its own state, or that of another where there were not so many."""
    if len(states) == trainer.world_size:
        return states[trainer.global_rank]
    rank_zero_warn(
        f"The checkpoint was saved by {len(states)} processes and is gone on with by {trainer.world_size}: with the same global"
        " batch the order of samples stays, but random numbers and numbers logged by epoch may differ from those of a run"
        " that was not interrupted."
    )
    own = dict(states[trainer.global_rank % len(states)])
    # Gradients of an open window are parts of an average over processes.
    names = {name for state in states for name in state["gradients"]}
    own["gradients"] = {
        name: sum(state["gradients"][name] for state in states if name in state["gradients"]) / len(states)
        for name in names
    }
    if trainer.global_rank >= len(states):
        # What was logged so far is counted once.
        own["results"] = []
    return own


def wait_for_all(trainer: Trainer) -> None:
    """Wait until every process is here."""
    if trainer.world_size > 1:
        from facula import distributed

        distributed.barrier()


def all_agree(trainer: Trainer, decision: bool) -> bool:
    """Return whether every process decided so; every process must call it."""
    if trainer.world_size == 1:
        return decision
    from facula import distributed

    decisions: list[Any] = [None] * trainer.world_size
    distributed.all_gather_object(decisions, decision)
    return all(decisions)
