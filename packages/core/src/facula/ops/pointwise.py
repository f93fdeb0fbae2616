"""Arithmetic and elementary functions, element by element, with broadcasting."""

import numpy as np

from facula import dtypes
from facula.primitive import primitive, promote, to_float
from facula.types import Number, Tensor, TensorLike

__all__ = [
    *("abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "angle", "arccos", "arccosh", "arcsin"),
    *("arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "clamp"),
    *("clamp_max", "clamp_min", "clip", "conj", "conj_physical", "copysign", "cos", "cosh", "deg2rad", "div", "divide"),
    *("erf", "erfc", "exp", "exp2", "expm1", "fix", "float_power", "floor", "floor_divide", "fmod", "frac", "hypot"),
    *("lerp", "lgamma", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logit", "maximum", "minimum"),
    *("mul", "multiply", "nan_to_num", "neg", "negative", "positive", "pow", "rad2deg", "reciprocal", "remainder"),
    *("round", "rsqrt", "rsub", "sgn", "sigmoid", "sign", "sin", "sinc", "sinh", "softplus_", "sqrt", "square", "sub"),
    *("subtract", "tan", "tanh", "true_divide", "trunc", "where", "xlogy"),
]
