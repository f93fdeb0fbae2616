"""A loop of one's own on all ranks. Arguments: the answer's file, the strategy; started by itself or by a launcher."""

import json
import sys
from pathlib import Path

import facula
from facula import nn
from facula.nn.functional import mse_loss, softplus
from facula_lightning.fabric import Fabric
from facula_lightning.loggers import CSVLogger
from models import data, loader

GLOBAL_BATCH = 4


class Generator(nn.Module):
    """Has a method beside ``forward`` that is called, and a layer that some passes do not use."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 3)
        self.norm = nn.BatchNorm1d(3, affine=False, momentum=1.0)

    def forward(self, x):
        return self.second(self.first(x).tanh())

    def distance(self, x):
        return mse_loss(self.second(self.first(x)), x)


def train(fabric: Fabric, count: int, folder: Path | None = None) -> dict:
    """Train two modules against each other, a third that steps every other batch; return what came of it."""
    with fabric.init_module():
        generator, judge, slow = Generator().double(), nn.Linear(3, 1).double(), nn.Linear(3, 1).double()
    if fabric.global_rank:
        for each in (generator, judge, slow):  # the first's weights count
            for parameter in each.parameters():
                nn.init.zeros_(parameter)
    generator, for_generator = fabric.setup(generator, facula.optim.SGD(generator.parameters(), 0.05, momentum=0.9))
    judge, for_judge = fabric.setup(judge, facula.optim.SGD(judge.parameters(), lr=0.05))
    slow = fabric.setup_module(slow)
    for_slow = fabric.setup_optimizers(facula.optim.SGD(slow.parameters(), lr=0.05))
    generator.mark_forward_method("distance")
    batches = fabric.setup_dataloaders(loader(count, GLOBAL_BATCH // fabric.world_size, shuffle=True))
    samples, norms, weights = [], [], []
    for epoch in range(3):
        for index, (x, y) in enumerate(batches):
            samples += y[:, 0].tolist() if batches.weight else []
            weights.append(batches.weight)
            made = generator(x)
            for_judge.zero_grad()
            fabric.backward((softplus(-judge(x)) + softplus(judge(made.detach()))).mean())
            for_judge.step()
            for_generator.zero_grad()
            # The judge's gradients of this pass are of no use: it need not average them.
            with fabric.no_backward_sync(judge):
                fabric.backward(softplus(-judge(made)).mean() + generator.distance(x))
            norms.append(fabric.clip_gradients(generator, for_generator, max_norm=0.3).item())
            for_generator.step()
            steps = index % 2 == 1 or index == len(batches) - 1
            with fabric.no_backward_sync(slow, enabled=not steps):
                fabric.backward(mse_loss(slow(x), y))
            if steps:
                for_slow.step()
                for_slow.zero_grad()
        fabric.log("epoch", epoch, step=epoch)
        fabric.log_dict({"norm": facula.tensor(norms[-1])}, step=epoch)
    found = {
        "weights": [p.flatten().tolist() for each in (generator, judge, slow) for p in each.parameters()],
        "norms": norms,
        "samples": fabric.strategy.all_gather_object(samples),
        "shares": weights,
        "fits": len(batches),
    }
    if folder is not None:
        found |= speak(fabric, folder, generator)
    return found


def speak(fabric: Fabric, folder: Path, model: nn.Module) -> dict:
    """Return what the collectives give, and check files that the first rank alone writes."""
    rank, size = fabric.global_rank, fabric.world_size
    with fabric.rank_zero_first():
        mark = folder / "mark"
        first = not mark.exists()
        mark.touch()
    assert first == (rank == 0)
    x = facula.full((2,), float(rank))
    reduced = fabric.all_reduce({"x": x, "n": rank}, reduce_op="sum")
    assert reduced["x"] is x and x.tolist() == [sum(range(size))] * 2 and reduced["n"].item() == sum(range(size))
    own = facula.full((2,), float(rank), requires_grad=True)
    gathered = fabric.all_gather(own, sync_grads=True)
    gathered.sum().backward()
    assert own.grad.tolist() == [size] * 2
    fabric.save(folder / "state.ckpt", {"model": model, "rank": rank})
    state = {"model": model, "rank": -1}
    before = [each.clone() for each in model.parameters()]
    for each in model.parameters():
        nn.init.zeros_(each)
    assert fabric.load(folder / "state.ckpt", state) == {} and state["rank"] == 0
    assert all(facula.equal(each, other) for each, other in zip(model.parameters(), before))
    fabric.logger.finalize("success")
    fabric.print(f"printed by {rank}")
    return {
        "gathered": gathered[:, 0].tolist(),
        "numbers": fabric.all_gather([rank])[0].tolist(),
        "mean": fabric.all_reduce(facula.tensor([float(rank)])).tolist(),
        "broadcast": fabric.broadcast({"from": rank}, src=size - 1),
        "log_dir": str(fabric.logger.log_dir),
        "whole": len(data(5)),
    }


def main() -> None:
    file, strategy, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    facula.manual_seed(11)
    fabric = Fabric(accelerator="cpu", devices=size, strategy=strategy, loggers=CSVLogger(file.parent))
    if strategy == "ddp_spawn":
        found = fabric.launch(train, 11, file.parent)
    else:
        fabric.launch()
        found = train(fabric, 11, file.parent)
    if fabric.is_global_zero:
        file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
