"""``torch.backends``: switches of libraries that are not used; they can be set and change nothing."""
