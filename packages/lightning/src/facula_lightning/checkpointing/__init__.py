"""Checkpoints: their files, their content, and objects made from them."""
