"""Special functions under PyTorch's names: ``facula.special``."""

from facula.ops.activation import log_softmax, softmax
from facula.ops.elementary import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    logit,
    polygamma,
    sinc,
)
from facula.ops.elementary import digamma as psi
from facula.ops.elementary import lgamma as gammaln
from facula.ops.elementary import mvlgamma as multigammaln
from facula.ops.elementary import sigmoid as expit
from facula.ops.pointwise import xlogy
from facula.ops.reduction import logsumexp
from facula.ops.rounding import round
from facula.ops.special import (
    entr,
    erfcx,
    i0,
    i0e,
    i1,
    i1e,
    igamma,
    igammac,
    log_ndtr,
    ndtr,
    ndtri,
    xlog1py,
    zeta,
)

gammainc = igamma
gammaincc = igammac

__all__ = ["gammainc", "gammaincc"]
__all__ += ["digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "i0e", "i1"]
__all__ += ["i1e", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri"]
__all__ += ["polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy", "zeta"]
