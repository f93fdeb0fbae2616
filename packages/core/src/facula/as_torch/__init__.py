"""Runs programs written for PyTorch: ``import torch`` gives facula's modules under PyTorch's names.

    python -m facula.as_torch train.py --epochs 3

or, in a program, before anything imports ``torch``:

    import facula.as_torch
    facula.as_torch.install()

This folder only maps names. ``names.py`` says which module of facula stands where, ``stand_ins/`` holds what PyTorch's
surroundings ask for and an eager library may answer without doing anything: ``jit.ignore``, ``compiler.is_compiling``,
``backends.cudnn.benchmark``. What PyTorch has and facula has not raises NotImplementedError, naming it.
"""

from facula.as_torch.finder import install, uninstall

__all__ = ["install", "uninstall"]
