"""Layers fused with the normalisation after them do what both do."""

import facula
import pytest
from facula import nn
from facula.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval


def trained(norm: nn.Module, *shape: int) -> nn.Module:
    """Return a normalisation with statistics and weights that are not those it starts with."""
    for _ in range(3):
        norm(facula.randn(*shape) * 2 + 1)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.eval()


@pytest.mark.parametrize("bias", [True, False])
def test_convolutions(bias) -> None:
    facula.manual_seed(0)
    conv, norm = nn.Conv2d(2, 4, 3, bias=bias).eval(), trained(nn.BatchNorm2d(4), 2, 4, 5, 5)
    x = facula.randn(2, 2, 6, 6)
    assert facula.allclose(fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)), atol=1e-5)
    conv = nn.ConvTranspose1d(2, 4, 3, bias=bias).eval()
    norm, x = trained(nn.BatchNorm1d(4), 2, 4, 5), facula.randn(2, 2, 6)
    assert facula.allclose(fuse_conv_bn_eval(conv, norm, transpose=True)(x), norm(conv(x)), atol=1e-5)


def test_linear_layers() -> None:
    facula.manual_seed(0)
    linear, norm = nn.Linear(3, 4).eval(), trained(nn.BatchNorm1d(4), 8, 4)
    x = facula.randn(5, 3)
    assert facula.allclose(fuse_linear_bn_eval(linear, norm)(x), norm(linear(x)), atol=1e-5)
    with pytest.raises(RuntimeError, match="expected a normalisation of 1 or 4 features, got 3"):
        fuse_linear_bn_eval(linear, nn.BatchNorm1d(3).eval())


def test_layers_in_training_are_refused() -> None:
    with pytest.raises(RuntimeError, match="eval"):
        fuse_conv_bn_eval(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1).eval())


def test_one_device_needs_no_sharing_out() -> None:
    layer = nn.Linear(2, 3)
    wrapped = nn.DataParallel(layer)
    x = facula.ones(1, 2)
    assert facula.equal(wrapped(x), layer(x))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(NotImplementedError, match="2 devices"):
        nn.DataParallel(layer, [0, 1])
