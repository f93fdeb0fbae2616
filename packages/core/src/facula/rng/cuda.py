"""Random numbers on the GPU: cuRAND's Philox stream, through CuPy, at a generator's seed and offset."""
