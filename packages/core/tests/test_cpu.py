"""The memory of arrays on the CPU, the threads of kernels, and what `show_config` says."""

import importlib.util
import os
import subprocess
import sys
import threading

import facula
import numpy as np
import pytest
from facula import native

compiled = pytest.mark.skipif(not native.available, reason="the compiled code was not built, or is switched off")


@pytest.fixture
def few_bytes():
    """Keep less memory than usual during a test."""
    before = facula.cpu.memory_stats()["limit"]
    facula.cpu.set_memory_cache_limit(1 << 20)
    yield 1 << 20
    facula.cpu.set_memory_cache_limit(before)


@compiled
def test_memory_that_is_given_back_is_used_again() -> None:
    facula.cpu.empty_cache()
    first = facula.empty(1000, 1000)
    address = first.data_ptr()
    del first
    assert facula.cpu.memory_stats()["kept"] >= 4_000_000
    second = facula.empty(1000, 999)
    assert second.data_ptr() == address
    third = facula.empty(1000, 1000)
    assert third.data_ptr() != address


@compiled
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 255, 256, 257, 1000, 100_001, 3_000_000])
def test_memory_is_aligned_and_whole(size) -> None:
    arrays = [np.full(size, number, np.float32) for number in range(3)]
    assert all(each.ctypes.data % 64 == 0 for each in arrays)
    assert all((each == number).all() for number, each in enumerate(arrays))
    del arrays
    assert not np.zeros(size, np.float32).any()


@compiled
def test_arrays_may_grow() -> None:
    values = np.arange(10)
    for size in (1000, 5, 100_000):
        values.resize(size, refcheck=False)
        assert (values[:5] == range(5)).all() and not values[10:].any()


@compiled
def test_no_more_than_the_limit_is_kept(few_bytes) -> None:
    for size in (10, 1000, 100_000, 200_000, 1_000_000):
        held = [facula.empty(size) for _ in range(3)]
        del held
        assert facula.cpu.memory_stats()["kept"] <= few_bytes
    facula.cpu.empty_cache()
    assert facula.cpu.memory_stats()["kept"] == 0


@compiled
def test_the_peak_is_the_most_that_was_used_at_once() -> None:
    facula.cpu.reset_peak_memory_stats()
    before = facula.cpu.memory_allocated()
    assert facula.cpu.max_memory_allocated() == before
    held = facula.empty(1_000_000)
    del held
    assert 4_000_000 <= facula.cpu.max_memory_allocated() - before < 5_000_000


@compiled
def test_threads_take_and_give_back_memory_at_once() -> None:
    def work() -> None:
        for size in range(1, 2000, 7):
            assert (np.ones(size) * 2 == 2).all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative, got -1"):
        facula.cpu.set_memory_cache_limit(-1)


def run(code: str, **environment: str) -> str:
    """Return what a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@compiled
def test_what_the_environment_switches_off() -> None:
    asking = "import facula; print(facula.cpu.memory_stats()['limit']); facula.show_config()"
    assert "compiled code: none" in run(asking, FACULA_NATIVE="0")
    reused = "import facula; [facula.ones(10) for _ in range(9)]; print(facula.cpu.memory_stats()['allocations'])"
    assert run(reused, FACULA_MEMORY_CACHE="0") == "0\n"
    assert run(asking, FACULA_MEMORY_CACHE="12345").startswith("12345\n")


@compiled
@pytest.mark.parametrize("name", native.LEVELS)
def test_kernels_of_a_lower_level(name) -> None:
    code = """
import facula
facula.show_config()
print((facula.arange(6.0).reshape(2, 3) @ facula.ones(3, 2)).exp().log().round())
"""
    if native.LEVELS[name] > native.base.level():
        with pytest.raises(AssertionError, match="this CPU can run kernels up to level"):
            run(code, FACULA_NATIVE=name)
    elif importlib.util.find_spec(f"facula._native.level{native.LEVELS[name]}") is None:
        with pytest.raises(AssertionError, match="kernels were not built for it"):
            run(code, FACULA_NATIVE=name)
    elif missing := set(dir(native.kernels)) - set(
        dir(importlib.import_module(f"facula._native.level{native.LEVELS[name]}"))
    ):
        pytest.skip(f"the kernels of this level were built from older sources, without {min(missing)}")
    else:
        printed = run(code, FACULA_NATIVE=name)
        assert ("for every CPU" if name == "x86-64" else name) in printed
        assert printed.endswith("tensor([[ 3.,  3.],\n        [12., 12.]])\n")


@compiled
def test_a_level_that_is_not_known() -> None:
    with pytest.raises(AssertionError, match="FACULA_NATIVE is expected to be 0, 1 or one of x86-64, .*, got 'fast'"):
        run("import facula", FACULA_NATIVE="fast")


@compiled
def test_threads_are_set_for_kernels() -> None:
    before = facula.get_num_threads()
    facula.set_num_threads(3)
    assert native.kernels.get_num_threads() == 3
    facula.set_num_threads(before)
    assert run("import facula; print(facula.get_num_threads())", OMP_NUM_THREADS="5") == "5\n"


@compiled
def test_kernels_compute_in_forked_children() -> None:
    code = """
import os, numpy as np, facula
facula.set_num_threads(2)
x = facula.zeros(1_000_000)
assert x.exp().sum() == 1_000_000
child = os.fork()
if child == 0:
    os._exit(0 if x.exp().sum() == 1_000_000 else 1)
print(os.waitpid(child, 0)[1])
"""
    assert run(code) == "0\n"
