"""ScriptLauncher: the script is started again, once for each process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn

from facula.distributed.launching import command, own_program, surroundings

from facula_lightning.strategies.launchers.job import Job
from facula_lightning.strategies.launchers.launcher import Launcher
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_info


class ScriptLauncher(Launcher):
    """Lets MPI's launcher start the program once for each process; this process becomes the launcher.

    So what stands in the script before the first run happens in this process too, and what follows happens in the others only.
    """

    def launch(self, job: Job) -> NoReturn:
        """Start the processes; never returns."""
        try:
            program = own_program()
        except RuntimeError as error:
            raise MisconfigurationException(
                f"`{job.what}(strategy='ddp', devices={self.processes})` starts the script again in each process, but {error}."
                " Use `strategy='ddp_spawn'`, or 'ddp_notebook' in a notebook, or start the program with `mpiexec`."
            ) from error
        parts, environment = command(program, self.processes), surroundings(self.processes)
        rank_zero_info(f"Starting {self.processes} processes: {' '.join(parts)}")
        sys.stdout.flush()
        sys.stderr.flush()
        if os.name == "posix":
            os.execve(parts[0], parts, environment)
        raise SystemExit(subprocess.call(parts, env=environment))
