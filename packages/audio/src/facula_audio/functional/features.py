"""Features from features: deltas over time and sliding mean normalisation."""

import facula
from facula import Tensor

__all__ = ["compute_deltas", "sliding_window_cmn"]


def compute_deltas(specgram: Tensor, win_length: int = 5, mode: str = "replicate") -> Tensor:
    """Return the slope over time of each feature, of the same shape ``(..., frequency, time)``.

    It is ``sum_n n (c[t + n] - c[t - n]) / (2 sum_n n^2)`` for ``n`` up to ``(win_length - 1) // 2``, the least-squares
    slope over the window; ``mode`` says how the ends are padded (see ``facula.nn.functional.pad``).

    >>> compute_deltas(facula.arange(6.0).reshape(1, 6))
    tensor([[0.5000, 0.8000, 1.0000, 1.0000, 0.8000, 0.5000]])
    """
    if win_length < 3:
        raise ValueError(f"Window length should be greater than or equal to 3. Found win_length {win_length}")
    n = (win_length - 1) // 2
    rows = specgram.reshape(-1, 1, specgram.shape[-1])
    padded = facula.nn.functional.pad(rows, (n, n), mode=mode)
    kernel = facula.arange(-n, n + 1, dtype=specgram.dtype, device=specgram.device).reshape(1, 1, -1)
    squares = n * (n + 1) * (2 * n + 1) / 3
    return (facula.nn.functional.conv1d(padded, kernel) / squares).reshape(tuple(specgram.shape))


def sliding_window_cmn(
    specgram: Tensor, cmn_window: int = 600, min_cmn_window: int = 100, center: bool = False, norm_vars: bool = False
) -> Tensor:
    """Return the features less their mean over a window that moves with the frame, as Kaldi's ``apply-cmvn-sliding``.

    Args:
        specgram: shape ``(..., time, frequency)``: time comes first here.
        cmn_window: the window's length in frames.
        min_cmn_window: shortest window at the start; only used when not ``center``.
        center: whether the window is centred on the frame rather than ending with it.
        norm_vars: whether to divide by the standard deviation too.
    """
    frames = specgram.shape[-2]
    index = facula.arange(frames, device=specgram.device)
    if center:
        start = index - cmn_window // 2
        end = start + cmn_window
    else:
        start = index - cmn_window
        end = index + 1
    # a window that would begin before the first frame, or end after the last, is shifted inside, then cut
    end = facula.where(start < 0, end - start, end) if center else end
    if not center:
        end = facula.where(end > min_cmn_window, end, facula.full_like(end, min_cmn_window))
    start = start.clamp(min=0)
    over = (end - frames).clamp(min=0)
    start = (start - over).clamp(min=0)
    end = end - over

    def window_sums(values: Tensor) -> Tensor:
        zero = facula.zeros_like(values[..., :1, :])
        running = facula.cat([zero, values.cumsum(-2)], dim=-2)
        return running.index_select(-2, end) - running.index_select(-2, start)

    count = (end - start).to(specgram.dtype).unsqueeze(-1)
    # the result does not depend on the overall mean; without it the running sums stay small and exact
    specgram = specgram - specgram.mean(-2, keepdim=True)
    mean = window_sums(specgram) / count
    centred = specgram - mean
    if not norm_vars:
        return centred
    variance = window_sums(specgram * specgram) / count - mean * mean
    return facula.where(count > 1, centred * variance.clamp(min=1e-20).rsqrt(), facula.zeros_like(centred))
