"""The sizes and rates of a GPT-2 model, with the names of its config.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["GPT2Config"]


@dataclass(frozen=True)
class GPT2Config:
    """The configuration of a GPT-2 model; the defaults are the published small model's (124 million parameters).

    >>> GPT2Config(vocab_size=65, n_positions=64, n_embd=128, n_layer=4, n_head=4).head_size
    32
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02

    def __post_init__(self) -> None:
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        if self.n_embd % self.n_head != 0:
            raise ValueError(f"expected n_embd to be a multiple of n_head, got {self.n_embd} and {self.n_head}")

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        return self.n_embd // self.n_head

    @property
    def inner_size(self) -> int:
        """The width of the hidden layer of each block's MLP: ``n_inner``, else four times ``n_embd``."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner

    def to_dict(self) -> dict[str, object]:
        """Return the fields as a dictionary, as ``config.json`` holds them."""
        return {"model_type": "gpt2", **asdict(self)}

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "GPT2Config":
        """Return the configuration in a parsed ``config.json``; what a model here has no use for is passed over.

        ValueError for a file of another model, or with an activation other than GPT-2's.
        """
        if config.get("model_type", "gpt2") != "gpt2":
            raise ValueError(f"expected a configuration with model_type 'gpt2', got {config['model_type']!r}")
        if config.get("activation_function", "gelu_new") != "gelu_new":
            raise ValueError(f"expected activation_function 'gelu_new', got {config['activation_function']!r}")
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in names})
