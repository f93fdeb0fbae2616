"""Convolutions of the shapes that known networks have."""

from types import ModuleType

from benchmarks.workloads import Step, forward_and_backward, workload


def _training(T: ModuleType, kind: str, shape: tuple[int, ...], *arguments: int, **options: int) -> Step:
    layer = getattr(T.nn, kind)(*arguments, **options)
    x = T.randn(*shape).requires_grad_()
    return forward_and_backward(lambda: layer(x), x, layer.weight)


@workload
def conv3x3_training(T: ModuleType) -> Step:
    """(8, 64, 56, 56), as in ResNet's first stage."""
    return _training(T, "Conv2d", (8, 64, 56, 56), 64, 64, 3, padding=1)


@workload
def conv3x3_small_images_training(T: ModuleType) -> Step:
    """(8, 256, 14, 14), as in ResNet's third stage."""
    return _training(T, "Conv2d", (8, 256, 14, 14), 256, 256, 3, padding=1)


@workload
def conv1x1_training(T: ModuleType) -> Step:
    """(8, 256, 14, 14) to 1,024 channels."""
    return _training(T, "Conv2d", (8, 256, 14, 14), 256, 1024, 1)


@workload
def conv7x7_stride2(T: ModuleType) -> Step:
    """(8, 3, 224, 224), the first layer of ResNet, without gradients."""
    layer = T.nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
    x = T.randn(8, 3, 224, 224)

    def step() -> object:
        with T.no_grad():
            return layer(x)

    return step


@workload
def depthwise_training(T: ModuleType) -> Step:
    """(8, 144, 56, 56), as in MobileNet."""
    return _training(T, "Conv2d", (8, 144, 56, 56), 144, 144, 3, padding=1, groups=144)


@workload
def grouped_training(T: ModuleType) -> Step:
    """(8, 128, 28, 28) in 32 groups, as in ResNeXt."""
    return _training(T, "Conv2d", (8, 128, 28, 28), 128, 128, 3, padding=1, groups=32)


@workload
def transposed_training(T: ModuleType) -> Step:
    """(8, 64, 28, 28) to twice the size, as in U-Net and GANs."""
    return _training(T, "ConvTranspose2d", (8, 64, 28, 28), 64, 32, 4, stride=2, padding=1)


@workload
def conv1d_training(T: ModuleType) -> Step:
    """(4, 64, 4000) with kernels of 9, as in audio networks."""
    return _training(T, "Conv1d", (4, 64, 4000), 64, 64, 9, padding=4)


@workload
def conv3d_training(T: ModuleType) -> Step:
    """(2, 16, 16, 32, 32), as in video networks."""
    return _training(T, "Conv3d", (2, 16, 16, 32, 32), 16, 32, 3, padding=1)
