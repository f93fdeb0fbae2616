"""GPT-2's loss and gradients against the same model written in PyTorch, where it is installed."""

import facula
import pytest
from facula_text.models import GPT2Config, GPT2LMHeadModel

torch = pytest.importorskip("torch")

CONFIG = GPT2Config(
    vocab_size=31, n_positions=16, n_embd=24, n_layer=3, n_head=3, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
)


def torch_loss(weights, x, y):
    functional = torch.nn.functional
    batch, length = x.shape
    hidden = weights["transformer.wte.weight"][x] + weights["transformer.wpe.weight"][:length]
    for layer in range(CONFIG.n_layer):
        prefix = f"transformer.h.{layer}."

        def norm(value, name, prefix=prefix):
            return functional.layer_norm(
                value, (CONFIG.n_embd,), weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"]
            )

        def project(value, name, prefix=prefix):
            return value @ weights[f"{prefix}{name}.weight"] + weights[f"{prefix}{name}.bias"]

        query, key, value = (
            part.view(batch, length, CONFIG.n_head, CONFIG.head_size).transpose(1, 2)
            for part in project(norm(hidden, "ln_1"), "attn.c_attn").chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + project(mixed.transpose(1, 2).reshape(batch, length, -1), "attn.c_proj")
        inner = functional.gelu(project(norm(hidden, "ln_2"), "mlp.c_fc"), approximate="tanh")
        hidden = hidden + project(inner, "mlp.c_proj")
    hidden = functional.layer_norm(
        hidden, (CONFIG.n_embd,), weights["transformer.ln_f.weight"], weights["transformer.ln_f.bias"]
    )
    logits = hidden @ weights["transformer.wte.weight"].T
    return functional.cross_entropy(logits.reshape(-1, CONFIG.vocab_size), y.reshape(-1))


def test_loss_and_every_gradient():
    facula.manual_seed(3)
    model = GPT2LMHeadModel(CONFIG).double()
    x, y = facula.randint(31, (4, 16)), facula.randint(31, (4, 16))
    logits = model(x).logits
    loss = facula.nn.functional.cross_entropy(logits.view(-1, 31), y.view(-1))
    loss.backward()

    weights = {
        name: torch.from_numpy(parameter.detach().numpy().copy()).requires_grad_()
        for name, parameter in model.named_parameters()
    }
    expected = torch_loss(weights, torch.from_numpy(x.numpy()), torch.from_numpy(y.numpy()))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    assert len(weights) == 2 + 12 * 3 + 2
    for name, parameter in model.named_parameters():
        ours = torch.from_numpy(parameter.grad.numpy().copy())
        torch.testing.assert_close(
            ours, weights[name].grad, rtol=1e-9, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}"
        )
