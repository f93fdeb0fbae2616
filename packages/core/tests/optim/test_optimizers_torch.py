"""Optimizers and schedules step by step beside PyTorch's, when it is installed."""

import facula
import numpy as np
import pytest

torch = pytest.importorskip("torch")

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.7)}),
    ("AdamW", {"lr": 0.05, "maximize": True}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.05, "betas": (0.9, 0.9)}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.05}),
    ("ASGD", {"lr": 0.05, "t0": 3, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=lambda each: each if isinstance(each, str) else "")
def test_twelve_steps_are_the_same(name, options):
    random = np.random.default_rng(0)
    start = random.standard_normal((3, 4)).astype(np.float32)
    gradients = random.standard_normal((12, 3, 4)).astype(np.float32)
    mine = facula.nn.Parameter(facula.from_numpy(start.copy()))
    theirs = torch.nn.Parameter(torch.from_numpy(start.copy()))
    my_optimizer = getattr(facula.optim, name)([mine], **options)
    their_optimizer = getattr(torch.optim, name)([theirs], foreach=False, **options)
    for gradient in gradients:
        mine.grad, theirs.grad = facula.from_numpy(gradient.copy()), torch.from_numpy(gradient.copy())
        my_optimizer.step()
        their_optimizer.step()
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=2e-5, atol=2e-6)
    my_state, their_state = my_optimizer.state_dict(), their_optimizer.state_dict()
    assert my_state["state"].keys() == their_state["state"].keys()
    for key, value in their_state["state"].get(0, {}).items():
        np.testing.assert_allclose(my_state["state"][0][key].numpy(), value.numpy(), rtol=2e-5, atol=2e-6)
    assert set(my_state["param_groups"][0]) == set(their_state["param_groups"][0])


SCHEDULES = {
    "LambdaLR": {"lr_lambda": lambda step: 0.9**step},
    "MultiplicativeLR": {"lr_lambda": lambda step: 0.9},
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 5, 5]},
    "ConstantLR": {"factor": 0.5, "total_iters": 4},
    "LinearLR": {"start_factor": 0.25, "total_iters": 6},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"total_iters": 8, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 5, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3, "mode": "triangular2"},
    "OneCycleLR": {"max_lr": 0.3, "total_steps": 20, "three_phase": True},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_the_same(name):
    courses = []
    for library in (facula, torch):
        optimizer = library.optim.SGD([library.nn.Parameter(library.ones(1))], lr=0.1, momentum=0.9)
        schedule = getattr(library.optim.lr_scheduler, name)(optimizer, **SCHEDULES[name])
        course = [(schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"])]
        for _ in range(15):
            optimizer.step()
            schedule.step()
            course.append((schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"]))
        courses.append(course)
    np.testing.assert_allclose(*courses, rtol=1e-12)
