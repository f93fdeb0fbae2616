"""From the trainer's arguments to a strategy."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import facula

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.accelerators.cpu import CPUAccelerator
from facula_lightning.strategies.single_device import SingleDeviceStrategy
from facula_lightning.strategies.strategy import Strategy
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.plugins.environments import ClusterEnvironment
    from facula_lightning.strategies.launchers import Launcher

_DDP = {
    "ddp": "popen",
    "ddp_spawn": "spawn",
    "ddp_fork": "spawn",
    "ddp_notebook": "spawn",
    "ddp_ray": "ray",
}
_UNUSED = {"": {}, "_find_unused_parameters_true": True, "_find_unused_parameters_false": False}
#: Names of strategies: how processes are started, and whether unused parameters are looked for.
NAMES: dict[str, tuple[str, dict[str, bool]]] = {
    name + suffix: (method, {} if suffix == "" else {"find_unused_parameters": bool(unused)})
    for name, method in _DDP.items()
    for suffix, unused in _UNUSED.items()
}


def resolve_strategy(
    strategy: object,
    accelerator: object,
    devices: object,
    num_nodes: int,
    environment: ClusterEnvironment | None = None,
) -> Strategy:
    """Return the strategy that the trainer's arguments mean.

    ValueError for names that are not known, MisconfigurationException for devices that are not there or do not fit.
    """
    given = strategy if isinstance(strategy, Strategy) else None
    if given is None and strategy not in ("auto", "single_device", *NAMES):
        raise ValueError(
            f"You selected an invalid strategy name: `strategy={strategy!r}`. It must be either a string or an instance of"
            f" `facula_lightning.strategies.Strategy`. Example choices: auto, single_device, {', '.join(NAMES)}."
        )
    if not isinstance(num_nodes, int) or num_nodes < 1:
        raise MisconfigurationException(f"num_nodes={num_nodes!r} should be a number above 0")
    if isinstance(given, SingleDeviceStrategy):
        return given
    kind = given.accelerator if given is not None and given.accelerator is not None else _accelerator(accelerator)
    found = environment or (getattr(given, "cluster_environment", None) if _is_external(given) else _environment())
    count = found.world_size() // num_nodes if found is not None else 1
    launched = found is not None and found.creates_processes_externally and (count > 1 or num_nodes > 1)
    parallel = _devices(kind, devices, count if launched and strategy != "single_device" else None)
    several = len(parallel) > 1 or num_nodes > 1
    if given is None and (strategy == "single_device" or (strategy == "auto" and not several)):
        if several:
            raise MisconfigurationException(
                f"`strategy='single_device'` runs on one device, but devices={devices!r} and num_nodes={num_nodes}"
            )
        return SingleDeviceStrategy(parallel[0], kind)
    return _parallel(given, strategy, kind, parallel, num_nodes, found if launched else environment, launched)


def _is_external(given: Strategy | None) -> bool:
    environment = getattr(given, "cluster_environment", None)
    return environment is not None and type(environment).__name__ != "LightningEnvironment"


def _parallel(
    given: Strategy | None,
    strategy: object,
    kind: Accelerator,
    parallel: list[facula.device],
    num_nodes: int,
    environment: ClusterEnvironment | None,
    launched: bool,
) -> Strategy:
    from facula_lightning.strategies.ddp import DDPStrategy
    from facula_lightning.strategies.parallel import ParallelStrategy

    if given is None:
        name = (
            ("ddp_notebook" if _is_interactive() and not launched else "ddp") if strategy == "auto" else str(strategy)
        )
        method, options = NAMES[name]
        more: dict[str, Any] = dict(options)
        made: Any = DDPStrategy(start_method=method, **more)
    else:
        made = given
    if not isinstance(made, ParallelStrategy):
        return given  # type: ignore[return-value]  # a strategy of one's own answers for itself
    made.accelerator = kind
    made.parallel_devices = parallel
    made.num_nodes = num_nodes
    if environment is not None:
        made.cluster_environment = environment
    if not launched and made.launcher is None and (len(parallel) > 1 or num_nodes > 1):
        made.launcher = _launcher(getattr(made, "start_method", "popen"), parallel, num_nodes)
    return made


def _launcher(method: str, parallel: list[facula.device], num_nodes: int) -> Launcher:
    """Return what starts the processes of a method; MisconfigurationException for one that does not know other machines."""
    from facula_lightning.strategies.launchers import ScriptLauncher, SpawnLauncher

    if method == "ray":
        from facula_lightning.strategies.launchers.ray import RayLauncher

        on_gpus = parallel[0].type == "cuda"
        if on_gpus:
            # Of a machine's GPUs each process is shown its own, as the first.
            parallel[:] = [facula.device("cuda", 0)] * len(parallel)
        return RayLauncher(len(parallel), num_nodes, gpus_per_process=int(on_gpus))
    if num_nodes > 1:
        raise MisconfigurationException(
            f"num_nodes={num_nodes}: the processes on several machines are started from outside, by `mpiexec`, `srun` or"
            " `python -m facula.distributed.run`, or with `strategy='ddp_ray'` by Ray"
        )
    return ScriptLauncher(len(parallel)) if method == "popen" else SpawnLauncher(len(parallel))


def _accelerator(name: object) -> Accelerator:
    if isinstance(name, Accelerator):
        return name
    if name not in ("auto", "cpu", "gpu", "cuda"):
        raise ValueError(
            f"You selected an invalid accelerator name: `accelerator={name!r}`."
            " Available names are: auto, cpu, cuda, gpu."
        )
    has_gpu = facula.cuda.is_available()
    if name in ("gpu", "cuda") and not has_gpu:
        raise MisconfigurationException(f"`accelerator={name!r}` was asked for, but no GPU was found")
    if name == "cpu" or not has_gpu:
        return CPUAccelerator()
    from facula_lightning.accelerators.cuda import CUDAAccelerator

    return CUDAAccelerator()


def _devices(kind: Accelerator, devices: object, launched: int | None) -> list[facula.device]:
    """Return the devices of this machine's processes; "auto" is as many as were launched."""
    if devices == "auto":
        devices = launched or (1 if kind.name() == "cpu" else kind.auto_device_count())
    if kind.name() == "cpu" and isinstance(devices, (list, tuple)):
        raise MisconfigurationException(f"devices={devices!r}: on the CPU a number of processes was expected")
    if kind.name() == "cpu" and devices in (-1, "-1"):
        devices = kind.auto_device_count()
    try:
        return kind.get_parallel_devices(kind.parse_devices(devices))
    except TypeError as error:
        raise MisconfigurationException(f"devices={devices!r} is not supported: {error}") from error


def _environment() -> ClusterEnvironment | None:
    """Return what started this process as one of several; None when nothing says that it is one."""
    # What is not set is not looked for in four modules.
    marks = ("TORCHELASTIC_RUN_ID", "LOCAL_RANK", "SLURM_NTASKS")
    mpi = any(name.endswith(("PMI_SIZE", "COMM_WORLD_SIZE")) for name in os.environ)
    if not mpi and not any(mark in os.environ for mark in marks):
        return None
    from facula_lightning.plugins import environments

    choices: tuple[type[Any], ...] = (
        environments.SLURMEnvironment,
        environments.MPIEnvironment,
        environments.TorchElasticEnvironment,
        environments.LightningEnvironment,
    )
    return next(choice() for choice in choices if choice.detect())


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or not hasattr(sys.modules["__main__"], "__file__")
