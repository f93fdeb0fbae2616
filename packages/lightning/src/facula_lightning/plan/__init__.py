"""What a run will do, before it does it: the order of its hooks and the schedule of its steps."""

from facula_lightning.plan.make import make_plan
from facula_lightning.plan.plan import Call, Event, Plan

__all__ = ["Call", "Event", "Plan", "make_plan"]
