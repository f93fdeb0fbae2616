"""Modules that mask blocks of spectrograms while training (SpecAugment, Park et al. 2019)."""

from facula import Tensor, nn

from facula_audio import functional as F

__all__ = ["FrequencyMasking", "SpecAugment", "TimeMasking"]


class _AxisMasking(nn.Module):
    """Masks one random block along ``axis`` of ``(frequency, time)``; the same for all items unless ``iid_masks``."""

    def __init__(self, mask_param: int, axis: int, iid_masks: bool, p: float = 1.0) -> None:
        super().__init__()
        self.mask_param = mask_param
        self.axis = axis
        self.iid_masks = iid_masks
        self.p = p

    def forward(self, specgram: Tensor, mask_value: float | Tensor = 0.0) -> Tensor:
        """Return the spectrogram ``(..., frequency, time)`` with ``mask_value`` in the block."""
        axis = specgram.dim() - 2 + self.axis
        if self.iid_masks:
            return F.mask_along_axis_iid(specgram, self.mask_param, mask_value, axis, p=self.p)
        return F.mask_along_axis(specgram, self.mask_param, mask_value, axis, p=self.p)


class FrequencyMasking(_AxisMasking):
    """Masks up to ``freq_mask_param`` neighbouring frequencies (exclusive), from a random one on.

    Args:
        iid_masks: whether each item and channel gets a mask of its own; needs ``(..., channel, frequency, time)``.

    >>> FrequencyMasking(freq_mask_param=10)(facula.ones(1, 40, 100)).shape
    facula.Size([1, 40, 100])
    """

    def __init__(self, freq_mask_param: int, iid_masks: bool = False) -> None:
        super().__init__(freq_mask_param, 0, iid_masks)


class TimeMasking(_AxisMasking):
    """Masks up to ``time_mask_param`` neighbouring frames (exclusive), from a random one on.

    Args:
        iid_masks: whether each item and channel gets a mask of its own; needs ``(..., channel, frequency, time)``.
        p: longest mask as a fraction of all frames.

    >>> TimeMasking(time_mask_param=20, p=0.5)(facula.ones(1, 40, 100)).shape
    facula.Size([1, 40, 100])
    """

    def __init__(self, time_mask_param: int, iid_masks: bool = False, p: float = 1.0) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"The value of p must be between 0.0 and 1.0 ({p} given).")
        super().__init__(time_mask_param, 1, iid_masks, p=p)


class SpecAugment(nn.Module):
    """Masks several blocks of time, then several of frequency.

    Args:
        n_time_masks, n_freq_masks: how many of each.
        time_mask_param, freq_mask_param: their greatest lengths (exclusive).
        p: longest time mask as a fraction of all frames.
        zero_masking: whether to write 0 rather than the spectrogram's mean.

    >>> SpecAugment(2, 20, 2, 8)(facula.ones(1, 1, 40, 100)).shape
    facula.Size([1, 1, 40, 100])
    """

    def __init__(
        self,
        n_time_masks: int,
        time_mask_param: int,
        n_freq_masks: int,
        freq_mask_param: int,
        iid_masks: bool = True,
        p: float = 1.0,
        zero_masking: bool = False,
    ) -> None:
        super().__init__()
        self.n_time_masks = n_time_masks
        self.time_mask_param = time_mask_param
        self.n_freq_masks = n_freq_masks
        self.freq_mask_param = freq_mask_param
        self.iid_masks = iid_masks
        self.p = p
        self.zero_masking = zero_masking

    def forward(self, specgram: Tensor) -> Tensor:
        """Return the spectrogram ``(..., frequency, time)`` with the blocks masked."""
        mask_value = 0.0 if self.zero_masking else specgram.mean()
        time_axis = specgram.dim() - 1
        mask = F.mask_along_axis_iid if specgram.dim() > 2 and self.iid_masks else F.mask_along_axis
        for _ in range(self.n_time_masks):
            specgram = mask(specgram, self.time_mask_param, mask_value, time_axis, p=self.p)
        for _ in range(self.n_freq_masks):
            specgram = mask(specgram, self.freq_mask_param, mask_value, time_axis - 1, p=self.p)
        return specgram
