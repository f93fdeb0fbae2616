"""What started the processes of a run, and what it tells them."""

from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment
from facula_lightning.plugins.environments.lightning import LightningEnvironment
from facula_lightning.plugins.environments.mpi import MPIEnvironment
from facula_lightning.plugins.environments.slurm import SLURMEnvironment
from facula_lightning.plugins.environments.torchelastic import TorchElasticEnvironment

__all__ = ["ClusterEnvironment", "LightningEnvironment", "MPIEnvironment", "SLURMEnvironment"]
__all__ += ["TorchElasticEnvironment"]
