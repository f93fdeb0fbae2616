"""Learn to write like Shakespeare: a small character GPT, with facula and facula-text.

Run it with a folder that has ``input.txt``, or let it fetch the file:

    python examples/tiny_shakespeare.py --data path/to/tinyshakespeare
"""

import argparse
import math
import os
import time

import facula
from facula import Tensor, nn
from facula.nn import functional as F
from facula_text.data import BlockDataset, random_blocks
from facula_text.datasets import TinyShakespeare
from facula_text.models import GPT2Config, GPT2LMHeadModel
from facula_text.tokenizers import CharTokenizer


def next_character_loss(model: nn.Module, x: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    """Return the cross-entropy in nats a character."""
    logits = model(x).logits
    return F.cross_entropy(logits.view(-1, logits.size(-1)), y.reshape(-1), reduction=reduction)


def validation_loss(model: nn.Module, blocks: BlockDataset, batch_size: int = 64) -> float:
    """Return the mean loss over all blocks."""
    model.eval()
    total = 0.0
    with facula.no_grad():
        for first in range(0, len(blocks), batch_size):
            pairs = [blocks[index] for index in range(first, min(first + batch_size, len(blocks)))]
            x, y = (facula.stack(tensors) for tensors in zip(*pairs, strict=True))
            total += next_character_loss(model, x, y, reduction="sum").item()
    model.train()
    return total / (len(blocks) * blocks.block_size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.path.join(os.environ.get("FACULA_TEST_DATA", "."), "tinyshakespeare"))
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--evaluate-every", type=int, default=500)
    parser.add_argument("--sample-length", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--only-first-steps", action="store_true", help="stop after the 20 steps that are printed")
    options = parser.parse_args()

    start = time.perf_counter()
    facula.manual_seed(options.seed)
    train_text, validation_text = TinyShakespeare(options.data, download=options.download)
    tokenizer = CharTokenizer(train_text + validation_text)
    train = facula.tensor(tokenizer.encode(train_text))
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=128,
        n_layer=4,
        n_head=4,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
    )
    validation = BlockDataset(facula.tensor(tokenizer.encode(validation_text)), config.n_positions)
    model = GPT2LMHeadModel(config)
    print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters, {len(tokenizer)} characters")

    # Matrices decay, biases and norms do not.
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    optimizer = facula.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=options.learning_rate,
        betas=(0.9, 0.99),
    )
    warmup = 100

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(options.steps - warmup, 1)
        return 0.1 + 0.45 * (1.0 + math.cos(math.pi * progress))

    scheduler = facula.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for step in range(1, options.steps + 1):
        x, y = random_blocks(train, config.n_positions, options.batch_size)
        loss = next_character_loss(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step <= 20:
            print(f"step {step:2d}  loss {loss.item():.6f}", flush=True)
        elif options.only_first_steps:
            return
        if step % options.evaluate_every == 0 or step == options.steps:
            seconds = time.perf_counter() - start
            print(
                f"step {step}  loss {loss.item():.4f}  validation {validation_loss(model, validation):.4f} nats/char"
                f"  {seconds:.0f} s",
                flush=True,
            )

    prompt = facula.tensor([tokenizer.encode("\n")])
    sample = model.generate(prompt, options.sample_length, temperature=0.8, top_k=None, do_sample=True)
    print(tokenizer.decode(sample[0]))


if __name__ == "__main__":
    main()
