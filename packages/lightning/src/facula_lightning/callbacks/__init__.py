"""Callbacks: what happens beside the model while it trains."""

from typing import TYPE_CHECKING

from facula_lightning.later import later

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

if TYPE_CHECKING:
    from facula_lightning.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
    from facula_lightning.callbacks.batch_size_finder import BatchSizeFinder as BatchSizeFinder
    from facula_lightning.callbacks.callback import Callback as Callback
    from facula_lightning.callbacks.checkpoint import Checkpoint as Checkpoint
    from facula_lightning.callbacks.crash_capsule import (
        CrashCapsule as CrashCapsule,
        NonFiniteError as NonFiniteError,
    )
    from facula_lightning.callbacks.device_stats_monitor import DeviceStatsMonitor as DeviceStatsMonitor
    from facula_lightning.callbacks.early_stopping import EarlyStopping as EarlyStopping
    from facula_lightning.callbacks.exact_accumulation import ExactGradientAccumulation as ExactGradientAccumulation
    from facula_lightning.callbacks.finetuning import (
        BackboneFinetuning as BackboneFinetuning,
        BaseFinetuning as BaseFinetuning,
    )
    from facula_lightning.callbacks.gradient_accumulation_scheduler import (
        GradientAccumulationScheduler as GradientAccumulationScheduler,
    )
    from facula_lightning.callbacks.lambda_function import LambdaCallback as LambdaCallback
    from facula_lightning.callbacks.lr_finder import LearningRateFinder as LearningRateFinder
    from facula_lightning.callbacks.lr_monitor import LearningRateMonitor as LearningRateMonitor
    from facula_lightning.callbacks.mixing import LabelSmoothing as LabelSmoothing, MixUp as MixUp
    from facula_lightning.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
    from facula_lightning.callbacks.model_summary import ModelSummary as ModelSummary
    from facula_lightning.callbacks.neftune import NEFTune as NEFTune
    from facula_lightning.callbacks.on_exception_checkpoint import OnExceptionCheckpoint as OnExceptionCheckpoint
    from facula_lightning.callbacks.one_cycle import OneCycle as OneCycle
    from facula_lightning.callbacks.prediction_writer import BasePredictionWriter as BasePredictionWriter
    from facula_lightning.callbacks.progress import (
        PlainProgressBar as PlainProgressBar,
        ProgressBar as ProgressBar,
        RichProgressBar as RichProgressBar,
        RichProgressBarTheme as RichProgressBarTheme,
        TQDMProgressBar as TQDMProgressBar,
    )
    from facula_lightning.callbacks.pruning import ModelPruning as ModelPruning
    from facula_lightning.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau as ReduceLROnPlateau
    from facula_lightning.callbacks.rich_model_summary import RichModelSummary as RichModelSummary
    from facula_lightning.callbacks.spike import (
        SpikeDetection as SpikeDetection,
        TrainingSpikeException as TrainingSpikeException,
    )
    from facula_lightning.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
    from facula_lightning.callbacks.throughput_monitor import ThroughputMonitor as ThroughputMonitor
    from facula_lightning.callbacks.timer import Timer as Timer
    from facula_lightning.callbacks.weight_averaging import (
        EMAWeightAveraging as EMAWeightAveraging,
        StochasticWeightAveraging as StochasticWeightAveraging,
        WeightAveraging as WeightAveraging,
    )

# A program has use for a few of them.
_BY_MODULE = {
    "backup_and_restore": "BackupAndRestore",
    "batch_size_finder": "BatchSizeFinder",
    "callback": "Callback",
    "checkpoint": "Checkpoint",
    "crash_capsule": "CrashCapsule NonFiniteError",
    "device_stats_monitor": "DeviceStatsMonitor",
    "early_stopping": "EarlyStopping",
    "exact_accumulation": "ExactGradientAccumulation",
    "finetuning": "BackboneFinetuning BaseFinetuning",
    "gradient_accumulation_scheduler": "GradientAccumulationScheduler",
    "lambda_function": "LambdaCallback",
    "lr_finder": "LearningRateFinder",
    "lr_monitor": "LearningRateMonitor",
    "mixing": "LabelSmoothing MixUp",
    "model_checkpoint": "ModelCheckpoint",
    "model_summary": "ModelSummary",
    "neftune": "NEFTune",
    "on_exception_checkpoint": "OnExceptionCheckpoint",
    "one_cycle": "OneCycle",
    "prediction_writer": "BasePredictionWriter",
    "progress": "PlainProgressBar ProgressBar RichProgressBar RichProgressBarTheme TQDMProgressBar",
    "pruning": "ModelPruning",
    "reduce_lr_on_plateau": "ReduceLROnPlateau",
    "rich_model_summary": "RichModelSummary",
    "spike": "SpikeDetection TrainingSpikeException",
    "terminate_on_nan": "TerminateOnNaN",
    "throughput_monitor": "ThroughputMonitor",
    "timer": "Timer",
    "weight_averaging": "EMAWeightAveraging StochasticWeightAveraging WeightAveraging",
}
_LATER = {name: module for module, names in _BY_MODULE.items() for name in names.split()}

if not TYPE_CHECKING:  # type checkers read the imports above, and report a name that does not exist
    __getattr__, __dir__ = later(__name__, globals(), _LATER)
