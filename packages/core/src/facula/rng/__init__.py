"""PyTorch's random number stream on NumPy arrays."""

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
