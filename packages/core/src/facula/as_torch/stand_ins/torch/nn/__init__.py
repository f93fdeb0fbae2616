"""Parts of ``torch.nn`` that change nothing here."""
