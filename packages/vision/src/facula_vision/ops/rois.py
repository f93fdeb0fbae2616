"""Regions of images at boxes: their features, in as many bins each."""

from collections.abc import Sequence

import facula
from facula import Tensor, nn, regions

__all__ = ["RoIAlign", "roi_align"]


def _with_numbers(boxes: Tensor | Sequence[Tensor]) -> Tensor:
    """Return boxes ``[K, 5]`` that begin with the number of their image, from those of each image ``[L, 4]``."""
    if isinstance(boxes, Tensor):
        if boxes.dim() != 2 or boxes.shape[1] != 5:
            raise ValueError(f"boxes should be a tensor [K, 5] or a list of tensors [L, 4], got {list(boxes.shape)}")
        return boxes
    for each in boxes:
        if each.dim() != 2 or each.shape[1] != 4:
            raise ValueError(f"each tensor of boxes should have the shape [L, 4], got {list(each.shape)}")
    return facula.cat([nn.functional.pad(each, (1, 0), value=number) for number, each in enumerate(boxes)])


def roi_align(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Return the features of each box, ``[K, C, height, width]``: means of bilinear samples (He et al. 2017, arXiv 1703.06870).

    ``boxes`` are ``[K, 5]``, the number of the image first, or one tensor ``[L, 4]`` for each image of ``input``
    ``[N, C, H, W]``; ``spatial_scale`` brings them to its pixels. ``sampling_ratio`` by so many samples are taken in a
    bin, or one a pixel where it is not positive. ``aligned`` corrects their places by half a pixel.

    >>> roi_align(facula.ones(1, 2, 8, 8), [facula.tensor([[1.0, 1.0, 5.0, 5.0]])], 3).shape
    facula.Size([1, 2, 3, 3])
    """
    return regions.roi_align(input, _with_numbers(boxes), output_size, spatial_scale, sampling_ratio, aligned)


class RoIAlign(nn.Module):
    """`roi_align` with these settings."""

    def __init__(
        self, output_size: int | Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool = False
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the features of each region."""
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned})"
        )
