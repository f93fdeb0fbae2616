"""What importing the trainer does to a process: nothing but reading a few modules of the standard library and our own."""

import json
import subprocess
import sys

# Other tests of this process have imported all there is: each question is asked of a new one.
PROGRAM = """
import _thread
import json
import os
import sys

import facula

events = []
watched = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "_thread.start_new_thread",
           "urllib.", "http.", "ftplib.", "smtplib.", "tempfile.", "os.mkdir", "os.remove", "os.putenv")
before = set(sys.modules)
variables, threads = dict(os.environ), _thread._count()


def hook(event, arguments):
    if event.startswith(watched):
        events.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        events.append(f"open {arguments[0]}")


sys.addaudithook(hook)
IMPORTS
found = {name for name in set(sys.modules) - before if not name.startswith("__")}
assert dict(os.environ) == variables
# Before Python 3.12 threads are no event of their own.
events += ["a thread"] * (_thread._count() - threads)
print(json.dumps({"modules": sorted(found), "events": events}))
"""
ALL = "import facula_lightning\nfacula_lightning.Trainer\nfacula_lightning.LightningModule\nfacula_lightning.Callback"


def imported(statements: str) -> dict[str, list[str]]:
    """Return which modules the statements bring after ``import facula``, and what they do that an import should not."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM.replace("IMPORTS", statements)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_the_package_itself_brings_next_to_nothing() -> None:
    assert imported("import facula_lightning") == {
        "modules": ["facula_lightning", "facula_lightning.version"],
        "events": [],
    }


def test_the_trainer_brings_nothing_foreign_and_opens_nothing() -> None:
    found = imported(ALL)
    assert found["events"] == []
    tops = {name.partition(".")[0] for name in found["modules"]}
    foreign = tops - set(sys.stdlib_module_names) - {"facula", "facula_lightning"}
    assert not foreign
    own = [name for name in found["modules"] if name.startswith("facula_lightning")]
    assert "facula_lightning.trainer.trainer" in own
    assert len(own) <= 110 and len(found["modules"]) <= 250


def test_what_a_program_may_not_need_waits() -> None:
    modules = set(imported(ALL)["modules"])
    waiting = {"multiprocessing", "socket", "subprocess", "argparse", "csv", "facula.distributed", "facula.profiler"}
    parts = ("metrics", "fabric", "plan", "profilers", "learner", "replay", "strategies.ddp", "strategies.launchers")
    parts += ("loggers.csv_logs", "loggers.wandb", "loggers.mlflow", "loggers.tensorboard", "checkpointing.files")
    parts += ("callbacks.crash_capsule", "callbacks.finetuning", "callbacks.weight_averaging", "callbacks.lr_monitor")
    assert not modules & (waiting | {f"facula_lightning.{part}" for part in parts})


def test_an_import_that_does_something_is_noticed() -> None:
    statements = (
        "import socket, threading, wave\nsocket.socket()\n"
        "threading.Thread(target=threading.Event().wait, args=(2,), daemon=True).start()"
    )
    found = imported(statements)
    assert "wave" in found["modules"]
    assert {"socket.__new__", "a thread"} <= set(found["events"])


def test_names_are_found_and_unknown_ones_are_not() -> None:
    statements = (
        "import facula_lightning as L\n"
        "assert set(L.__all__) <= set(dir(L))\n"
        "assert all(getattr(L, name) is not None for name in dir(L))\n"
        "for owner in (L.loggers, L.callbacks):\n"
        "    assert set(owner.__all__) == set(owner._LATER) <= set(dir(owner))\n"
        "    assert all(getattr(owner, name) is not None for name in dir(owner))\n"
        "for owner in (L, L.loggers, L.callbacks, L.trainer):\n"
        "    assert not hasattr(owner, 'nothing_of_the_kind')\n"
    )
    assert "facula_lightning.fabric" in imported(statements)["modules"]
