"""Rows of copies."""

import numpy as np

from samples.sample import ALL, Sample, case, complexes, unary

ROWS = [
    Sample("clone", [*unary(), case(complexes(3))], np.copy, ALL),
    Sample("detach", [*unary(), case(complexes(3))], np.copy, ALL, derivatives=0),
]
