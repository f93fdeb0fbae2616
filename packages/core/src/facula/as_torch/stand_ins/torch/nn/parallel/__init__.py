"""``torch.nn.parallel``: see `facula.nn.parallel`; its helpers are for several devices in one process."""
