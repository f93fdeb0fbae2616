"""Starts a program several times, as torchrun does: ``python -m facula.distributed.run --nproc-per-node 2 script.py``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from facula import backend
from facula.distributed.launching import command, command_without_mpi, surroundings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m facula.distributed.run",
        description="Start a program in several processes, which MPI connects, or TCP where there is no MPI. With MPI further"
        " machines are named by --hosts; without, this is started on each of them with its --node-rank.",
    )
    parser.add_argument(
        *("--nproc-per-node", "--nproc_per_node"),
        default="1",
        help="processes on each machine: a number, or auto, cpu, gpu for one per GPU or core",
    )
    parser.add_argument(
        "--hosts", default="", help="machines to start on, with commas between them; this one when left out"
    )
    parser.add_argument("--nnodes", default=None, help="number of machines")
    parser.add_argument(
        *("--node-rank", "--node_rank"), type=int, default=None, help="the number of this machine, from 0; without MPI"
    )
    parser.add_argument("--master-addr", "--master_addr", default=None, help="address of the first machine")
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
    machines = _machines(parser, given, hosts)
    address = {"MASTER_ADDR": given.master_addr or (hosts[0] if hosts else None), "MASTER_PORT": given.master_port}
    environment = surroundings(processes, {name: value for name, value in address.items() if value is not None})
    program = [*(["-m"] if given.module else []), given.program, *given.arguments]
    if given.node_rank is None:
        parts = command(program, processes, hosts)
    else:
        parts = command_without_mpi(program, processes, given.node_rank, machines)
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(parts[0], parts, environment)
    return subprocess.call(parts, env=environment)


def _machines(parser: argparse.ArgumentParser, given: argparse.Namespace, hosts: Sequence[str]) -> int:
    """Return how many machines there are; arguments that do not fit end the program."""
    text = (given.nnodes or str(max(len(hosts), 1))).partition(":")[0]
    machines = int(text) if text.isdigit() else 0
    if given.nnodes not in (None, str(machines), f"{machines}:{machines}") or machines < 1:
        parser.error(f"--nnodes should be a number, got {given.nnodes}: the number of machines stays the same here")
    if given.node_rank is None:
        if machines != max(len(hosts), 1):
            parser.error(
                f"--nnodes={given.nnodes}: name the machines with --hosts a,b for MPI, or start this on each of them with its"
                " --node-rank"
            )
        return machines
    if hosts:
        parser.error("--hosts lets MPI start the processes of all machines, --node-rank is for starting them on each")
    if not 0 <= given.node_rank < machines:
        parser.error(f"--node-rank={given.node_rank} should be a number from 0 to {machines - 1}")
    if machines > 1 and (given.master_addr is None or given.master_port is None):
        parser.error("several machines meet where --master-addr and --master-port say")
    return machines


if __name__ == "__main__":
    sys.exit(main())
