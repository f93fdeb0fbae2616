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
