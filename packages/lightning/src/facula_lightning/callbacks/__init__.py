"""Callbacks: what happens beside the model while it trains."""

from facula_lightning.callbacks.backup_and_restore import BackupAndRestore
from facula_lightning.callbacks.batch_size_finder import BatchSizeFinder
from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.checkpoint import Checkpoint
from facula_lightning.callbacks.crash_capsule import CrashCapsule, NonFiniteError
from facula_lightning.callbacks.device_stats_monitor import DeviceStatsMonitor
from facula_lightning.callbacks.early_stopping import EarlyStopping
from facula_lightning.callbacks.exact_accumulation import ExactGradientAccumulation
from facula_lightning.callbacks.finetuning import BackboneFinetuning, BaseFinetuning
from facula_lightning.callbacks.gradient_accumulation_scheduler import GradientAccumulationScheduler
from facula_lightning.callbacks.lambda_function import LambdaCallback
from facula_lightning.callbacks.lr_finder import LearningRateFinder
from facula_lightning.callbacks.lr_monitor import LearningRateMonitor
from facula_lightning.callbacks.mixing import LabelSmoothing, MixUp
from facula_lightning.callbacks.model_checkpoint import ModelCheckpoint
from facula_lightning.callbacks.model_summary import ModelSummary
from facula_lightning.callbacks.neftune import NEFTune
from facula_lightning.callbacks.on_exception_checkpoint import OnExceptionCheckpoint
from facula_lightning.callbacks.one_cycle import OneCycle
from facula_lightning.callbacks.prediction_writer import BasePredictionWriter
from facula_lightning.callbacks.progress import (
    PlainProgressBar,
    ProgressBar,
    RichProgressBar,
    RichProgressBarTheme,
    TQDMProgressBar,
)
from facula_lightning.callbacks.pruning import ModelPruning
from facula_lightning.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from facula_lightning.callbacks.rich_model_summary import RichModelSummary
from facula_lightning.callbacks.spike import SpikeDetection, TrainingSpikeException
from facula_lightning.callbacks.terminate_on_nan import TerminateOnNaN
from facula_lightning.callbacks.throughput_monitor import ThroughputMonitor
from facula_lightning.callbacks.timer import Timer
from facula_lightning.callbacks.weight_averaging import (
    EMAWeightAveraging,
    StochasticWeightAveraging,
    WeightAveraging,
)

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "GradientAccumulationScheduler", "LambdaCallback"]
__all__ += ["LearningRateMonitor", "ModelCheckpoint", "ModelSummary", "PlainProgressBar", "ProgressBar"]
__all__ += ["TQDMProgressBar", "Timer"]
__all__ += ["OnExceptionCheckpoint"]
__all__ += ["CrashCapsule", "NonFiniteError"]
__all__ += ["BatchSizeFinder", "LearningRateFinder"]
__all__ += ["BackboneFinetuning", "BaseFinetuning", "BasePredictionWriter"]
__all__ += ["EMAWeightAveraging", "StochasticWeightAveraging", "WeightAveraging"]
__all__ += ["BackupAndRestore", "ExactGradientAccumulation", "LabelSmoothing", "MixUp", "NEFTune", "OneCycle"]
__all__ += ["ReduceLROnPlateau", "TerminateOnNaN"]
__all__ += ["RichModelSummary", "RichProgressBar", "RichProgressBarTheme"]
__all__ += ["DeviceStatsMonitor", "ModelPruning", "SpikeDetection", "ThroughputMonitor", "TrainingSpikeException"]
