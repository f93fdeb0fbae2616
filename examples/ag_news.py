"""Classify news: the mean of word vectors on AG News, with facula and facula-text.

Run it with a folder that has ``train.csv`` (or ``train_10k.csv``) and ``test.csv``:

    python examples/ag_news.py --data path/to/ag_news_csv --train-file train_10k.csv
"""

import argparse
import os
import time

import facula
from facula import nn
from facula.utils.data import DataLoader
from facula_text.data import OffsetsCollate, get_tokenizer
from facula_text.datasets import AG_NEWS
from facula_text.models import TextClassificationModel
from facula_text.vocab import build_vocab_from_iterator


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """Return the share of samples the model gets right."""
    model.eval()
    right = total = 0
    with facula.no_grad():
        for labels, text, offsets in loader:
            right += (model(text, offsets).argmax(dim=1) == labels).sum().item()
            total += len(labels)
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.path.join(os.environ.get("FACULA_TEST_DATA", "."), "ag_news_csv"))
    parser.add_argument("--train-file", default=None, help="another file than train.csv, as train_10k.csv")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-first-steps", action="store_true", help="stop after the 20 steps that are printed")
    options = parser.parse_args()

    start = time.perf_counter()
    facula.manual_seed(options.seed)
    train, test = AG_NEWS(options.data, train_file=options.train_file)
    tokenize = get_tokenizer("basic_english")
    tokens = {text: tokenize(text) for dataset in (train, test) for _, text in dataset}
    words = build_vocab_from_iterator((tokens[text] for _, text in train), min_freq=2, specials=["<unk>"])
    words.set_default_index(words["<unk>"])
    train_samples, test_samples = (
        [(label - 1, facula.tensor(words(tokens[text]))) for label, text in dataset] for dataset in (train, test)
    )
    train_loader = DataLoader(train_samples, options.batch_size, shuffle=True, collate_fn=OffsetsCollate())
    test_loader = DataLoader(test_samples, 256, collate_fn=OffsetsCollate())
    print(f"{len(train)} training and {len(test)} test items, {len(words)} words")

    model = TextClassificationModel(len(words), embed_dim=64, num_class=4)
    optimizer = facula.optim.Adam(model.parameters(), lr=options.learning_rate)
    loss_function = nn.CrossEntropyLoss()
    step = 0
    for epoch in range(1, options.epochs + 1):
        model.train()
        for labels, text, offsets in train_loader:
            loss = loss_function(model(text, offsets), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step <= 20:
                print(f"step {step:2d}  loss {loss.item():.6f}")
            elif options.only_first_steps:
                return
        reached = accuracy(model, test_loader)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch}  last loss {loss.item():.4f}  test accuracy {reached:.4f}  {seconds:.0f} s")


if __name__ == "__main__":
    main()
