"""The text classifier: means, gradients, and learning from real text."""

import facula
import pytest
from facula.utils.data import DataLoader
from facula_text.data import OffsetsCollate, get_tokenizer
from facula_text.datasets import AG_NEWS
from facula_text.models import TextClassificationModel
from facula_text.vocab import build_vocab_from_iterator


def test_keys_and_initial_weights():
    facula.manual_seed(0)
    model = TextClassificationModel(vocab_size=50, embed_dim=8, num_class=3)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert shapes == {"embedding.weight": (50, 8), "fc.weight": (3, 8), "fc.bias": (3,)}
    for weight in (model.embedding.weight, model.fc.weight):
        assert 0.4 < weight.abs().max().item() <= 0.5
    assert model.fc.bias.abs().max().item() == 0.0


def test_each_text_is_the_mean_of_its_tokens():
    model = TextClassificationModel(vocab_size=10, embed_dim=4, num_class=3)
    texts = [[1, 2, 2], [], [7], []]
    _, tokens, offsets = OffsetsCollate()([(0, text) for text in texts])
    logits = model(tokens, offsets)
    for row, text in enumerate(texts):
        mean = model.embedding.weight[text].mean(0) if text else facula.zeros(4)
        assert facula.allclose(logits[row], model.fc(mean), atol=1e-6)


def test_gradient_of_the_embedding():
    model = TextClassificationModel(vocab_size=5, embed_dim=2, num_class=1)
    model(facula.tensor([3, 1, 3]), facula.tensor([0, 1])).sum().backward()
    shares = facula.tensor([0.0, 0.5, 0.0, 1.5, 0.0])
    assert facula.allclose(model.embedding.weight.grad, shares.unsqueeze(1) * model.fc.weight)


@pytest.mark.parametrize("seed", [0])
def test_learns_real_news(test_data, seed):
    facula.manual_seed(seed)
    tokenize = get_tokenizer("basic_english")
    news = [(label - 1, tokenize(text)) for label, text in AG_NEWS(test_data / "ag_news_csv", "test")]
    words = build_vocab_from_iterator((tokens for _, tokens in news[:2000]), min_freq=2, specials=["<unk>"])
    words.set_default_index(0)
    samples = [(label, words(tokens)) for label, tokens in news[:3000]]
    model = TextClassificationModel(len(words), embed_dim=32, num_class=4)
    optimizer = facula.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(3):
        for labels, tokens, offsets in DataLoader(samples[:2000], 50, shuffle=True, collate_fn=OffsetsCollate()):
            optimizer.zero_grad()
            facula.nn.functional.cross_entropy(model(tokens, offsets), labels).backward()
            optimizer.step()
    labels, tokens, offsets = OffsetsCollate()(samples[2000:])
    with facula.no_grad():
        accuracy = (model(tokens, offsets).argmax(1) == labels).float().mean().item()
    # Guessing gives 0.25.
    assert accuracy > 0.75
