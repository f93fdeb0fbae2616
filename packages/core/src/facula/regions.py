"""Boxes in images and the regions they name: what packages for vision build detection on.

PyTorch has these outside of its core, as compiled operations of torchvision, under the same names.
"""

from facula.ops.regions import nms, roi_align

__all__ = ["nms", "roi_align"]
