"""What a module says to the others of its kind: gathering, reducing, broadcasting, in training and by hand."""

import json
import sys
from pathlib import Path

import facula
from models import Regression, loader, quiet

file = Path(sys.argv[1])


class Speaking(Regression):
    def training_step(self, batch, batch_idx):
        rank, size = self.global_rank, self.trainer.world_size
        gathered = self.all_gather({"rank": facula.tensor(float(rank)), "pair": [rank, 2.0 * rank]})
        assert gathered["rank"].tolist() == list(range(size))
        assert gathered["pair"][0].tolist() == list(range(size))
        own = facula.full((3,), float(rank + 1), requires_grad=True)
        (self.all_gather(own, sync_grads=True) * facula.arange(float(size)).unsqueeze(1)).sum().backward()
        assert own.grad.tolist() == [float(rank * size)] * 3
        strategy = self.trainer.strategy
        assert strategy.broadcast({"from": rank}) == {"from": 0}
        assert strategy.broadcast([rank], src=size - 1) == [size - 1]
        values = {
            op: strategy.reduce(facula.tensor(rank + 1), reduce_op=op).item() for op in ("mean", "sum", "min", "max")
        }
        total = sum(range(1, size + 1))
        assert values == {"mean": total / size, "sum": total, "min": 1, "max": size}
        assert strategy.reduce_boolean_decision(True) and not strategy.reduce_boolean_decision(rank == 0)
        assert strategy.reduce_boolean_decision(rank == 0, all=False)
        assert self.trainer.distributed_sampler_kwargs == {"num_replicas": size, "rank": rank}
        self.log("alone", 5.0, rank_zero_only=True)
        self.log("local", float(rank), on_step=True, on_epoch=False)
        self.log("summed", 1.0, on_step=False, on_epoch=True, reduce_fx="sum")
        return super().training_step(batch, batch_idx)


trainer = quiet(file.parent, max_epochs=1, devices="auto")
trainer.fit(Speaking(), loader(8, 2))
size = trainer.world_size
assert trainer.callback_metrics["summed"].item() == 4  # batches of all ranks
assert trainer.callback_metrics["local"].item() == trainer.global_rank
assert ("alone" in trainer.callback_metrics) == trainer.is_global_zero
found = trainer.strategy.all_gather_object([trainer.local_rank, trainer.node_rank, trainer.num_devices])
if trainer.is_global_zero:
    file.write_text(json.dumps(found))
