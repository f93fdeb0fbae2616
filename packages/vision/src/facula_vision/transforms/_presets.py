"""What published weights want done to an image first."""

import facula
from facula import Tensor, nn
from PIL import Image

from facula_vision.transforms import functional as F
from facula_vision.transforms.functional import AnyImage
from facula_vision.transforms.interpolation import InterpolationMode

__all__ = ["ImageClassification"]


class ImageClassification(nn.Module):
    """Resize, crop the middle, scale to 0 to 1 and normalize; the result is a float tensor (..., C, crop, crop)."""

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = (0.485, 0.456, 0.406),
        std: tuple[float, ...] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img: AnyImage) -> Tensor:
        """Return what the model takes."""
        img = F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        tensor = F.pil_to_tensor(img) if isinstance(img, Image.Image) else img
        tensor = F.convert_image_dtype(tensor, facula.float)
        return F.normalize(tensor, mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        lines = [
            f"crop_size={self.crop_size}",
            f"resize_size={self.resize_size}",
            f"mean={self.mean}",
            f"std={self.std}",
            f"interpolation={self.interpolation}",
        ]
        return "\n    ".join([f"{type(self).__name__}(", *lines]) + "\n)"
