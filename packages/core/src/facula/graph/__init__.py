"""The recorded graph: its nodes, the walk that computes gradients, and the modes that govern recording."""
