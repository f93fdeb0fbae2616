"""Whole models: training steps, and inference of one example."""

from types import ModuleType
from typing import Any

from benchmarks.workloads import Step, workload


def _training(T: ModuleType, net: Any, x: Any, y: Any) -> Step:
    optimizer = T.optim.AdamW(net.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        T.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def _residual_network(T: ModuleType, widths: tuple[int, ...], classes: int) -> Any:
    nn = T.nn

    class Block(nn.Module):  # type: ignore[name-defined, misc]  # the class of either framework
        def __init__(self, width: int, out: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
            self.second = nn.Sequential(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
            self.shortcut = (
                nn.Conv2d(width, out, 1, stride, bias=False) if (width, stride) != (out, 1) else nn.Identity()
            )

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.second(self.first(x)) + self.shortcut(x))

    layers = [nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for at, width in enumerate(widths):
        layers += [Block(widths[max(at - 1, 0)], width, 1 if at == 0 else 2), Block(width, width, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


@workload
def residual_network_training(T: ModuleType) -> Step:
    """Nine residual blocks' worth of ResNet-18's shapes, 16 images of 64x64."""
    T.manual_seed(0)
    net = _residual_network(T, (64, 128, 256, 512), 100)
    return _training(T, net, T.randn(16, 3, 64, 64), T.randint(0, 100, (16,)))


@workload
def residual_network_inference(T: ModuleType) -> Step:
    """The same network, one image of 128x128."""
    T.manual_seed(0)
    net = _residual_network(T, (64, 128, 256, 512), 100).eval()
    x = T.randn(1, 3, 128, 128)

    def step() -> object:
        with T.no_grad():
            return net(x)

    return step


def _transformer(T: ModuleType, vocabulary: int, width: int, heads: int, layers: int, length: int) -> Any:
    nn = T.nn

    class Block(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
            self.projection, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            q, k, v = (
                part.reshape(batch, length, heads, width // heads).transpose(1, 2)
                for part in self.projection(self.before(x)).chunk(3, dim=-1)
            )
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
            return x + self.down(nn.functional.gelu(self.up(self.between(x))))

    class Transformer(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.tokens(tokens) + self.positions(T.arange(tokens.shape[1]))
            return self.head(self.norm(self.blocks(x))).flatten(0, 1)

    return Transformer()


@workload
def transformer_training(T: ModuleType) -> Step:
    """Four layers of 256 with 8 heads, 8 sequences of 256 tokens of 4,096."""
    T.manual_seed(0)
    net = _transformer(T, 4096, 256, 8, 4, 256)
    tokens = T.randint(0, 4096, (8, 257))
    return _training(T, net, tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1))


@workload
def transformer_inference(T: ModuleType) -> Step:
    """The same network, one sequence of 64 tokens."""
    T.manual_seed(0)
    net = _transformer(T, 4096, 256, 8, 4, 256).eval()
    tokens = T.randint(0, 4096, (1, 64))

    def step() -> object:
        with T.no_grad():
            return net(tokens)

    return step


@workload
def perceptron_training(T: ModuleType) -> Step:
    """784-512-512-10, a batch of 128."""
    T.manual_seed(0)
    nn = T.nn
    net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return _training(T, net, T.randn(128, 784), T.randint(0, 10, (128,)))


@workload
def mobile_network_training(T: ModuleType) -> Step:
    """Eight inverted residual blocks as of MobileNetV2, 16 images of 96x96."""
    T.manual_seed(0)
    nn = T.nn

    class Block(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self, width: int, out: int, stride: int) -> None:
            super().__init__()
            wide = 6 * width
            self.keeps_shape = (width, stride) == (out, 1)
            self.layers = nn.Sequential(
                *(nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()),
                *(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()),
                *(nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)),
            )

        def forward(self, x: Any) -> Any:
            return x + self.layers(x) if self.keeps_shape else self.layers(x)

    sizes = [(16, 24, 2), (24, 24, 1), (24, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 96, 1), (96, 96, 1)]
    blocks = [Block(*each) for each in sizes]
    start = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
    net = nn.Sequential(start, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(96, 100))
    return _training(T, net, T.randn(16, 3, 96, 96), T.randint(0, 100, (16,)))


@workload
def vision_transformer_training(T: ModuleType) -> Step:
    """Four encoder layers of 192 with 3 heads over patches of 16x16, 16 images of 224x224."""
    T.manual_seed(0)
    nn = T.nn

    class VisionTransformer(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 192, 16, 16)
            self.positions = nn.Parameter(T.randn(1, 196, 192) * 0.02)
            layer = nn.TransformerEncoderLayer(192, 3, 768, 0.1, "gelu", batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 4, nn.LayerNorm(192), enable_nested_tensor=False)
            self.head = nn.Linear(192, 100)

        def forward(self, images: Any) -> Any:
            x = self.patches(images).flatten(2).transpose(1, 2) + self.positions
            return self.head(self.encoder(x).mean(1))

    return _training(T, VisionTransformer(), T.randn(16, 3, 224, 224), T.randint(0, 100, (16,)))


@workload
def unet_training(T: ModuleType) -> Step:
    """Three levels of 32 to 128 channels, four images of 96x96, a class for each pixel."""
    T.manual_seed(0)
    nn = T.nn

    def twice(width: int, out: int) -> Any:
        layers = [(nn.Conv2d(a, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()) for a in (width, out)]
        return nn.Sequential(*layers[0], *layers[1])

    class UNet(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList([twice(3, 32), twice(32, 64)])
            self.middle = twice(64, 128)
            self.up = nn.ModuleList([nn.ConvTranspose2d(128, 64, 2, 2), nn.ConvTranspose2d(64, 32, 2, 2)])
            self.merge = nn.ModuleList([twice(128, 64), twice(64, 32)])
            self.head = nn.Conv2d(32, 10, 1)

        def forward(self, x: Any) -> Any:
            kept = []
            for level in self.down:
                kept.append(level(x))
                x = nn.functional.max_pool2d(kept[-1], 2)
            x = self.middle(x)
            for up, merge in zip(self.up, self.merge, strict=True):
                x = merge(T.cat([up(x), kept.pop()], 1))
            return self.head(x)

    return _training(T, UNet(), T.randn(4, 3, 96, 96), T.randint(0, 10, (4, 96, 96)))


@workload
def recurrent_network_training(T: ModuleType) -> Step:
    """A language model of two LSTM layers of 256, 32 sequences of 64 tokens of 2,048."""
    T.manual_seed(0)
    nn = T.nn

    class LanguageModel(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.head = nn.Embedding(2048, 256), nn.Linear(256, 2048)
            self.layers = nn.LSTM(256, 256, 2, batch_first=True, dropout=0.1)

        def forward(self, tokens: Any) -> Any:
            return self.head(self.layers(self.tokens(tokens))[0]).flatten(0, 1)

    tokens = T.randint(0, 2048, (32, 65))
    return _training(T, LanguageModel(), tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1))
