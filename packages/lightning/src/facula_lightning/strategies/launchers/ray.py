"""RayLauncher: the processes are actors of Ray's, on one machine or on several."""

from __future__ import annotations

import importlib
import os
import pickle
import uuid
from typing import Any

from facula.distributed.initialization import find_free_port

from facula_lightning.strategies.launchers.job import Job
from facula_lightning.strategies.launchers.launcher import Launcher
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.seed import collect_rng_states, set_rng_states


class RayLauncher(Launcher):
    """Lets Ray start an actor for each process, ``processes`` on each of so many machines, which meet over TCP.

    Ray is joined where RAY_ADDRESS says, or started on this machine, unless the program has called ``ray.init`` itself. Each
    process asks for so many cores of a processor, a GPU if it computes on one, and ``resources`` of Ray's own naming. Every
    machine needs the same packages.
    """

    is_interactive_compatible = True
    sends_jobs = True

    def __init__(
        self,
        processes: int,
        machines: int = 1,
        cpus_per_process: float = 1,
        gpus_per_process: float = 0,
        resources: dict[str, float] | None = None,
    ) -> None:
        super().__init__(processes)
        self.machines = machines
        self.needs = {"CPU": cpus_per_process, "GPU": gpus_per_process, **(resources or {})}

    def launch(self, job: Job) -> Any:
        """Return what came of the job in the first process; RuntimeError when a process failed, with its error as cause."""
        ray = _ray()
        if not ray.is_initialized():
            ray.init()
        job.prepare()
        task = ray.put(ray.cloudpickle.dumps((job, collect_rng_states())))
        group, workers = self._start(ray)
        try:
            host, port = ray.get(workers[0].address.remote())
            run = uuid.uuid4().hex
            runs = [
                worker.run.remote(self._surroundings(rank, host, port, run), task)
                for rank, worker in enumerate(workers)
            ]
            answer = self._wait(ray, runs)
        finally:
            # Whoever failed leaves others behind that wait for it.
            for worker in workers:
                ray.kill(worker)
            ray.util.remove_placement_group(group)
        return job.take_over(pickle.loads(answer))

    def _start(self, ray: Any) -> tuple[Any, list[Any]]:
        """Return the room that Ray keeps for the processes, and the processes in it, machine by machine."""
        bundle = {name: amount * self.processes for name, amount in self.needs.items() if amount}
        # A machine for each bundle; Ray waits for as many, and says so.
        kind = "STRICT_PACK" if self.machines == 1 else "STRICT_SPREAD"
        group = ray.util.placement_group([bundle] * self.machines, strategy=kind)
        ray.get(group.ready())
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        own = {name: amount for name, amount in self.needs.items() if name not in ("CPU", "GPU")}
        workers = []
        for machine in range(self.machines):
            place = strategies.PlacementGroupSchedulingStrategy(
                placement_group=group, placement_group_bundle_index=machine
            )
            options = {"num_cpus": self.needs["CPU"], "num_gpus": self.needs["GPU"], "scheduling_strategy": place}
            actor = ray.remote(**options, **({"resources": own} if own else {}))(Worker)
            workers += [actor.remote() for _ in range(self.processes)]
        return group, workers

    def _surroundings(self, rank: int, host: str, port: int, run: str) -> dict[str, str]:
        """Return the environment variables that say which process this is, with torchrun's names."""
        numbers = {
            "RANK": rank,
            "WORLD_SIZE": self.processes * self.machines,
            "LOCAL_RANK": rank % self.processes,
            "LOCAL_WORLD_SIZE": self.processes,
            "GROUP_RANK": rank // self.processes,
            "MASTER_PORT": port,
        }
        texts = {name: str(value) for name, value in numbers.items()}
        return {**texts, "MASTER_ADDR": host, "TORCHELASTIC_RUN_ID": run}

    def _wait(self, ray: Any, runs: list[Any]) -> bytes:
        """Return what the first process answered, when all have ended; RuntimeError as soon as one has failed."""
        running = list(runs)
        while running:
            ended, running = ray.wait(running, num_returns=1)
            try:
                ray.get(ended[0])
            except Exception as error:
                rank = runs.index(ended[0])
                raise RuntimeError(f"process {rank} of {len(runs)} failed: {error}") from error
        answer: bytes = ray.get(runs[0])
        return answer


class Worker:
    """One process, as an actor."""

    def address(self) -> tuple[str, int]:
        """Return the machine's address and a port of it that is free."""
        return _ray().util.get_node_ip_address(), find_free_port()

    def run(self, surroundings: dict[str, str], task: bytes) -> bytes | None:
        """Do the job; return what came of it, as bytes, in the first process."""
        from facula import distributed

        ray = _ray()
        os.environ.update(surroundings)
        job, generators = ray.cloudpickle.loads(task)
        set_rng_states(generators)
        returned = job.run()
        answer: bytes | None = ray.cloudpickle.dumps(job.answer(returned)) if job.is_first else None
        if distributed.is_initialized():
            distributed.destroy_process_group()
        return answer


def _ray() -> Any:
    try:
        importlib.import_module("ray.util")
        importlib.import_module("ray.cloudpickle")
        return importlib.import_module("ray")
    except ImportError as error:
        raise MisconfigurationException(
            "`strategy='ddp_ray'` needs the package ray: pip install 'facula-lightning[ray]'"
        ) from error
