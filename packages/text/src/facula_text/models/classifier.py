"""A text classifier: the mean of the word vectors, then one linear layer."""

from facula import Tensor, nn

__all__ = ["TextClassificationModel"]


class TextClassificationModel(nn.Module):
    """The classifier of PyTorch's text classification tutorial: mean of the embeddings, then a linear layer.

    ``dropout`` is applied to the mean.

    >>> import facula
    >>> model = TextClassificationModel(vocab_size=100, embed_dim=16, num_class=4)
    >>> model(facula.tensor([5, 6, 7]), facula.tensor([0, 2])).shape
    facula.Size([2, 4])
    """

    def __init__(self, vocab_size: int, embed_dim: int, num_class: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim)
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
        return self.fc(self.dropout(self.embedding(text, offsets)))
