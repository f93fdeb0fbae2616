"""A loop of one's own on 2 and 4 ranks trains as one process with the same global batches."""

import csv
import json

import facula
import numpy as np
import pytest
from fabric_program import train
from facula_lightning.fabric import Fabric


class Silent:
    """A logger of one process, for comparison."""

    def log_metrics(self, metrics: dict, step: int | None = None) -> None:
        pass


@pytest.mark.parametrize("start", ["mpi", "tcp"], indirect=True)
@pytest.mark.parametrize(
    ("how", "strategy", "size"), [(0, "ddp", 2), (0, "ddp_spawn", 2), (2, "ddp", 2), (4, "auto", 4)]
)
def test_ranks_train_as_one_process_with_the_whole_batch(start, tmp_path, how, strategy, size) -> None:
    file = tmp_path / "answer.json"
    ended = start("fabric_program.py", how, file, strategy, size)
    found = json.loads(file.read_text())
    facula.manual_seed(11)
    alone = train(Fabric(accelerator="cpu", loggers=Silent()), 11)
    for one, other in zip(found["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["norms"], alone["norms"], rtol=1e-9)
    assert found["fits"] == alone["fits"] == 3
    assert sorted(sum(found["samples"], [])) == sorted(alone["samples"][0])
    # Of 11 samples the last step has 3.
    assert found["shares"] == [1.0, 1.0, {2: 4 / 3, 4: 4 / 3}[size]] * 3
    assert found["gathered"] == found["numbers"] == list(range(size)) and found["mean"] == [(size - 1) / 2]
    assert found["broadcast"] == {"from": size - 1}
    assert ended.stdout.count("printed by 0") == 1 and "printed by 1" not in ended.stdout
    rows = list(csv.DictReader((tmp_path / "lightning_logs/version_0/metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows if row["epoch"]] == ["0", "1", "2"] and found["log_dir"].endswith("version_0")
    assert [each.name for each in (tmp_path / "lightning_logs").iterdir()] == ["version_0"]
