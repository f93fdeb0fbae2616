"""Parts of ``torch.utils`` that PyTorch's own code is made of."""
