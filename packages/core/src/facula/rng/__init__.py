"""PyTorch's random number stream on NumPy arrays.

From one seed, the same sequence of calls gives bit for bit what PyTorch 2.13 gives on an x86-64 CPU with AVX2 (its
builds no longer draw through MKL), and leaves the generator in the same state. What may differ, and why:

- ``exponential``, ``cauchy``, ``log_normal`` and ``geometric`` for types narrower than float64 go through NumPy's
  vectorised functions in float64: where those differ from the C library's in the last bit, about one result in a
  billion rounds to the neighbouring float32.
- ``multinomial`` without replacement orders equal race times by category; PyTorch's sorting leaves them in another
  order. In float16 and bfloat16 equal times are common.
- ``dirichlet`` in float64 may differ in the last bits: PyTorch adds up a row in an order that depends on the CPU.
- float64 results hang on the C library's sin, cos, log and so on: PyTorch's on the same machine are the same.
"""

from facula.rng.continuous import cauchy, exponential, log_normal, normal, uniform
from facula.rng.discrete import bernoulli, geometric, multinomial, permutation, random_full, random_integers
from facula.rng.generator import Generator, default_generator, initial_seed, manual_seed, seed
from facula.rng.rejection import binomial, dirichlet, poisson, standard_gamma

__all__ = [
    "Generator",
    "bernoulli",
    "binomial",
    "cauchy",
    "default_generator",
    "dirichlet",
    "exponential",
    "geometric",
    "initial_seed",
    "log_normal",
    "manual_seed",
    "multinomial",
    "normal",
    "permutation",
    "poisson",
    "random_full",
    "random_integers",
    "seed",
    "standard_gamma",
    "uniform",
]
