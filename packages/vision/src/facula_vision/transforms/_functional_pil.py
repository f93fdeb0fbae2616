"""The transforms of Pillow images."""

from collections.abc import Sequence

import facula
import numpy
from facula import Tensor
from PIL import Image, ImageOps


def channel_count(image: Image.Image) -> int:
    """Return the number of channels."""
    return len(image.getbands())


def resize(image: Image.Image, size: tuple[int, int], resampling: int) -> Image.Image:
    """Return the image with the given (height, width)."""
    height, width = size
    return image.resize((width, height), Image.Resampling(resampling))


def crop(image: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    """Return the rectangle; what lies outside the image is zero."""
    return image.crop((left, top, left + width, top + height))


def pad(
    image: Image.Image,
    padding: tuple[int, int, int, int],
    fill: float | Sequence[float],
    mode: str,
) -> Image.Image:
    """Return the image with ``padding`` (left, top, right, bottom) pixels more."""
    if mode == "constant":
        return ImageOps.expand(image, border=padding, fill=fill_colour(fill, image))  # type: ignore[arg-type]  # mode F
    left, top, right, bottom = padding
    if min(padding) < 0:
        image = image.crop(
            (max(-left, 0), max(-top, 0), image.width - max(-right, 0), image.height - max(-bottom, 0)),
        )
        left, top, right, bottom = (max(amount, 0) for amount in padding)
    pixels = numpy.asarray(image)
    widths = [(top, bottom), (left, right)] + [(0, 0)] * (pixels.ndim - 2)
    padded = Image.fromarray(numpy.pad(pixels, widths, mode=mode))  # type: ignore[call-overload]  # one of three
    if image.mode == "P":
        padded.putpalette(image.getpalette() or [])
    return padded


def fill_colour(fill: float | Sequence[float] | None, image: Image.Image) -> int | float | tuple[int | float, ...]:
    """Return ``fill`` as the colour that Pillow wants for the image's mode.

    Raises ``ValueError`` when it has neither one value nor one for each channel.
    """
    channels = channel_count(image)
    values: Sequence[float]
    if fill is None:
        values = [0]
    elif isinstance(fill, int | float):
        values = [fill]
    else:
        values = list(fill)
    if len(values) == 1:
        values = list(values) * channels
    if len(values) != channels:
        raise ValueError(
            "The number of elements in 'fill' does not match the number of channels of the image "
            f"({len(values)} != {channels})"
        )
    if image.mode != "F":
        values = [int(value) for value in values]
    return values[0] if channels == 1 else tuple(values)


def rotate(
    image: Image.Image,
    angle: float,
    resampling: int,
    expand: bool,
    center: Sequence[float] | None,
    fill: float | Sequence[float] | None,
) -> Image.Image:
    """Return the image turned by ``angle`` degrees, against the clock, around its middle or ``center`` (x, y)."""
    return image.rotate(
        angle,
        Image.Resampling(resampling),
        expand,
        None if center is None else (center[0], center[1]),
        fillcolor=fill_colour(fill, image),
    )


def to_grayscale(image: Image.Image, num_output_channels: int) -> Image.Image:
    """Return the image in mode L, or its grey in the three channels of RGB."""
    grey = image.convert("L")
    if num_output_channels == 1:
        return grey
    if num_output_channels == 3:
        return Image.merge("RGB", (grey, grey, grey))
    raise ValueError(f"num_output_channels should be either 1 or 3, got {num_output_channels}")


def to_tensor(image: Image.Image) -> Tensor:
    """Return the pixels as they are, as a (C, H, W) tensor."""
    pixels = numpy.asarray(image)
    channels_last = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return facula.from_numpy(channels_last.transpose(2, 0, 1).copy())


def from_tensor(image: Tensor, mode: str) -> Image.Image:
    """Return the Pillow image of a (C, H, W) tensor of the type that ``mode`` wants."""
    pixels = numpy.ascontiguousarray(image.permute(1, 2, 0).detach().cpu().numpy())
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
