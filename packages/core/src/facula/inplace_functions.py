"""In-place methods as functions: ``facula.exp_(x)`` is ``x.exp_()``."""

from collections.abc import Callable

from facula.tensor import Tensor

_NAMES = """
    abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ asinh_ atan_ atanh_
    ceil_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_
    fill_ fix_ floor_ frac_ gcd_ i0_ index_put_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_
    rad2deg_ reciprocal_ resize_as_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_
""".split()

__all__ = [name for name in _NAMES if hasattr(Tensor, name)]


def _function(name: str) -> Callable[..., Tensor]:
    def function(input: Tensor, *args: object, **kwargs: object) -> Tensor:
        return getattr(input, name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return ``input``, changed as by its method ``{name}``."
    return function


globals().update({name: _function(name) for name in __all__})
