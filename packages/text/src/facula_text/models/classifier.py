"""A text classifier: the mean of the word vectors, then one linear layer."""

import facula
from facula import Tensor, nn

__all__ = ["TextClassificationModel"]


class TextClassificationModel(nn.Module):
    """The classifier of PyTorch's text classification tutorial: mean of the embeddings, then a linear layer.

    ``dropout`` is applied to the mean.

    >>> model = TextClassificationModel(vocab_size=100, embed_dim=16, num_class=4)
    >>> model(facula.tensor([5, 6, 7]), facula.tensor([0, 2])).shape
    facula.Size([2, 4])
    """

    def __init__(self, vocab_size: int, embed_dim: int, num_class: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(embed_dim, num_class)
        self.init_weights()

    def init_weights(self) -> None:
        """Draw the weights anew, uniform between -0.5 and 0.5; the bias is zero."""
        nn.init.uniform_(self.embedding.weight, -0.5, 0.5)
        nn.init.uniform_(self.fc.weight, -0.5, 0.5)
        nn.init.zeros_(self.fc.bias)

    def forward(self, text: Tensor, offsets: Tensor) -> Tensor:
        """Return the logits (N, num_class) of N texts whose tokens stand in a row in ``text`` (T,).

        ``offsets`` (N,) says where each text starts; the mean of a text without tokens is zero.
        """
        averaging = _averaging_matrix(offsets, text.numel(), self.embedding.weight.dtype)
        return self.fc(self.dropout(averaging @ self.embedding(text)))


def _averaging_matrix(offsets: Tensor, total: int, dtype: facula.dtype) -> Tensor:
    """Return the matrix (N, total) whose product with T token vectors is the mean of each text's vectors."""
    ends = facula.cat((offsets[1:], offsets.new_full((1,), total)))
    positions = facula.arange(total, device=offsets.device)
    belongs = (positions >= offsets.unsqueeze(1)) & (positions < ends.unsqueeze(1))
    lengths = (ends - offsets).clamp(min=1)
    return belongs.to(dtype) / lengths.unsqueeze(1)
