"""Side by side with PyTorch: what a call, a program and an import cost, as ratios in one run."""
