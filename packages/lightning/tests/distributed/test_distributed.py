"""Runs on several ranks give what one process gives: weights, order of samples, metrics, predictions."""

import json

import facula
import numpy as np
import pytest
from facula import nn
from facula_lightning import seed_everything
from models import Regression, data, fit, loader, quiet


def close(found, expected) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("ranks", "count", "more", "norm", "shuffle", "workers"),
    [
        (2, 16, {}, False, False, 0),
        (2, 17, {}, False, True, 0),
        (2, 15, {"accumulate_grad_batches": 2, "gradient_clip_val": 0.1}, False, True, 1),
        (2, 22, {}, True, True, 0),
        (4, 21, {}, False, True, 0),
        (4, 18, {"strategy": "ddp_find_unused_parameters_true"}, False, True, 0),
    ],
)
def test_ranks_train_as_one_process_with_the_whole_batch(
    answer, tmp_path, ranks, count, more, norm, shuffle, workers
) -> None:
    settings = {"count": count, "norm": norm, "shuffle": shuffle, "workers": workers, **more}
    found = answer("fit_program.py", ranks, json.dumps({"batch_size": 2, **settings}))
    settings.pop("strategy", None)
    alone = fit(tmp_path, batch_size=2 * ranks, **settings)
    assert found["world_size"] == ranks and found["steps"] == alone["steps"]
    close(found["weights"], alone["weights"])
    for name in ("train_loss_epoch", "val_loss", "val_max", "val_samples"):
        np.testing.assert_allclose(found["metrics"][name], alone["metrics"][name], rtol=1e-9)
    # Sample by sample: each rank has every so many of each batch, and repeats nothing but where it has nothing left.
    order = np.array(alone["seen"][0]).reshape(3, count)
    seen = [np.array(each).reshape(3, -1) for each in found["seen"]]
    for epoch in range(3):
        for start in range(0, count, 2 * ranks):
            batch = order[epoch, start : start + 2 * ranks]
            for rank in range(ranks):
                own = batch[rank::ranks]
                at = start // ranks
                expected = own if len(own) else batch[:1]
                assert seen[rank][epoch, at : at + len(expected)].tolist() == expected.tolist()


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_evaluation_and_prediction_are_those_of_one_process(answer, tmp_path, ranks) -> None:
    counts = list(range(1, 18))
    found = answer("evaluate_program.py", ranks, json.dumps(counts))
    for count in counts:
        seed_everything(4, verbose=False)
        model, trainer = Regression(), quiet(tmp_path)
        own = found[str(count)]
        limited = quiet(tmp_path, limit_val_batches=0.5 if count > 3 else 1)
        pairs = [
            (own["validate"], trainer.validate(model, loader(count, 2), verbose=False)),
            (own["limited"], limited.validate(model, loader(count, 2), verbose=False)),
        ]
        if count == 7:
            pairs.append((own["test"], trainer.test(model, [loader(count, 2), loader(1, 1)], verbose=False)))
        for theirs, ours in pairs:
            assert len(theirs) == len(ours)
            for one, other in zip(theirs, ours):
                assert one.keys() == other.keys()
                np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-12)
        assert own["predict"] == [each.tolist() for each in trainer.predict(model, loader(count, 2))]
        if count == 5:
            assert own["single"] == [each.tolist() for each in trainer.predict(model, loader(count, None))]


def test_what_is_repeated_has_no_weight() -> None:
    from facula.utils.data import BatchSampler, SequentialSampler
    from facula_lightning.strategies import SingleDeviceStrategy
    from facula_lightning.trainer.sharding import EvaluationShards, TrainingShards, in_order

    def ranks(size: int) -> list[SingleDeviceStrategy]:
        made = [SingleDeviceStrategy() for _ in range(size)]
        for rank, each in enumerate(made):
            each.global_rank, each.world_size = rank, size
        return made

    for count in range(1, 20):
        for size in (2, 3, 4):
            batches = BatchSampler(SequentialSampler(range(count)), 2, False)
            shards = [TrainingShards(batches, each) for each in ranks(size)]
            parts = [list(each) for each in shards]
            assert len({len(each) for each in parts}) == 1 and len(parts[0]) == len(shards[0])
            total = 0.0
            for step in range(len(parts[0])):
                counted = [part[step] for part, each in zip(parts, shards) if each.weights[step]]
                samples = sorted(index for part in counted for index in part)
                assert samples == list(range(step * 2 * size, min((step + 1) * 2 * size, count)))
                # The average over ranks of weighted means is the mean of the whole.
                means = [np.mean(part[step]) * each.weights[step] for part, each in zip(parts, shards)]
                np.testing.assert_allclose(np.mean(means), np.mean(samples))
                total += len(samples)
            assert total == count
            evaluated = [EvaluationShards(batches, each) for each in ranks(size)]
            assert in_order([list(each) for each in evaluated]) == list(batches)
            assert sum(map(len, evaluated)) == len(batches)


def test_one_process_needs_no_strategy(tmp_path) -> None:
    trainer = quiet(tmp_path)
    assert trainer.strategy.strategy_name == "single_device"
    assert (trainer.world_size, trainer.global_rank, trainer.num_devices, trainer.device_ids) == (1, 0, 1, [0])
    assert trainer.strategy.broadcast("x") == "x" and trainer.strategy.reduce(3) == 3
    assert trainer.strategy.reduce_boolean_decision(True)
    assert trainer.distributed_sampler_kwargs is None
    model = nn.BatchNorm1d(2)
    assert nn.SyncBatchNorm.convert_sync_batchnorm(model) is not model
    assert len(data(3)) == 3


@pytest.mark.parametrize("ranks", [2, 3])
def test_metrics_are_of_what_all_ranks_have_taken_in(answer, ranks) -> None:
    from facula_lightning import metrics

    found = answer("metrics_program.py", ranks)
    target, scores = facula.arange(13) % 3, facula.arange(39.0).sin().reshape(13, 3)
    assert found["accuracy"] == metrics.MulticlassAccuracy(3)(scores, target).tolist()
    assert found["area"] == pytest.approx(float(metrics.MulticlassAUROC(3)(scores, target)), rel=1e-6)
    assert found["largest"] == scores.max().item() and found["own"] == list(range(ranks))
