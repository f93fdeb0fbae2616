"""Where an actor is put."""

from dataclasses import dataclass


@dataclass
class PlacementGroupSchedulingStrategy:
    placement_group: object
    placement_group_bundle_index: int
