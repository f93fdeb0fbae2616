"""The collectives on 2 and 4 ranks, and what happens when a rank fails or hangs."""

import re
import subprocess
import sys
from datetime import timedelta

import facula
import pytest
from facula import distributed as dist


@pytest.mark.parametrize(("count", "backend"), [(2, "gloo"), (4, "cpu:gloo,cuda:gloo")])
def test_collectives_agree_with_numpy(ranks, count, backend) -> None:
    ranks("collective_programs.py", count, backend)


def test_a_hang_names_rank_collective_and_where_the_others_are(ranks) -> None:
    ended = ranks("failing_programs.py", 2, "one leaves out a collective", fails=True)
    assert "rank 0: barrier (number 2) did not end within 1 s" in ended.stderr
    assert "rank 1: in receive from 0 (number 2), begun " in ended.stderr


def test_an_error_in_one_rank_ends_all(ranks) -> None:
    ended = ranks("failing_programs.py", 2, "one fails", fails=True)
    assert "ZeroDivisionError: on purpose" in ended.stderr
    assert "rank 1 failed: all processes are ended" in ended.stderr


def test_a_rank_that_has_left_is_named(ranks) -> None:
    ended = ranks("failing_programs.py", 2, "one leaves", fails=True)
    assert re.search("rank 1:? has ended its program after number 1", ended.stderr)


def test_without_a_group_it_is_said_what_to_call() -> None:
    assert not dist.is_initialized() and dist.group.WORLD is None
    for call in (dist.get_rank, dist.get_world_size, dist.get_backend, dist.barrier, dist.destroy_process_group):
        with pytest.raises(ValueError, match="make sure to call init_process_group"):
            call()
    with pytest.raises(ValueError, match="Invalid backend"):
        dist.init_process_group("carrier pigeon")
    with pytest.raises(TypeError, match="timedelta"):
        dist.init_process_group("mpi", timeout=3)


def test_importing_loads_neither_mpi_nor_the_network() -> None:
    program = (
        "import sys, facula.distributed; loaded = {'mpi4py', 'cupy', 'subprocess', 'multiprocessing'} & set(sys.modules);"
        " sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_store_answers_all_who_ask() -> None:
    store = dist.TCPStore("localhost", 0, is_master=True)
    other = dist.TCPStore("localhost", store.port)
    store.set("text", "some")
    assert other.get("text") == b"some"
    assert [store.add("count", 2), other.add("count", 3)] == [2, 5]
    assert other.check(["text", "count"]) and not other.check(["neither"])
    assert store.num_keys() == 2 and other.delete_key("text") and not store.delete_key("text")
    with pytest.raises(dist.DistStoreError, match="wait timeout after 0.05 s, keys: neither"):
        other.wait(["neither"], timedelta(seconds=0.05))
    other.close()
    store.close()


def test_reductions_that_have_no_meaning_are_refused_before_anything_is_sent() -> None:
    from facula.distributed.reduce_op import check_reduction

    with pytest.raises(ValueError, match="needs a factor"):
        check_reduction(dist.ReduceOp.PREMUL_SUM, "f")
    assert dist._make_nccl_premul_sum(facula.tensor(2.0)).factor == 2.0
