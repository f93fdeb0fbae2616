"""Generation: filters, greedy and sampled, with and without the cache."""

import facula
import pytest
from facula_text.models import GPT2Config, GPT2LMHeadModel, filter_top_k, filter_top_p

CONFIG = GPT2Config(vocab_size=29, n_positions=16, n_embd=24, n_layer=2, n_head=3)


@pytest.fixture
def model():
    facula.manual_seed(1)
    model = GPT2LMHeadModel(CONFIG)
    with facula.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * facula.randn(parameter.shape))
    return model


def seeded(seed=0):
    generator = facula.Generator()
    generator.manual_seed(seed)
    return generator


def test_top_k():
    logits = facula.tensor([[1.0, 3.0, 2.0, 0.0], [4.0, 4.0, 4.0, 5.0]])
    infinity = float("inf")
    assert filter_top_k(logits, 2).tolist() == [[-infinity, 3.0, 2.0, -infinity], [4.0, 4.0, 4.0, 5.0]]
    assert filter_top_k(logits, 9).tolist() == logits.tolist()
    with pytest.raises(ValueError, match="top_k of 1 or more, got 0"):
        filter_top_k(logits, 0)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.05, [1]), (0.39, [1]), (0.41, [1, 3]), (0.69, [1, 3]), (0.71, [0, 1, 3]), (1.0, [0, 1, 2, 3])],
)
def test_top_p(top_p, kept):
    logits = facula.tensor([[0.2, 0.4, 0.1, 0.3]]).log()
    filtered = filter_top_p(logits, top_p)
    assert [index for index, value in enumerate(filtered[0].tolist()) if value > -1e9] == kept
    assert filtered[0, kept].tolist() == logits[0, kept].tolist()


def test_top_p_out_of_range():
    for top_p in (0.0, 1.1):
        with pytest.raises(ValueError, match=f"above 0 and at most 1, got {top_p}"):
            filter_top_p(facula.zeros(1, 3), top_p)


def test_greedy_takes_the_likeliest_each_time(model):
    prompt = facula.randint(29, (3, 4))
    tokens = prompt
    model.eval()
    for _ in range(8):
        tokens = facula.cat((tokens, model(tokens).logits[:, -1].argmax(-1, keepdim=True)), dim=1)
    assert facula.equal(model.generate(prompt, 8), tokens)


@pytest.mark.parametrize("length", [1, 5, 16, 20])
def test_the_cache_changes_nothing(model, length):
    # 30 new tokens go well past the 16 positions the model has.
    prompt = facula.randint(29, (2, length))
    cached = model.generate(prompt, 30)
    assert cached.shape == (2, length + 30)
    assert facula.equal(cached, model.generate(prompt, 30, use_cache=False))
    sampled = [
        model.generate(prompt, 30, do_sample=True, top_p=0.9, generator=seeded(), use_cache=use_cache)
        for use_cache in (True, False)
    ]
    assert facula.equal(*sampled)
    assert not facula.equal(sampled[0], cached)


def test_the_cache_is_used(model, monkeypatch):
    lengths = []
    forward = model.forward

    def recording_forward(input_ids, **options):
        lengths.append(input_ids.shape[1])
        return forward(input_ids, **options)

    monkeypatch.setattr(model, "forward", recording_forward)
    model.generate(facula.zeros(1, 12, dtype=facula.int64), 7)
    assert lengths == [12, 1, 1, 1, 1, 16, 16]


def test_left_padded_rows_go_on_as_if_alone(model):
    rows = [facula.randint(29, (1, length)) for length in (2, 5)]
    alone = [model.generate(row, 6)[:, -6:] for row in rows]
    padded = facula.cat((facula.cat((facula.zeros(1, 3, dtype=facula.int64), rows[0]), dim=1), rows[1]))
    mask = facula.tensor([[0, 0, 0, 1, 1], [1, 1, 1, 1, 1]])
    for use_cache in (True, False):
        together = model.generate(padded, 6, attention_mask=mask, use_cache=use_cache)
        assert facula.equal(together[:, -6:], facula.cat(alone))


def test_end_of_text(model):
    prompt = facula.randint(29, (4, 3))
    free = model.generate(prompt, 10)[:, 3:]
    eos = free[0, 2].item()
    stopped = model.generate(prompt, 10, eos_token_id=eos, pad_token_id=28)[:, 3:]
    for row in range(4):
        expected = free[row].tolist()
        if eos in expected:
            end = expected.index(eos) + 1
            expected = expected[:end] + [28] * (10 - end)
        assert stopped[row].tolist() == expected[: stopped.shape[1]]
    alone = model.generate(prompt[:1], 10, eos_token_id=eos)[:, 3:]
    assert alone.tolist()[0] == free[0].tolist()[: free[0].tolist().index(eos) + 1]


def test_sampling_follows_the_generator_and_the_limits(model):
    prompt = facula.zeros(50, 1, dtype=facula.int64)
    first = model.generate(prompt, 1, do_sample=True, generator=seeded(5))
    assert facula.equal(first, model.generate(prompt, 1, do_sample=True, generator=seeded(5)))
    assert not facula.equal(first, model.generate(prompt, 1, do_sample=True, generator=seeded(6)))
    assert len(set(first[:, 1].tolist())) > 3
    model.eval()
    likeliest = model(prompt[:1]).logits[0, -1].topk(3).indices.tolist()
    limited = model.generate(prompt, 1, do_sample=True, top_k=3, temperature=5.0, generator=seeded())
    assert set(limited[:, 1].tolist()) == set(likeliest)
    cold = model.generate(prompt, 1, do_sample=True, temperature=1e-4, generator=seeded())
    assert set(cold[:, 1].tolist()) == {likeliest[0]}


def test_nothing_stays_behind(model):
    model.train()
    prompt = facula.zeros(1, 2, dtype=facula.int64)
    result = model.generate(prompt, 3)
    assert model.training and model.transformer.drop.training
    assert not result.requires_grad
    assert facula.equal(result, model.generate(prompt, 3))
    assert facula.equal(model.generate(prompt, 0), prompt)


def test_bad_arguments(model):
    prompt = facula.zeros(1, 2, dtype=facula.int64)
    with pytest.raises(ValueError, match=r"shape \(N, L\) with a token to start from, got \(2,\)"):
        model.generate(prompt[0])
    with pytest.raises(ValueError, match=r"got \(1, 0\)"):
        model.generate(prompt[:, :0])
    with pytest.raises(ValueError, match=r"attention_mask of shape \(1, 2\), got \(1, 3\)"):
        model.generate(prompt, attention_mask=facula.ones(1, 3))
    with pytest.raises(ValueError, match="max_new_tokens of 0 or more, got -1"):
        model.generate(prompt, -1)
    with pytest.raises(ValueError, match="temperature above 0, got 0"):
        model.generate(prompt, do_sample=True, temperature=0)
