"""Profiles: which operations were called, how often, inside of what."""

import json

import facula
from facula.profiler import ProfilerAction, profile, record_function, schedule, tensorboard_trace_handler


def work() -> None:
    x = facula.ones(4, 4, requires_grad=True)
    (x @ x).exp().sum().backward()


def test_calls_forward_and_backward_are_counted() -> None:
    with profile(record_shapes=True) as found:
        work()
    counts = {each.key: each.count for each in found.key_averages()}
    assert (counts["mm"], counts["exp"], counts["mm_nt"], counts["mm_tn"]) == (1, 1, 1, 1)
    assert next(each for each in found.events() if each.name == "mm").input_shapes == [[4, 4], [4, 4]]
    work()
    assert {each.key: each.count for each in found.key_averages()} == counts


def test_a_named_part_holds_what_happens_in_it() -> None:
    with profile() as found:
        with record_function("outer"):
            work()
        record_function("again")(work)()
    outer = next(each for each in found.key_averages() if each.key == "outer")
    assert 0 < outer.self_cpu_time_total < outer.cpu_time_total
    assert {"outer", "again"} <= {each.name for each in found.events()}


def test_tables_and_traces(tmp_path) -> None:
    with profile() as found:
        work()
    table = found.key_averages().table(sort_by="cpu_time_total", row_limit=2)
    assert table.splitlines()[1].split()[:1] == ["Name"]
    assert len(table.splitlines()) == 7
    found.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"mm", "exp"} <= {each["name"] for each in trace}
    assert all(each["ph"] == "X" and each["dur"] >= 0 for each in trace)


def test_a_schedule_says_which_steps_are_recorded(tmp_path) -> None:
    plan = schedule(wait=1, warmup=1, active=2, repeat=1)
    assert [plan(step).name for step in range(6)] == ["NONE", "WARMUP", "RECORD", "RECORD_AND_SAVE", "NONE", "NONE"]
    assert schedule(wait=0, warmup=0, active=1, skip_first=1)(0) is ProfilerAction.NONE
    counts = []
    with profile(schedule=plan, on_trace_ready=lambda found: counts.append(len(found.events()))) as found:
        for _ in range(6):
            facula.ones(2) + 1
            found.step()
    assert counts == [2]  # one addition in each of the two recorded steps
    with profile(on_trace_ready=tensorboard_trace_handler(str(tmp_path))):
        work()
    assert len(list(tmp_path.glob("*.pt.trace.json"))) == 1
