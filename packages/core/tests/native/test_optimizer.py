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
    ("AdamW", {"lr": 0.01, "amsgrad": True, "foreach": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1, "foreach": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "maximize": True, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1, "maximize": True, "foreach": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.01, "etas": (0.3, 1.5), "step_sizes": (0.005, 0.02), "maximize": True}),
    ("ASGD", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "weight_decay": 0.1, "t0": 1, "lambd": 0.1, "maximize": True}),
]


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("shape", [(), (1,), (17,), (3, 5), (40_001,)])
def test_steps_equal_those_of_the_array_code(name, options, shape) -> None:
    facula.manual_seed(0)
    start = facula.randn(shape)
    params = [start.clone().requires_grad_(), start.double().requires_grad_()]
    optimizers = [getattr(facula.optim, name)([each], **options) for each in params]
    for _ in range(8):
        gradient = facula.randn(shape)
        for param, optimizer in zip(params, optimizers, strict=True):
            param.grad = gradient.to(param.dtype)
            version = param._version
            optimizer.step()
            assert param._version == version + 1
    facula.testing.assert_close(params[0].double(), params[1], atol=1e-6, rtol=1e-5)
    for key, value in optimizers[0].state[params[0]].items():
        facula.testing.assert_close(value.double(), optimizers[1].state[params[1]][key].double(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_what_is_not_a_number_stays_in_its_place(name) -> None:
    params = [facula.ones(37, dtype=kind).requires_grad_() for kind in (facula.float32, facula.float64)]
    for param in params:
        optimizer = getattr(facula.optim, name)([param], lr=0.1)
        for _ in range(2):
            param.grad = facula.ones(37, dtype=param.dtype)
            param.grad[3], param.grad[20], param.grad[36] = facula.nan, facula.inf, -facula.inf
            optimizer.step()
    facula.testing.assert_close(params[0].double(), params[1], atol=1e-6, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_bits_are_the_same_for_any_number_of_threads(name) -> None:
    threads = native.kernels.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3, 4):
            native.kernels.set_num_threads(count)
            facula.manual_seed(0)
            param = facula.randn(100_003).requires_grad_()
            optimizer = getattr(facula.optim, name)([param], lr=0.1)
            for _ in range(3):
                param.grad = facula.randn(100_003)
                optimizer.step()
            found.append(param.detach().numpy().tobytes())
    finally:
        native.kernels.set_num_threads(threads)
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_parameters_that_lie_otherwise_in_memory_are_stepped_too(name) -> None:
    facula.manual_seed(0)
    whole = facula.randn(6, 4)
    param = whole.t().detach().requires_grad_()
    copy = param.detach().clone(memory_format=facula.contiguous_format).requires_grad_()
    for each in (param, copy):
        each.grad = facula.ones(4, 6)
        getattr(facula.optim, name)([each], lr=0.1).step()
    facula.testing.assert_close(param.detach(), copy.detach())


@pytest.mark.parametrize(
    ("name", "options", "state", "expected"),
    [
        ("Adam", {"betas": (0.9, 0.999)}, "exp_avg_sq", 0.001),
        ("NAdam", {"betas": (0.9, 0.999)}, "exp_avg_sq", 0.001),
        ("RAdam", {"betas": (0.999, 0.9)}, "exp_avg", 0.001),
        ("Adamax", {"betas": (0.999, 0.9)}, "exp_avg", 0.001),
        ("RMSprop", {"alpha": 0.999}, "square_avg", 0.001),
        ("Adadelta", {"rho": 0.999}, "square_avg", 0.001),
    ],
)
def test_what_is_missing_to_one_is_rounded_once(name, options, state, expected) -> None:
    param = facula.zeros(5, requires_grad=True)
    optimizer = getattr(facula.optim, name)([param], **options)
    param.grad = facula.ones(5)
    optimizer.step()
    facula.testing.assert_close(optimizer.state[param][state], facula.full((5,), expected), rtol=2e-7, atol=0)
