"""GPT-2: keys, initial weights, logits and gradients."""

import math

import facula
import numpy
import pytest
from facula_text.models import GPT2Config, GPT2LMHeadModel, GPT2Model

SMALL = GPT2Config(
    vocab_size=23, n_positions=12, n_embd=16, n_layer=2, n_head=4, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
)

BLOCK_SHAPES = {
    "ln_1.weight": (16,),
    "ln_1.bias": (16,),
    "attn.c_attn.weight": (16, 48),
    "attn.c_attn.bias": (48,),
    "attn.c_proj.weight": (16, 16),
    "attn.c_proj.bias": (16,),
    "ln_2.weight": (16,),
    "ln_2.bias": (16,),
    "mlp.c_fc.weight": (16, 64),
    "mlp.c_fc.bias": (64,),
    "mlp.c_proj.weight": (64, 16),
    "mlp.c_proj.bias": (16,),
}


def layer_norm(x, weight, bias, eps):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / numpy.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps) * weight + bias


def softmax(x):
    exponentials = numpy.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def gelu_tanh(x):
    return 0.5 * x * (1.0 + numpy.tanh(numpy.sqrt(2.0 / numpy.pi) * (x + 0.044715 * x**3)))


def gpt2_logits(weights, tokens, n_layer, n_head, eps=1e-5):
    """Return the logits (L, vocabulary) of one row of tokens: GPT-2 in NumPy, after its paper and its checkpoints."""
    length = len(tokens)
    x = weights["transformer.wte.weight"][tokens] + weights["transformer.wpe.weight"][:length]
    size = x.shape[-1] // n_head
    future = numpy.triu(numpy.ones((length, length), dtype=bool), k=1)
    for layer in range(n_layer):

        def part(name, prefix=f"transformer.h.{layer}."):
            return weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"]

        weight, bias = part("attn.c_attn")
        query, key, value = numpy.split(layer_norm(x, *part("ln_1"), eps) @ weight + bias, 3, axis=-1)
        heads = []
        for head in range(n_head):
            own = slice(head * size, (head + 1) * size)
            scores = query[:, own] @ key[:, own].T / numpy.sqrt(size)
            heads.append(softmax(numpy.where(future, -numpy.inf, scores)) @ value[:, own])
        weight, bias = part("attn.c_proj")
        x = x + numpy.concatenate(heads, axis=-1) @ weight + bias
        weight, bias = part("mlp.c_fc")
        hidden = gelu_tanh(layer_norm(x, *part("ln_2"), eps) @ weight + bias)
        weight, bias = part("mlp.c_proj")
        x = x + hidden @ weight + bias
    x = layer_norm(x, weights["transformer.ln_f.weight"], weights["transformer.ln_f.bias"], eps)
    return x @ weights["lm_head.weight"].T


@pytest.fixture
def model():
    facula.manual_seed(0)
    model = GPT2LMHeadModel(SMALL)
    with facula.no_grad():
        # Larger than the initial weights, so that every part shows in the logits.
        for parameter in model.parameters():
            parameter.add_(0.3 * facula.randn(parameter.shape))
    return model.eval()


def tokens(*shape):
    return facula.randint(SMALL.vocab_size, shape)


def as_arrays(model):
    return {key: value.detach().numpy().astype(numpy.float64) for key, value in model.state_dict().items()}


def test_keys_and_shapes_are_the_published_ones(model):
    expected = {"transformer.wte.weight": (23, 16), "transformer.wpe.weight": (12, 16)}
    for layer in range(2):
        expected |= {f"transformer.h.{layer}.{name}": shape for name, shape in BLOCK_SHAPES.items()}
    expected |= {"transformer.ln_f.weight": (16,), "transformer.ln_f.bias": (16,), "lm_head.weight": (23, 16)}
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == expected
    assert list(model.state_dict()) == list(expected)


def test_the_published_small_model_has_124_million_parameters():
    config = GPT2Config()
    block = 12 * config.n_embd**2 + 13 * config.n_embd
    embeddings = (config.vocab_size + config.n_positions) * config.n_embd
    assert embeddings + config.n_layer * block + 2 * config.n_embd == 124_439_808
    small = sum(parameter.numel() for parameter in GPT2LMHeadModel(SMALL).parameters())
    assert small == (23 + 12) * 16 + 2 * (12 * 16**2 + 13 * 16) + 2 * 16


def test_the_output_layer_is_the_embedding(model):
    assert model.lm_head.weight is model.transformer.wte.weight
    model(tokens(2, 5)).logits.sum().backward()
    assert model.lm_head.weight.grad is model.transformer.wte.weight.grad


def test_initial_weights():
    facula.manual_seed(0)
    model = GPT2Model(GPT2Config(vocab_size=500, n_positions=100, n_embd=128, n_layer=2, n_head=4))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert parameter.abs().max().item() == 0.0, name
        elif ".ln_" in name or name.startswith("ln_"):
            assert (parameter == 1.0).all(), name
        else:
            std = 0.02 / math.sqrt(4) if name.endswith("c_proj.weight") else 0.02
            assert abs(parameter.std().item() / std - 1.0) < 0.05, name
            assert abs(parameter.mean().item()) < 0.1 * std, name


def test_logits_equal_the_reference(model):
    batch = tokens(3, 12)
    logits = model(batch).logits
    assert logits.shape == (3, 12, 23)
    for row in range(3):
        expected = gpt2_logits(as_arrays(model), batch[row].tolist(), n_layer=2, n_head=4)
        numpy.testing.assert_allclose(logits[row].detach().numpy(), expected, rtol=1e-4, atol=1e-4)


def test_double_precision_equals_the_reference_closely(model):
    model.double()
    batch = tokens(1, 7)
    expected = gpt2_logits(as_arrays(model), batch[0].tolist(), n_layer=2, n_head=4)
    numpy.testing.assert_allclose(model(batch).logits[0].detach().numpy(), expected, rtol=1e-10, atol=1e-10)


def test_later_tokens_do_not_show(model):
    batch = tokens(1, 8)
    changed = batch.clone()
    changed[0, 5:] = (changed[0, 5:] + 1) % SMALL.vocab_size
    before, after = model(batch).logits, model(changed).logits
    assert facula.allclose(before[:, :5], after[:, :5], atol=1e-5)
    assert not facula.allclose(before[:, 5:], after[:, 5:], atol=1e-2)


def test_loss_is_shifted_and_ignores_minus_100(model):
    batch = tokens(2, 6)
    output = model(batch, labels=batch)
    logarithms = output.logits.log_softmax(-1)
    expected = -logarithms[:, :-1].gather(-1, batch[:, 1:].unsqueeze(-1))
    assert facula.allclose(output.loss, expected.mean(), rtol=1e-5)
    labels = batch.clone()
    labels[0] = -100
    assert facula.allclose(model(batch, labels=labels).loss, expected[1].mean(), rtol=1e-5)
    assert output.past_key_values is None and model(batch).loss is None


def test_cached_tokens_give_the_same_logits(model):
    batch = tokens(2, 10)
    whole = model(batch).logits
    past = None
    parts = []
    for piece in batch.split([4, 1, 3, 2], dim=1):
        output = model(piece, past_key_values=past, use_cache=True)
        past = output.past_key_values
        parts.append(output.logits)
    assert facula.allclose(facula.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-4)
    assert len(past) == 2 and past[0][0].shape == (2, 4, 10, 4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_does_not_show(model, side):
    short = tokens(1, 4)
    padding = tokens(1, 3)
    kept, lost = facula.ones(1, 4, dtype=facula.int64), facula.zeros(1, 3, dtype=facula.int64)
    ids, mask = ((padding, short), (lost, kept)) if side == "left" else ((short, padding), (kept, lost))
    logits = model(facula.cat(ids, dim=1), attention_mask=facula.cat(mask, dim=1)).logits
    assert not logits.isnan().any()
    own = logits[:, 3:] if side == "left" else logits[:, :4]
    assert facula.allclose(own, model(short).logits, rtol=1e-4, atol=1e-4)


def test_dropout_is_on_in_training_only():
    config = GPT2Config(vocab_size=23, n_positions=12, n_embd=16, n_layer=1, n_head=4)
    model = GPT2LMHeadModel(config)
    batch = tokens(1, 6)
    assert not facula.equal(model(batch).logits, model(batch).logits)
    model.eval()
    assert facula.equal(model(batch).logits, model(batch).logits)


def test_too_many_tokens(model):
    with pytest.raises(IndexError, match="at most n_positions = 12 tokens, got 13"):
        model(tokens(1, 13))
    past = model(tokens(1, 10), use_cache=True).past_key_values
    with pytest.raises(IndexError, match="got 13"):
        model(tokens(1, 3), past_key_values=past)
    with pytest.raises(ValueError, match=r"attention_mask of shape \(1, 4\), got \(1, 3\)"):
        model(tokens(1, 4), attention_mask=facula.ones(1, 3))


def test_config():
    config = GPT2Config.from_dict({"model_type": "gpt2", "n_layer": 3, "architectures": ["x"], "n_ctx": 5})
    assert config.n_layer == 3 and config.inner_size == 4 * 768
    assert GPT2Config.from_dict(config.to_dict()) == config
    assert GPT2Config(n_inner=10).inner_size == 10
    with pytest.raises(ValueError, match="n_embd to be a multiple of n_head, got 10 and 4"):
        GPT2Config(n_embd=10, n_head=4)
    with pytest.raises(ValueError, match="n_layer of 1 or more, got 0"):
        GPT2Config(n_layer=0)
    with pytest.raises(ValueError, match="model_type 'gpt2', got 'llama'"):
        GPT2Config.from_dict({"model_type": "llama"})
    with pytest.raises(ValueError, match="activation_function 'gelu_new', got 'relu'"):
        GPT2Config.from_dict({"activation_function": "relu"})
