"""Agreement of facula with PyTorch, held against PyTorch's own databases of operators, modules and optimizers."""
