"""GPT-2 (Radford and others 2019) with the state_dict keys of the published checkpoints."""

import math
from os import PathLike

import facula
from facula import Generator, Tensor, nn
from facula.nn import functional as F

from facula_text.models.generation import generate
from facula_text.models.gpt2_checkpoint import read_gpt2_folder, write_gpt2_folder
from facula_text.models.gpt2_config import GPT2Config
from facula_text.models.outputs import CausalLMOutput, KeyValueCache

__all__ = ["GPT2LMHeadModel", "GPT2Model"]


class Conv1D(nn.Module):
    """A linear layer whose weight is stored (in, out), as GPT-2's checkpoints have it."""

    def __init__(self, out_features: int, in_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(facula.empty(in_features, out_features))
        self.bias = nn.Parameter(facula.zeros(out_features))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.weight.shape[0]}, out_features={self.weight.shape[1]}"


class GPT2Attention(nn.Module):
    """Causal self-attention; queries, keys and values come from one projection."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.head_size = config.head_size
        self.dropout = config.attn_pdrop
        self.c_attn = Conv1D(3 * config.n_embd, config.n_embd)
        self.c_proj = Conv1D(config.n_embd, config.n_embd)
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def forward(
        self, x: Tensor, mask: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the mixed tokens (N, L, n_embd), and the keys and values of all tokens so far.

        ``mask`` is True where a query may look at a key; without one, and without ``past``, attention is causal.
        """
        batch, length, width = x.shape
        packed = self.c_attn(x).view(batch, length, 3, self.n_head, self.head_size)
        query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        if past is not None:
            key = facula.cat((past[0], key), dim=2)
            value = facula.cat((past[1], value), dim=2)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            # A single new token may look at everything before it.
            is_causal=mask is None and length > 1,
        )
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        return self.resid_dropout(self.c_proj(mixed)), (key, value)


class GPT2MLP(nn.Module):
    """The two linear layers of a block, with the tanh form of GELU between them."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.c_fc = Conv1D(config.inner_size, config.n_embd)
        self.c_proj = Conv1D(config.n_embd, config.inner_size)
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))


class GPT2Block(nn.Module):
    """Attention and MLP, each normalised before and added to what came in."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = GPT2Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = GPT2MLP(config)

    def forward(
        self, x: Tensor, mask: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        mixed, present = self.attn(self.ln_1(x), mask, past)
        x = x + mixed
        return x + self.mlp(self.ln_2(x)), present


class GPT2Model(nn.Module):
    """GPT-2 without its output layer: token indices (N, L) to hidden states (N, L, n_embd)."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.drop = nn.Dropout(config.embd_pdrop)
        self.h = nn.ModuleList([GPT2Block(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        _initialize(self, config)

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: KeyValueCache | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> tuple[Tensor, KeyValueCache]:
        """Return the hidden states of ``input_ids`` (N, L) and the keys and values of all tokens so far.

        With ``past_key_values`` the tokens follow those of an earlier call. ``attention_mask`` (N, past + L) is 0 at
        padding, which may stand on either side. More than ``n_positions`` tokens raise IndexError.
        """
        batch, length = input_ids.shape
        past_length = 0 if past_key_values is None else past_key_values[0][0].shape[2]
        total = past_length + length
        if total > self.config.n_positions:
            raise IndexError(f"expected at most n_positions = {self.config.n_positions} tokens, got {total}")
        if attention_mask is not None and attention_mask.shape != (batch, total):
            raise ValueError(f"expected attention_mask of shape {(batch, total)}, got {tuple(attention_mask.shape)}")
        if position_ids is None:
            position_ids = _positions(attention_mask, past_length, total, input_ids.device)
        hidden = self.drop(self.wte(input_ids) + self.wpe(position_ids))
        mask = _attention_mask(attention_mask, past_length, total, input_ids.device)
        presents = []
        for layer, block in enumerate(self.h):
            hidden, present = block(hidden, mask, None if past_key_values is None else past_key_values[layer])
            presents.append(present)
        return self.ln_f(hidden), presents


class GPT2LMHeadModel(nn.Module):
    """GPT-2 as a language model; the output layer shares the token embedding's weight.

    >>> model = GPT2LMHeadModel(GPT2Config(vocab_size=65, n_positions=16, n_embd=32, n_layer=2, n_head=4))
    >>> model(facula.zeros(2, 5, dtype=facula.int64)).logits.shape
    facula.Size([2, 5, 65])
    """

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.transformer = GPT2Model(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: KeyValueCache | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool = False,
    ) -> CausalLMOutput:
        """Return the logits of the token after each of ``input_ids`` (N, L); see ``GPT2Model.forward``.

        With ``labels`` (N, L), most often ``input_ids`` themselves, the loss is the mean cross-entropy of each token
        given those before it; labels of -100 do not count. With ``use_cache`` the keys and values come along.
        """
        hidden, presents = self.transformer(input_ids, past_key_values, attention_mask, position_ids)
        logits = self.lm_head(hidden)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1))
        return CausalLMOutput(logits, loss, presents if use_cache else None)

    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int = 20,
        temperature: float = 1.0,
        top_k: int | None = 50,
        top_p: float | None = None,
        do_sample: bool = False,
        generator: Generator | None = None,
        eos_token_id: int | None = None,
        pad_token_id: int | None = None,
        attention_mask: Tensor | None = None,
        use_cache: bool = True,
    ) -> Tensor:
        """Return ``input_ids`` (N, L) continued by up to ``max_new_tokens``: see ``facula_text.models.generate``."""
        return generate(
            self,
            input_ids,
            max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            do_sample=do_sample,
            generator=generator,
            eos_token_id=eos_token_id,
            pad_token_id=pad_token_id,
            attention_mask=attention_mask,
            use_cache=use_cache,
            context_length=self.config.n_positions,
        )

    @classmethod
    def from_pretrained(cls, directory: str | PathLike[str]) -> "GPT2LMHeadModel":
        """Return the model in a local folder, in evaluation mode: ``config.json`` and the weights.

        The weights are ``model.safetensors`` or ``pytorch_model.bin``, in any layout GPT-2 was published in; nothing
        in them is executed.
        """
        config, state_dict = read_gpt2_folder(directory)
        model = cls(config)
        model.load_state_dict(state_dict)
        return model.eval()

    def save_pretrained(self, save_directory: str | PathLike[str]) -> None:
        """Write ``config.json`` and ``model.safetensors`` into a folder, as ``from_pretrained`` reads them."""
        write_gpt2_folder(save_directory, self.config, self.state_dict())


def _positions(attention_mask: Tensor | None, past: int, total: int, device: facula.device) -> Tensor:
    """Return the position of each new token, (L,) or (N, L): padding on the left takes none."""
    if attention_mask is None:
        return facula.arange(past, total, device=device)
    return (attention_mask.long().cumsum(1) - 1).clamp(min=0)[:, past:]


def _attention_mask(attention_mask: Tensor | None, past: int, total: int, device: facula.device) -> Tensor | None:
    """Return which keys each new token may look at, (L, total) or (N, 1, L, total); None where the default will do."""
    if attention_mask is None and (past == 0 or total - past == 1):
        return None
    queries = facula.arange(past, total, device=device).unsqueeze(1)
    keys = facula.arange(total, device=device)
    causal = keys <= queries
    if attention_mask is None:
        return causal
    # A padding token may look at itself, so that no row of the softmax is empty; nobody looks at it.
    visible = attention_mask.bool()[:, None, None, :] | (keys == queries)
    return causal & visible


def _initialize(model: GPT2Model, config: GPT2Config) -> None:
    """Draw the weights as GPT-2 does: normal, and smaller where a block adds to the residual stream."""
    std = config.initializer_range
    for module in model.modules():
        if isinstance(module, (Conv1D, nn.Embedding)):
            nn.init.normal_(module.weight, std=std)
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            nn.init.normal_(parameter, std=std / math.sqrt(2 * config.n_layer))
