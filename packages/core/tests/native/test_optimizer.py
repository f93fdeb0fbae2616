"""Steps of optimizers against the array code, which float64 parameters take."""

import facula
import pytest
from facula import native

if not native.available:
    pytest.skip("the compiled kernels were not built, or are switched off", allow_module_level=True)

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9)}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
]


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("shape", [(), (1,), (17,), (3, 5), (40_001,)])
def test_steps_equal_those_of_the_array_code(name, options, shape) -> None:
    facula.manual_seed(0)
    start = facula.randn(shape)
    params = [start.clone().requires_grad_(), start.double().requires_grad_()]
    optimizers = [getattr(facula.optim, name)([each], **options) for each in params]
    for _ in range(4):
        gradient = facula.randn(shape)
        for param, optimizer in zip(params, optimizers, strict=True):
            param.grad = gradient.to(param.dtype)
            version = param._version
            optimizer.step()
            assert param._version == version + 1
    facula.testing.assert_close(params[0].double(), params[1], atol=1e-6, rtol=1e-5)
    for key, value in optimizers[0].state[params[0]].items():
        facula.testing.assert_close(value.double(), optimizers[1].state[params[1]][key].double(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_parameters_that_lie_otherwise_in_memory_are_stepped_too(name) -> None:
    facula.manual_seed(0)
    whole = facula.randn(6, 4)
    param = whole.t().detach().requires_grad_()
    copy = param.detach().clone(memory_format=facula.contiguous_format).requires_grad_()
    for each in (param, copy):
        each.grad = facula.ones(4, 6)
        getattr(facula.optim, name)([each], lr=0.1).step()
    facula.testing.assert_close(param.detach(), copy.detach())
