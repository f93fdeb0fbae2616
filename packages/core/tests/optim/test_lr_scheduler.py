"""Schedules: the rates they set, their state, their order with the optimizer, and mistakes."""

import facula
import pytest
from facula.optim import lr_scheduler


def make_optimizer(lr: float = 1.0, **options: float) -> facula.optim.SGD:
    return facula.optim.SGD([facula.nn.Parameter(facula.ones(1))], lr=lr, **options)


def course(optimizer: facula.optim.Optimizer, schedule: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert schedule.get_last_lr() == [rates[-1]]
    return rates


def test_steps():
    optimizer = make_optimizer()
    rates = course(optimizer, lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5), 5)
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_milestones_count_as_often_as_they_are_named():
    optimizer = make_optimizer()
    rates = course(optimizer, lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3, 3], gamma=0.5), 4)
    assert rates == [1.0, 0.5, 0.5, 0.125, 0.125]


def test_a_linear_warm_up_starts_below():
    optimizer = make_optimizer()
    rates = course(optimizer, lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2), 3)
    assert rates == pytest.approx([0.5, 0.75, 1.0, 1.0])


def test_half_a_cosine():
    optimizer = make_optimizer()
    rates = course(optimizer, lr_scheduler.CosineAnnealingLR(optimizer, T_max=4), 4)
    assert rates == pytest.approx([1.0, 0.8535534, 0.5, 0.1464466, 0.0])


def test_warm_restarts():
    optimizer = make_optimizer()
    rates = course(optimizer, lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2), 4)
    assert rates == pytest.approx([1.0, 0.5, 1.0, 0.5, 1.0])


def test_one_after_the_other():
    optimizer = make_optimizer()
    warm = lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=10)
    falling = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    rates = course(optimizer, lr_scheduler.SequentialLR(optimizer, [warm, falling], milestones=[2]), 4)
    assert rates == pytest.approx([0.5, 0.5, 1.0, 0.5, 0.25])


def test_together():
    optimizer = make_optimizer()
    parts = [lr_scheduler.ExponentialLR(optimizer, gamma=0.5), lr_scheduler.StepLR(optimizer, 2, gamma=0.1)]
    rates = course(optimizer, lr_scheduler.ChainedScheduler(parts), 2)
    assert rates == pytest.approx([1.0, 0.5, 0.025])


def test_a_plateau_lowers_the_rate_after_patience():
    optimizer = make_optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    rates = []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.5, 0.1):
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]


def test_one_cycle_moves_momentum_the_other_way():
    optimizer = make_optimizer(momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, pct_start=0.5)
    momenta = [optimizer.param_groups[0]["momentum"]]
    rates = course(optimizer, schedule, 4)
    momenta.append(optimizer.param_groups[0]["momentum"])
    assert (rates[0], rates[-1]) == pytest.approx((0.04, 1.0))
    assert momenta == pytest.approx([0.95, 0.85])
    for _ in range(5):
        optimizer.step()
        schedule.step()
    with pytest.raises(ValueError, match="The total number of steps is 10"):
        for _ in range(2):
            optimizer.step()
            schedule.step()


def test_each_group_keeps_its_ratio():
    first, second = (facula.nn.Parameter(facula.ones(1)) for _ in range(2))
    optimizer = facula.optim.SGD([{"params": [first]}, {"params": [second], "lr": 0.1}], lr=1.0)
    schedule = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 0.05]


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: lr_scheduler.StepLR(optimizer, 2),
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
        lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2),
        lambda optimizer: lr_scheduler.SequentialLR(
            optimizer,
            [lr_scheduler.LinearLR(optimizer, total_iters=3), lr_scheduler.ExponentialLR(optimizer, 0.9)],
            milestones=[3],
        ),
    ],
    ids=["step", "lambda", "restarts", "sequence"],
)
def test_a_loaded_schedule_continues(make):
    optimizer = make_optimizer()
    schedule = make(optimizer)
    course(optimizer, schedule, 4)
    other_optimizer = make_optimizer()
    other = make(other_optimizer)
    other.load_state_dict(schedule.state_dict())
    other_optimizer.load_state_dict(optimizer.state_dict())
    assert course(other_optimizer, other, 4) == course(optimizer, schedule, 4)


def test_stepping_the_schedule_first_warns():
    schedule = lr_scheduler.StepLR(make_optimizer(), 2)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()


def test_a_rate_that_is_a_tensor_is_changed_in_place():
    rate = facula.tensor(1.0)
    optimizer = facula.optim.SGD([facula.nn.Parameter(facula.ones(1))], lr=rate)
    schedule = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lr_scheduler.StepLR(None, 2), TypeError, "NoneType is not an Optimizer"),
        (lambda: lr_scheduler.StepLR(make_optimizer(), 2, last_epoch=3), KeyError, "initial_lr"),
        (lambda: lr_scheduler.LinearLR(make_optimizer(), start_factor=0.0), ValueError, "greater than 0"),
        (lambda: lr_scheduler.ConstantLR(make_optimizer(), factor=2.0), ValueError, "between 0 and 1"),
        (lambda: lr_scheduler.LambdaLR(make_optimizer(), [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(make_optimizer(), 0), ValueError, "positive integer T_0"),
        (lambda: lr_scheduler.ReduceLROnPlateau(make_optimizer(), mode="up"), ValueError, "mode up is unknown"),
        (lambda: lr_scheduler.OneCycleLR(make_optimizer(), 1.0), ValueError, "either total_steps OR"),
        (
            lambda: lr_scheduler.CyclicLR(facula.optim.Adagrad([facula.ones(1)]), 0.1, 1.0),
            ValueError,
            "momentum or beta1",
        ),
        (lambda: lr_scheduler.SequentialLR(make_optimizer(), [], []), ValueError, "at least one scheduler"),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
