"""Optimizers: what a step does, groups, state, hooks and mistakes."""

import copy

import facula
import numpy as np
import pytest
from facula import optim

SIMPLE = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (optim.Adam, {"lr": 0.1}),
    (optim.Adam, {"lr": 0.1, "amsgrad": True}),
    (optim.AdamW, {"lr": 0.1}),
    (optim.Adamax, {"lr": 0.1}),
    (optim.NAdam, {"lr": 0.1}),
    (optim.RAdam, {"lr": 0.3}),
    (optim.RMSprop, {"lr": 0.05, "centered": True}),
    (optim.Adagrad, {"lr": 0.5}),
    (optim.Adadelta, {"lr": 10.0}),
    (optim.Rprop, {"lr": 0.05}),
    (optim.ASGD, {"lr": 0.1}),
]


def parameter(*values: float) -> facula.nn.Parameter:
    return facula.nn.Parameter(facula.tensor(values))


def give_grad(param: facula.Tensor, *values: float) -> None:
    param.grad = facula.tensor(values)


@pytest.mark.parametrize(("kind", "options"), SIMPLE, ids=lambda each: getattr(each, "__name__", None))
def test_a_parabola_is_descended(kind, options):
    param = parameter(3.0, -2.0)
    optimizer = kind([param], **options)
    first = float((param * param).sum())
    for _ in range(60):
        optimizer.zero_grad()
        (param * param).sum().backward()
        optimizer.step()
    assert float((param * param).sum()) < 0.5 * first


@pytest.mark.parametrize(("kind", "options"), SIMPLE, ids=lambda each: getattr(each, "__name__", None))
def test_a_loaded_state_continues_exactly(kind, options):
    def run(optimizer, param, steps):
        for number in range(steps):
            give_grad(param, 0.5 - number, 0.25 * number)
            optimizer.step()

    param = parameter(1.0, 2.0)
    optimizer = kind([param], **options)
    run(optimizer, param, 3)
    other = facula.nn.Parameter(param.detach().clone())
    resumed = kind([other], lr=7.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    run(optimizer, param, 3)
    run(resumed, other, 3)
    assert param.tolist() == other.tolist()


def test_sgd_by_hand():
    param = parameter(1.0, 2.0)
    optimizer = optim.SGD([param], lr=0.5, momentum=0.5, weight_decay=0.5)
    give_grad(param, 1.0, 0.0)
    optimizer.step()
    assert param.tolist() == [1.0 - 0.5 * 1.5, 2.0 - 0.5 * 1.0]
    assert optimizer.state[param]["momentum_buffer"].tolist() == [1.5, 1.0]


def test_the_first_step_of_adam_is_the_rate():
    param = parameter(1.0, 2.0)
    optimizer = optim.Adam([param], lr=0.25)
    give_grad(param, 1e-3, -50.0)
    optimizer.step()
    np.testing.assert_allclose(param.detach().numpy(), [0.75, 2.25], rtol=1e-4)


def test_maximize_climbs():
    param = parameter(1.0)
    optimizer = optim.SGD([param], lr=0.5, maximize=True)
    give_grad(param, 1.0)
    optimizer.step()
    assert param.tolist() == [1.5]


def test_a_parameter_without_gradient_stays():
    param, other = parameter(1.0), parameter(1.0)
    optimizer = optim.Adam([param, other], lr=0.5)
    give_grad(param, 1.0)
    optimizer.step()
    assert other.tolist() == [1.0]
    assert other not in optimizer.state


def test_a_step_shows_in_the_version_counter():
    param = parameter(2.0)
    loss = (param * param).sum()
    give_grad(param, 1.0)
    optim.SGD([param], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified"):
        loss.backward()


def test_groups_have_their_own_options():
    param, other = parameter(1.0), parameter(1.0)
    optimizer = optim.SGD([{"params": [param]}, {"params": other, "lr": 0.25}], lr=0.5)
    give_grad(param, 1.0)
    give_grad(other, 1.0)
    optimizer.step()
    assert (param.item(), other.item()) == (0.5, 0.75)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25]


def test_named_parameters_keep_their_names():
    layer = facula.nn.Linear(2, 1)
    optimizer = optim.SGD(layer.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0, 1]


def test_zero_grad_forgets_or_clears():
    param = parameter(1.0)
    optimizer = optim.SGD([param], lr=0.1)
    give_grad(param, 3.0)
    optimizer.zero_grad(set_to_none=False)
    assert param.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert param.grad is None


def test_a_closure_runs_with_recording_and_its_loss_is_returned():
    param = parameter(2.0)
    optimizer = optim.SGD([param], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (param * param).sum()
        loss.backward()
        return loss

    with facula.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 4.0
    assert param.item() == 1.0


def test_hooks_run_around_a_step_until_removed():
    param = parameter(1.0)
    optimizer = optim.SGD([param], lr=0.1)
    seen = []
    before = optimizer.register_step_pre_hook(lambda *arguments: seen.append("before"))
    optimizer.register_step_post_hook(lambda *arguments: seen.append("after"))
    optimizer.step()
    before.remove()
    optimizer.step()
    assert seen == ["before", "after", "after"]


def test_the_state_dict_has_pytorchs_layout():
    param, other = parameter(1.0), parameter(1.0, 2.0)
    optimizer = optim.Adam([param, other], lr=0.5)
    give_grad(other, 1.0, 1.0)
    optimizer.step()
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"]
    assert list(saved["state"]) == [1]
    step = saved["state"][1]["step"]
    assert (step.dtype, tuple(step.shape), step.item()) == (facula.float32, (), 1.0)
    assert saved["param_groups"][0]["params"] == [0, 1]
    assert saved["param_groups"][0]["betas"] == (0.9, 0.999)


def test_loaded_state_takes_the_type_of_its_parameter():
    param = parameter(1.0)
    optimizer = optim.Adam([param])
    give_grad(param, 1.0)
    optimizer.step()
    double = facula.nn.Parameter(facula.ones(1, dtype=facula.float64))
    other = optim.Adam([double])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[double]["exp_avg"].dtype == facula.float64
    assert other.state[double]["step"].dtype == facula.float32


def test_loading_does_not_share_memory_with_what_was_saved():
    param = parameter(1.0)
    optimizer = optim.Adam([param])
    give_grad(param, 1.0)
    optimizer.step()
    other = optim.Adam([parameter(1.0)])
    other.load_state_dict(optimizer.state_dict())
    optimizer.step()
    assert next(iter(other.state.values()))["step"].item() == 1.0


def test_a_rate_may_be_a_tensor():
    param = parameter(1.0)
    optimizer = optim.SGD([param], lr=facula.tensor(0.5))
    give_grad(param, 1.0)
    optimizer.step()
    assert param.tolist() == [0.5]


def test_the_text_lists_the_options():
    text = repr(optim.SGD([parameter(1.0)], lr=0.1))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n")
    assert "    lr: 0.1\n" in text


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "empty parameter list"),
        (lambda: optim.SGD(parameter(1.0)), TypeError, "iterable of Tensors or dicts"),
        (lambda: optim.SGD([1.0]), TypeError, "can only optimize Tensors, but one of the params is float"),
        (lambda: optim.SGD([parameter(1.0) * 2]), ValueError, "non-leaf"),
        (lambda: optim.SGD([{"params": {parameter(1.0)}}]), TypeError, "ordered collections"),
        (lambda: optim.SGD([parameter(1.0)], lr=-1.0), ValueError, "Invalid learning rate: -1.0"),
        (lambda: optim.SGD([parameter(1.0)], momentum=-1.0), ValueError, "Invalid momentum value: -1.0"),
        (lambda: optim.SGD([parameter(1.0)], nesterov=True), ValueError, "Nesterov momentum requires"),
        (lambda: optim.Adam([parameter(1.0)], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
        (lambda: optim.Adam([parameter(1.0)], eps=-1.0), ValueError, "Invalid epsilon value: -1.0"),
        (lambda: optim.Rprop([parameter(1.0)], etas=(1.5, 2.0)), ValueError, "Invalid eta values: 1.5, 2.0"),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_parameter_belongs_to_one_group():
    param = parameter(1.0)
    optimizer = optim.SGD([param], lr=0.1)
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [param]})


def test_state_of_another_model_is_refused():
    saved = optim.SGD([parameter(1.0), parameter(1.0)], lr=0.1).state_dict()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.SGD([parameter(1.0)], lr=0.1).load_state_dict(saved)
