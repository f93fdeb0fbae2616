"""Each rank takes in every so-manieth sample; what metrics compute is of all of them, and states stay one's own."""

import json
import sys
from pathlib import Path

import facula
import facula.distributed as dist
from facula_lightning import metrics

dist.init_process_group()
rank, ranks = dist.get_rank(), dist.get_world_size()
target, scores = facula.arange(13) % 3, facula.arange(39.0).sin().reshape(13, 3)
accuracy, area, largest = metrics.MulticlassAccuracy(3), metrics.MulticlassAUROC(3), metrics.MaxMetric()
own = metrics.SumMetric()
for at in range(rank, 13, ranks):
    accuracy.update(scores[at : at + 1], target[at : at + 1])
    area.update(scores[at : at + 1], target[at : at + 1])
    largest.update(scores[at])
own.update(float(rank))
found = {
    "accuracy": accuracy.compute().tolist(),
    "area": area.compute().tolist(),
    "largest": largest.compute().tolist(),
}
own.compute()
states = [None] * ranks
dist.all_gather_object(states, float(own.sum_value))
found["own"] = states
everyone = [None] * ranks
dist.all_gather_object(everyone, found)
assert all(each == everyone[0] for each in everyone), "ranks have different results"
if rank == 0:
    Path(sys.argv[1]).write_text(json.dumps(found))
dist.destroy_process_group()
