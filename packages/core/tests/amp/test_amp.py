"""Autocast and the scaling of gradients."""

import facula
import pytest
from facula import nn
from facula.nn import functional as F


def test_products_are_computed_in_the_narrow_type() -> None:
    layer, x = nn.Linear(3, 2), facula.randn(4, 3)
    with facula.autocast("cpu"):
        assert facula.is_autocast_enabled("cpu") and not facula.is_autocast_enabled()
        y = layer(x)
        assert y.dtype == (x @ x.mT).dtype == facula.bfloat16
        assert (x + x).dtype == facula.float32
        assert (x.double() @ x.double().mT).dtype == facula.float64
        assert layer(y.relu()[:, :1].expand(-1, 3)).dtype == facula.bfloat16
        assert F.conv2d(facula.ones(1, 1, 3, 3), facula.ones(1, 1, 2, 2)).dtype == facula.bfloat16
        assert F.scaled_dot_product_attention(x, x.bfloat16(), x).dtype == facula.bfloat16
    assert layer(x).dtype == facula.float32
    assert facula.allclose(y.float(), layer(x), atol=0.05)


def test_gradients_have_the_type_of_the_parameters() -> None:
    layer, x = nn.Linear(3, 2), facula.randn(4, 3)
    with facula.autocast("cpu", dtype=facula.float16):
        loss = layer(x).float().square().sum()
    loss.backward()
    assert layer.weight.grad.dtype == facula.float32
    found, layer.weight.grad = layer.weight.grad, None
    layer(x).square().sum().backward()
    assert facula.allclose(found, layer.weight.grad, rtol=0.02, atol=0.02)


def test_contexts_can_be_nested_and_used_as_decorators() -> None:
    x = facula.ones(2, 2)

    @facula.autocast("cpu")
    def product():
        return x @ x

    assert product().dtype == facula.bfloat16
    with facula.autocast("cpu"):
        with facula.autocast("cpu", enabled=False):
            assert (x @ x).dtype == facula.float32
        assert (x @ x).dtype == facula.bfloat16
    assert (x @ x).dtype == facula.float32
    with pytest.raises(RuntimeError, match="same dtype"):
        x @ x.bfloat16()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("tpu",), RuntimeError, "unsupported autocast device_type 'tpu'"),
        ((0,), ValueError, "Expected `device_type`"),
        (("cpu", facula.int64), RuntimeError, "bfloat16 or float16"),
    ],
)
def test_mistakes_are_named(arguments, error, words) -> None:
    with pytest.raises(error, match=words):
        facula.autocast(*arguments)


def test_functions_of_ones_own_run_as_they_say() -> None:
    seen = []

    class Product(facula.autograd.Function):
        @staticmethod
        @facula.amp.custom_fwd(device_type="cpu", cast_inputs=facula.float32)
        def forward(ctx, x):
            seen.append(facula.is_autocast_enabled("cpu"))
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @facula.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append(facula.is_autocast_enabled("cpu"))
            (x,) = ctx.saved_tensors
            return g @ x.mT + x.mT @ g

    x = facula.eye(2, requires_grad=True)
    with facula.autocast("cpu"):
        y = Product.apply(x)
    assert y.dtype == facula.float32
    y.sum().backward()
    assert seen == [False, True]


def training() -> tuple:
    weight = facula.ones(2, requires_grad=True)
    return weight, facula.optim.SGD([weight], lr=1.0), facula.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)


def test_steps_are_those_of_unscaled_gradients_and_the_scale_grows() -> None:
    weight, optimizer, scaler = training()
    for scale in (8.0, 16.0):
        optimizer.zero_grad()
        scaler.scale((weight * 0.25).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == scale
    assert weight.tolist() == [0.5, 0.5]


def test_a_step_without_finite_gradients_is_left_out_and_the_scale_shrinks() -> None:
    weight, optimizer, scaler = training()
    scaler.scale((weight * facula.inf).sum()).backward()
    assert scaler.step(optimizer) is None
    scaler.update()
    assert (scaler.get_scale(), weight.tolist()) == (4.0, [1.0, 1.0])
    other = facula.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()


def test_the_order_of_calls_is_checked() -> None:
    weight, optimizer, scaler = training()
    with pytest.raises(RuntimeError, match="No inf checks"):
        scaler.update()
    scaler.scale(weight.sum()).backward()
    scaler.unscale_(optimizer)
    assert weight.grad.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="since the last update"):
        scaler.step(optimizer)


def test_a_scaler_that_is_off_does_nothing() -> None:
    weight, optimizer, _ = training()
    scaler = facula.amp.GradScaler("cpu", enabled=False)
    loss = weight.sum()
    assert scaler.scale(loss) is loss and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    loss.backward()
    scaler.step(optimizer)
    scaler.update()
    assert weight.tolist() == [0.0, 0.0]
