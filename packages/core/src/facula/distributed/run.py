"""Starts a program several times, as torchrun does: ``python -m facula.distributed.run --nproc-per-node 2 script.py``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from facula import backend
from facula.distributed.launching import command, surroundings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m facula.distributed.run",
        description="Start a program in several processes that MPI connects; further machines are named by --hosts.",
    )
    parser.add_argument(
        *("--nproc-per-node", "--nproc_per_node"),
        default="1",
        help="processes on each machine: a number, or auto, cpu, gpu for one per GPU or core",
    )
    parser.add_argument(
        "--hosts", default="", help="machines to start on, with commas between them; this one when left out"
    )
    parser.add_argument("--nnodes", default=None, help="number of machines: as many as --hosts has")
    parser.add_argument("--master-addr", "--master_addr", default=None, help="address of the first process, for NCCL")
    parser.add_argument("--master-port", "--master_port", default=None, help="its port, a free one when left out")
    parser.add_argument("--standalone", action="store_true", help="one machine, which is the usual case anyway")
    parser.add_argument("-m", "--module", action="store_true", help="the program is a module, as with python -m")
    parser.add_argument("program", help="the script, or the module's name")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what the program is given")
    return parser


def _processes(text: str) -> int:
    """Return the number of processes on a machine that an argument means."""
    if text in ("auto", "gpu"):
        devices = backend.cuda_device_count()
        if devices or text == "gpu":
            return devices
    if text in ("auto", "cpu"):
        return os.cpu_count() or 1
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the program and return its exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        processes = _processes(given.nproc_per_node)
    except ValueError:
        parser.error(f"--nproc-per-node should be a number, auto, cpu or gpu, got {given.nproc_per_node}")
    if processes < 1:
        parser.error(f"--nproc-per-node={given.nproc_per_node} gives no process to start")
    hosts = [host for host in given.hosts.split(",") if host]
    if given.nnodes not in (None, str(max(len(hosts), 1)), "1:1"):
        parser.error(f"--nnodes={given.nnodes}: MPI starts the processes of all machines; name them with --hosts a,b")
    address = {"MASTER_ADDR": given.master_addr or (hosts[0] if hosts else None), "MASTER_PORT": given.master_port}
    environment = surroundings(processes, {name: value for name, value in address.items() if value is not None})
    program = [*(["-m"] if given.module else []), given.program, *given.arguments]
    sys.stdout.flush()
    if os.name == "posix":
        parts = command(program, processes, hosts)
        os.execve(parts[0], parts, environment)
    return subprocess.call(command(program, processes, hosts), env=environment)


if __name__ == "__main__":
    sys.exit(main())
