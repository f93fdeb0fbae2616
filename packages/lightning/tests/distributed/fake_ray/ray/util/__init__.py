"""Placement groups."""

import ray


class _Group:
    def ready(self):
        return ray.put(self)


def placement_group(bundles: list, strategy: str) -> _Group:
    ray.note(bundles=bundles, strategy=strategy)
    return _Group()


def remove_placement_group(group: _Group) -> None:
    assert isinstance(group, _Group)
    ray.note(removed=True)


def get_node_ip_address() -> str:
    return "127.0.0.1"
