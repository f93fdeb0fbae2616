"""The engine over TCP in one process: two ends of a mesh, strangers, and what is said when one end goes."""

import socket
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from facula import distributed as dist
from facula.distributed.backends.gloo import GlooBackend
from facula.distributed.backends.mesh import Mesh
from facula.distributed.errors import DistBackendError, DistNetworkError
from facula.distributed.initialization import _engines
from facula.distributed.reduce_op import ReduceOp
from facula.distributed.watchdog import AskingBoard


@pytest.fixture
def stores() -> Iterator[list[dist.TCPStore]]:
    """A store, and room for other connections with it; all are closed."""
    made = [dist.TCPStore("127.0.0.1", 0, is_master=True)]
    yield made
    for each in made[::-1]:
        each.close()


@pytest.fixture
def meet(stores) -> Iterator[Callable[..., list[Mesh]]]:
    """A function that returns the ends of a mesh, made in threads."""
    found: dict[int, Mesh] = {}

    def run(size: int, before: Callable[[dist.TCPStore], None] = lambda store: None) -> list[Mesh]:
        stores.extend(dist.TCPStore("127.0.0.1", stores[0].port) for _ in range(1, size))

        def join(rank: int) -> None:
            if rank == 1:
                before(stores[rank])
            found[rank] = Mesh(rank, size, stores[rank], "test", 20.0)

        threads = [threading.Thread(target=join, args=(rank,)) for rank in range(size)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return [found[rank] for rank in range(size)]

    yield run
    for mesh in found.values():
        mesh.close()
    for mesh in found.values():
        with mesh.arrived:
            assert mesh.arrived.wait_for(lambda mesh=mesh: len(mesh.gone) == mesh.size - 1, 10)


def on_all(meshes: list[Mesh], begin) -> list:
    """Return what was begun on each end, when all have ended."""
    started = [begin(GlooBackend(mesh, range(len(meshes)), mesh.rank)) for mesh in meshes]
    for request, finish in started:
        request.wait()
        if finish is not None:
            finish()
    return started


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("count", [1, 4, 100_003])
def test_a_ring_and_a_tree_give_all_the_same_bits(meet, size, count) -> None:
    numbers = [np.random.default_rng(rank).standard_normal(count).astype(np.float32) for rank in range(size)]
    arrays = [each.copy() for each in numbers]
    on_all(meet(size), lambda engine: engine.all_reduce(arrays[engine.rank], ReduceOp.SUM))
    np.testing.assert_allclose(arrays[0], np.sum(numbers, 0, dtype=np.float64), rtol=1e-4, atol=1e-5)
    assert all(np.array_equal(arrays[0], each) for each in arrays)


def test_a_stranger_is_not_let_in(meet) -> None:
    heard = []

    def call(store: dist.TCPStore) -> None:
        host, _, port = store.get("test/0").decode().rpartition(" ")
        with socket.create_connection((host, int(port)), timeout=10) as stranger:
            stranger.sendall(bytes(16) + (1).to_bytes(4, "little"))
            heard.append(stranger.recv(1))

    first, second = meet(2, before=call)
    assert heard == [b""]
    first.send_message(1, 0, 5, np.arange(3))
    receipt = second.receive(None, 0, 5)
    receipt.wait()
    assert receipt.found.view(np.int64).tolist() == [0, 1, 2] and receipt.source() == 0


def test_who_does_not_come_is_named(stores) -> None:
    with pytest.raises(DistNetworkError, match=r"rank 0 waited 0.2 s in vain for ranks \[1, 2\]"):
        Mesh(0, 3, stores[0], "alone", 0.2)


def test_messages_come_in_order_and_to_who_asked_first(meet) -> None:
    first, second = meet(2)
    any_one, from_first = second.receive(None, 0, 1), second.receive(0, 0, 1)
    other_tag = second.receive(0, 0, 2)
    for number, tag in ((1, 1), (2, 1), (3, 1), (4, 2)):
        first.send_message(1, 0, tag, np.array([number]))
    other_tag.wait()
    assert [each.found.view(np.int64)[0] for each in (any_one, from_first, second.receive(0, 0, 1), other_tag)] == [
        1,
        2,
        3,
        4,
    ]
    assert not second.receive(0, 0, 1).test()


def test_one_end_asks_the_other_and_learns_that_it_has_gone(meet) -> None:
    first, second = meet(2)
    board, theirs = AskingBoard(first), AskingBoard(second)
    assert board.describe(1) == "has not begun any"
    theirs.write(3, 2, "broadcast")
    assert board.describe(1).startswith("in broadcast (number 3), begun 0.")
    theirs.ended(3)
    assert board.describe(1).startswith("has ended broadcast (number 3)")
    waiting = first.receive(1, 0, 0)
    second.send_part(0, 0, 1, np.array([7]))
    second.close()
    # What was sent before is still there; what was not never comes.
    assert first.part(1, 0, 1).view(np.int64).tolist() == [7]
    for call in (waiting.wait, lambda: first.part(1, 0, 2), first.receive(None, 0, 0).test):
        with pytest.raises(DistBackendError, match="rank 1 has ended its program after number 3"):
            call()
    assert board.describe(1) == "has ended its program after number 3"


def test_different_sizes_are_an_error_on_the_side_that_notices(meet) -> None:
    arrays = [np.ones(3), np.ones(4)]
    engines = [GlooBackend(mesh, range(2), mesh.rank) for mesh in meet(2)]
    started = [each.all_reduce(arrays[each.rank], ReduceOp.SUM) for each in engines]
    with pytest.raises(DistBackendError, match="rank 1 sent 32 bytes where 24 were expected"):
        started[0][0].wait()


@pytest.mark.parametrize(
    ("backend", "may_meet", "expected"),
    [
        ("gloo", True, {"cpu": "gloo", "cuda": "gloo"}),
        ("gloo", False, {"cpu": "mpi", "cuda": "mpi"}),
        ("cpu:gloo,cuda:nccl", True, {"cpu": "gloo", "cuda": "nccl"}),
        ("cpu:gloo,cuda:mpi", True, {"cpu": "mpi", "cuda": "mpi"}),
        ("mpi", True, {"cpu": "mpi", "cuda": "mpi"}),
    ],
)
def test_names_of_engines(backend, may_meet, expected) -> None:
    assert _engines(backend, may_meet) == expected
    assert dist.is_gloo_available() and dist.is_backend_available("gloo") and dist.is_available()


def test_one_process_needs_no_connection(monkeypatch) -> None:
    import facula

    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("MASTER_ADDR", "nowhere.invalid"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    before = threading.active_count()
    dist.init_process_group("gloo")
    try:
        x = facula.ones(2)
        dist.all_reduce(x)
        dist.barrier()
        places = [facula.zeros(2)]
        dist.all_gather(places, x)
        assert x.tolist() == places[0].tolist() == [1.0, 1.0] and threading.active_count() == before
        with pytest.raises(ValueError, match="no other process"):
            dist.recv(x)
        with pytest.raises(ValueError, match="rank=3 and world_size=2"):
            dist.destroy_process_group()
            dist.init_process_group("gloo", rank=3, world_size=2)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
