"""What the other parts share."""

from facula_lightning.utilities.attribute_dict import AttributeDict
from facula_lightning.utilities.combined_loader import CombinedLoader
from facula_lightning.utilities.data import move_data_to_device, suggested_max_num_workers
from facula_lightning.utilities.enums import GradClipAlgorithmType, LightningEnum
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.file_system import is_shared_filesystem
from facula_lightning.utilities.grads import grad_norm
from facula_lightning.utilities.parameter_tying import find_shared_parameters, set_shared_parameters
from facula_lightning.utilities.parsing import is_picklable
from facula_lightning.utilities.layers import discriminative_lrs, freeze_to, layer_groups
from facula_lightning.utilities.memory import find_executable_batch_size, is_oom_error
from facula_lightning.utilities.rank_zero import (
    rank_zero_deprecation,
    rank_zero_info,
    rank_zero_only,
    rank_zero_warn,
)
from facula_lightning.utilities.samplers import LengthGroupedSampler, skip_first_batches
from facula_lightning.utilities.seed import isolate_rng, reset_seed, seed_everything
from facula_lightning.utilities.throughput import measure_flops
from facula_lightning.utilities.warnings import PossibleUserWarning, disable_possible_user_warnings

__all__ = [
    "AttributeDict",
    "CombinedLoader",
    "MisconfigurationException",
    "grad_norm",
    "isolate_rng",
    "move_data_to_device",
]
__all__ += ["find_executable_batch_size", "is_oom_error"]
__all__ += ["rank_zero_deprecation", "rank_zero_info", "rank_zero_only", "rank_zero_warn", "reset_seed"]
__all__ += ["seed_everything", "suggested_max_num_workers"]
__all__ += ["LengthGroupedSampler", "discriminative_lrs", "freeze_to", "layer_groups", "skip_first_batches"]
__all__ += ["GradClipAlgorithmType", "LightningEnum", "PossibleUserWarning", "disable_possible_user_warnings"]
__all__ += ["find_shared_parameters", "is_picklable", "is_shared_filesystem", "measure_flops", "set_shared_parameters"]
