"""Progress bars: our own, which needs nothing; tqdm's and rich's on request."""

from facula_lightning.callbacks.progress.plain import PlainProgressBar
from facula_lightning.callbacks.progress.progress_bar import ProgressBar
from facula_lightning.callbacks.progress.rich_progress import RichProgressBar, RichProgressBarTheme
from facula_lightning.callbacks.progress.tqdm_progress import TQDMProgressBar

__all__ = ["PlainProgressBar", "ProgressBar", "RichProgressBar", "RichProgressBarTheme", "TQDMProgressBar"]
