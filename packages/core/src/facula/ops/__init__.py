"""The operations, one family a file: forward, gradients and documentation together."""
