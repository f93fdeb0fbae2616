"""class Tensor: what it knows of itself, and the table of its operations."""

from __future__ import annotations

from facula import storage as storage_family
from facula.methods import inplace, operator, reflected
from facula.ops import (
    activation,
    bits,
    comparison,
    complex_numbers,
    conversion,
    cumulative,
    decompositions,
    elementary,
    extrema,
    filling,
    fourier,
    gathering,
    householder,
    index_arithmetic,
    indexing,
    joining,
    layouts,
    linear_algebra,
    lu_factorization,
    matrix_functions,
    norms,
    padding,
    pointwise,
    random,
    reduction,
    rounding,
    selection,
    shape,
    sorting,
    special,
    splitting,
    statistics,
    view_copies,
)
from facula.ops import matmul as matmul_family
from facula.ops import softmax as softmax_family
from facula.overrides import on_subclass
from facula.tensor_base import register_tensor_class
from facula.tensor_properties import TensorProperties


class Tensor(TensorProperties, layouts.LayoutMethods):
    """A multi-dimensional array of one element type that records what is done to it.

    Operations are functions of ``facula``; each line below hangs one of them on the class, also as an in-place method
    (``add_``) or an operator.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        on_subclass(cls)

    # conversion
    clone = conversion.clone
    contiguous = conversion.contiguous
    detach = conversion.detach
    _take_region = conversion.take_region
    _place_region = conversion.place_region
    _clear_region = conversion.clear_region

    # storage
    dim_order = storage_family.dim_order
    is_pinned = storage_family.is_pinned
    is_set_to = storage_family.is_set_to
    is_shared = storage_family.is_shared
    pin_memory = storage_family.pin_memory
    storage = storage_family.typed_storage
    untyped_storage = storage_family.untyped_storage

    # filling
    copy_ = filling.copy_
    fill_ = filling.fill_
    zero_ = filling.zero_
    fill_diagonal_ = filling.fill_diagonal_
    new_empty = filling.new_empty
    new_full = filling.new_full
    new_ones = filling.new_ones
    new_tensor = filling.new_tensor
    new_zeros = filling.new_zeros
    new = filling.new
    resize_ = filling.resize_
    resize_as_ = filling.resize_as_
    apply_ = filling.apply_
    map_ = filling.map_
    set_ = filling.set_

    # pointwise
    abs = absolute = pointwise.abs
    abs_ = absolute_ = inplace(pointwise.abs)
    add = pointwise.add
    add_ = inplace(pointwise.add, saves_input=False, kernel="add")
    addcdiv = pointwise.addcdiv
    addcdiv_ = inplace(pointwise.addcdiv, saves_input=False)
    addcmul = pointwise.addcmul
    addcmul_ = inplace(pointwise.addcmul, saves_input=False)
    div = divide = true_divide = pointwise.div
    div_ = divide_ = true_divide_ = inplace(pointwise.div, kernel="div")
    float_power = pointwise.float_power
    float_power_ = inplace(pointwise.float_power)
    floor_divide = pointwise.floor_divide
    floor_divide_ = inplace(pointwise.floor_divide)
    fmod = pointwise.fmod
    fmod_ = inplace(pointwise.fmod)
    gcd = pointwise.gcd
    gcd_ = inplace(pointwise.gcd)
    hypot = pointwise.hypot
    hypot_ = inplace(pointwise.hypot)
    lcm = pointwise.lcm
    lcm_ = inplace(pointwise.lcm)
    ldexp = pointwise.ldexp
    ldexp_ = inplace(pointwise.ldexp)
    nextafter = pointwise.nextafter
    nextafter_ = inplace(pointwise.nextafter)
    lerp = pointwise.lerp
    lerp_ = inplace(pointwise.lerp)
    mul = multiply = pointwise.mul
    mul_ = multiply_ = inplace(pointwise.mul, kernel="mul")
    neg = negative = pointwise.neg
    neg_ = negative_ = inplace(pointwise.neg, saves_input=False)
    positive = pointwise.positive
    pow = pointwise.pow
    pow_ = inplace(pointwise.pow)
    reciprocal = pointwise.reciprocal
    reciprocal_ = inplace(pointwise.reciprocal, saves_input=False)
    remainder = pointwise.remainder
    remainder_ = inplace(pointwise.remainder)
    rsqrt = pointwise.rsqrt
    rsqrt_ = inplace(pointwise.rsqrt, saves_input=False)
    sqrt = pointwise.sqrt
    sqrt_ = inplace(pointwise.sqrt, saves_input=False)
    square = pointwise.square
    square_ = inplace(pointwise.square)
    sub = subtract = pointwise.sub
    sub_ = subtract_ = inplace(pointwise.sub, saves_input=False, kernel="sub")
    xlogy = pointwise.xlogy
    xlogy_ = inplace(pointwise.xlogy)
    igamma = special.igamma
    igamma_ = inplace(special.igamma)
    igammac = special.igammac
    igammac_ = inplace(special.igammac)
    __abs__ = pointwise.abs
    __add__ = operator(pointwise.add, pointwise._add)  # type: ignore[has-type]  # see `_mm`
    __radd__ = reflected(pointwise.add)
    __iadd__ = operator(add_)
    __sub__ = operator(pointwise.sub, pointwise._sub)  # type: ignore[has-type]  # see `_mm`
    __rsub__ = reflected(pointwise.sub)
    __isub__ = operator(sub_)
    __mul__ = operator(pointwise.mul, pointwise._mul)  # type: ignore[has-type]  # see `_mm`
    __rmul__ = reflected(pointwise.mul)
    __imul__ = operator(mul_)
    __truediv__ = operator(pointwise.div, pointwise._div)  # type: ignore[has-type]  # see `_mm`
    __rtruediv__ = reflected(pointwise.div)
    __itruediv__ = operator(div_)
    __div__, __rdiv__, __idiv__ = __truediv__, __rtruediv__, __itruediv__
    __floordiv__ = operator(pointwise.floor_divide)
    __rfloordiv__ = reflected(pointwise.floor_divide)
    __ifloordiv__ = operator(floor_divide_)
    __mod__ = operator(pointwise.remainder)
    __rmod__ = reflected(pointwise.remainder)
    __imod__ = operator(remainder_)
    __pow__ = operator(pointwise.pow)
    __rpow__ = reflected(pointwise.pow)
    __ipow__ = operator(pow_)
    __neg__ = pointwise.neg
    __pos__ = pointwise.positive

    # rounding
    ceil = rounding.ceil
    ceil_ = inplace(rounding.ceil, saves_input=False)
    copysign = rounding.copysign
    copysign_ = inplace(rounding.copysign)
    floor = rounding.floor
    floor_ = inplace(rounding.floor, saves_input=False)
    frac = rounding.frac
    frac_ = inplace(rounding.frac, saves_input=False)
    heaviside = rounding.heaviside
    heaviside_ = inplace(rounding.heaviside)
    nan_to_num = rounding.nan_to_num
    nan_to_num_ = inplace(rounding.nan_to_num)
    round = rounding.round
    round_ = inplace(rounding.round, saves_input=False)
    sgn = rounding.sgn
    sgn_ = inplace(rounding.sgn)
    sign = rounding.sign
    sign_ = inplace(rounding.sign, saves_input=False)
    signbit = rounding.signbit
    trunc = fix = rounding.trunc
    trunc_ = fix_ = inplace(rounding.trunc, saves_input=False)

    # selection
    clamp = clip = selection.clamp
    clamp_ = clip_ = inplace(selection.clamp)
    clamp_max = selection.clamp_max
    clamp_max_ = inplace(selection.clamp_max)
    clamp_min = selection.clamp_min
    clamp_min_ = inplace(selection.clamp_min)
    fmax = selection.fmax
    fmin = selection.fmin
    maximum = selection.maximum
    minimum = selection.minimum
    where = selection.where_method

    # elementary
    acos = arccos = elementary.acos
    acos_ = arccos_ = inplace(elementary.acos)
    acosh = arccosh = elementary.acosh
    acosh_ = arccosh_ = inplace(elementary.acosh)
    angle = complex_numbers.angle
    asin = arcsin = elementary.asin
    asin_ = arcsin_ = inplace(elementary.asin)
    asinh = arcsinh = elementary.asinh
    asinh_ = arcsinh_ = inplace(elementary.asinh)
    atan = arctan = elementary.atan
    atan_ = arctan_ = inplace(elementary.atan)
    atan2 = arctan2 = elementary.atan2
    atan2_ = arctan2_ = inplace(elementary.atan2)
    atanh = arctanh = elementary.atanh
    atanh_ = arctanh_ = inplace(elementary.atanh)
    conj = complex_numbers.conj
    conj_physical = complex_numbers.conj_physical
    conj_physical_ = inplace(complex_numbers.conj_physical, saves_input=False)
    cos = elementary.cos
    cos_ = inplace(elementary.cos)
    cosh = elementary.cosh
    cosh_ = inplace(elementary.cosh)
    deg2rad = elementary.deg2rad
    deg2rad_ = inplace(elementary.deg2rad, saves_input=False)
    digamma = elementary.digamma
    digamma_ = inplace(elementary.digamma)
    i0 = special.i0
    i0_ = inplace(special.i0)
    erf = elementary.erf
    erf_ = inplace(elementary.erf)
    erfc = elementary.erfc
    erfc_ = inplace(elementary.erfc)
    erfinv = elementary.erfinv
    erfinv_ = inplace(elementary.erfinv, saves_input=False)
    exp = elementary.exp
    exp_ = inplace(elementary.exp, saves_input=False)
    exp2 = elementary.exp2
    exp2_ = inplace(elementary.exp2, saves_input=False)
    expm1 = elementary.expm1
    expm1_ = inplace(elementary.expm1, saves_input=False)
    lgamma = elementary.lgamma
    lgamma_ = inplace(elementary.lgamma)
    log = elementary.log
    log_ = inplace(elementary.log)
    log10 = elementary.log10
    log10_ = inplace(elementary.log10)
    log1p = elementary.log1p
    log1p_ = inplace(elementary.log1p)
    log2 = elementary.log2
    log2_ = inplace(elementary.log2)
    logaddexp = elementary.logaddexp
    logaddexp2 = elementary.logaddexp2
    logit = elementary.logit
    logit_ = inplace(elementary.logit)
    mvlgamma = elementary.mvlgamma
    mvlgamma_ = inplace(elementary.mvlgamma)
    polygamma = elementary.polygamma_method
    polygamma_ = inplace(elementary.polygamma_method)
    rad2deg = elementary.rad2deg
    rad2deg_ = inplace(elementary.rad2deg, saves_input=False)
    real: Tensor = property(complex_numbers.real)  # type: ignore[assignment]
    imag: Tensor = property(complex_numbers.imag)  # type: ignore[assignment]
    resolve_conj = complex_numbers.resolve_conj
    resolve_neg = complex_numbers.resolve_neg
    sigmoid = elementary.sigmoid
    sigmoid_ = inplace(elementary.sigmoid, saves_input=False)
    sin = elementary.sin
    sin_ = inplace(elementary.sin)
    sinc = elementary.sinc
    sinc_ = inplace(elementary.sinc)
    sinh = elementary.sinh
    sinh_ = inplace(elementary.sinh)
    tan = elementary.tan
    tan_ = inplace(elementary.tan, saves_input=False)
    tanh = elementary.tanh
    tanh_ = inplace(elementary.tanh, saves_input=False)

    # comparison
    allclose = comparison.allclose
    bitwise_and = comparison.bitwise_and
    bitwise_and_ = inplace(comparison.bitwise_and)
    bitwise_left_shift = comparison.bitwise_left_shift
    bitwise_left_shift_ = inplace(comparison.bitwise_left_shift)
    bitwise_not = comparison.bitwise_not
    bitwise_not_ = inplace(comparison.bitwise_not)
    bitwise_or = comparison.bitwise_or
    bitwise_or_ = inplace(comparison.bitwise_or)
    bitwise_right_shift = comparison.bitwise_right_shift
    bitwise_right_shift_ = inplace(comparison.bitwise_right_shift)
    bitwise_xor = comparison.bitwise_xor
    bitwise_xor_ = inplace(comparison.bitwise_xor)
    eq = comparison.eq
    eq_ = inplace(comparison.eq)
    equal = comparison.equal
    ge = greater_equal = comparison.ge
    ge_ = greater_equal_ = inplace(comparison.ge)
    gt = greater = comparison.gt
    gt_ = greater_ = inplace(comparison.gt)
    isclose = comparison.isclose
    isfinite = comparison.isfinite
    isinf = comparison.isinf
    isnan = comparison.isnan
    isneginf = comparison.isneginf
    isposinf = comparison.isposinf
    isreal = comparison.isreal
    le = less_equal = comparison.le
    le_ = less_equal_ = inplace(comparison.le)
    logical_and = comparison.logical_and
    logical_and_ = inplace(comparison.logical_and)
    logical_not = comparison.logical_not
    logical_not_ = inplace(comparison.logical_not)
    logical_or = comparison.logical_or
    logical_or_ = inplace(comparison.logical_or)
    logical_xor = comparison.logical_xor
    logical_xor_ = inplace(comparison.logical_xor)
    lt = less = comparison.lt
    lt_ = less_ = inplace(comparison.lt)
    ne = not_equal = comparison.ne
    ne_ = not_equal_ = inplace(comparison.ne)
    __eq__ = operator(comparison.eq)  # type: ignore[assignment]  # elementwise, no bool
    __ne__ = operator(comparison.ne)  # type: ignore[assignment]
    __lt__ = operator(comparison.lt)
    __le__ = operator(comparison.le)
    __gt__ = operator(comparison.gt)
    __ge__ = operator(comparison.ge)
    __hash__ = TensorProperties.__hash__
    __and__ = operator(comparison.bitwise_and)
    __rand__ = reflected(comparison.bitwise_and)
    __iand__ = operator(bitwise_and_)
    __or__ = operator(comparison.bitwise_or)
    __ror__ = reflected(comparison.bitwise_or)
    __ior__ = operator(bitwise_or_)
    __xor__ = operator(comparison.bitwise_xor)
    __rxor__ = reflected(comparison.bitwise_xor)
    __ixor__ = operator(bitwise_xor_)
    __lshift__ = operator(comparison.bitwise_left_shift)
    __rlshift__ = reflected(comparison.bitwise_left_shift)
    __ilshift__ = operator(bitwise_left_shift_)
    __rshift__ = operator(comparison.bitwise_right_shift)
    __irshift__ = operator(bitwise_right_shift_)
    __rrshift__ = reflected(comparison.bitwise_right_shift)
    __invert__ = comparison.bitwise_not

    # reduction
    all = reduction.all
    any = reduction.any
    count_nonzero = reduction.count_nonzero
    logsumexp = reduction.logsumexp
    mean = reduction.mean
    nanmean = reduction.nanmean
    nansum = reduction.nansum
    prod = reduction.prod
    std = reduction.std
    sum = reduction.sum
    sum_to_size = reduction.sum_to_size
    var = reduction.var

    # extrema
    amax = extrema.amax
    amin = extrema.amin
    aminmax = extrema.aminmax
    argmax = extrema.argmax
    argmin = extrema.argmin
    kthvalue = extrema.kthvalue
    max = extrema.max
    median = extrema.median
    min = extrema.min
    mode = extrema.mode
    nanmedian = extrema.nanmedian
    nanquantile = extrema.nanquantile
    quantile = extrema.quantile

    # cumulative
    cumsum = cumulative.cumsum
    cumsum_ = inplace(cumulative.cumsum, saves_input=False)
    cumprod = cumulative.cumprod
    cumprod_ = inplace(cumulative.cumprod)
    cummax = cumulative.cummax
    cummin = cumulative.cummin
    logcumsumexp = cumulative.logcumsumexp
    diff = cumulative.diff

    # sorting
    sort = sorting.sort
    argsort = sorting.argsort
    msort = sorting.msort
    topk = sorting.topk
    unique = sorting.unique
    unique_consecutive = sorting.unique_consecutive
    bincount = sorting.bincount
    histc = sorting.histc

    # statistics, bits
    corrcoef = statistics.corrcoef
    cov = statistics.cov
    histogram = statistics.histogram
    frexp = bits.frexp
    hash_tensor = bits.hash_tensor

    # matmul, linear_algebra, decompositions, norms
    cholesky = decompositions.cholesky
    cholesky_inverse = decompositions.cholesky_inverse
    cholesky_solve = decompositions.cholesky_solve
    cross = linear_algebra.cross
    det = linear_algebra.det
    dist = norms.dist
    geqrf = householder.geqrf
    inverse = linear_algebra.inverse
    logdet = linear_algebra.logdet
    lu = lu_factorization.lu
    lu_solve = lu_factorization.lu_solve
    matrix_exp = matrix_functions.matrix_exp
    matrix_power = linear_algebra.matrix_power
    norm = norms.norm
    orgqr = householder.orgqr
    ormqr = householder.ormqr
    pinverse = linear_algebra.pinverse
    qr = decompositions.qr
    renorm = norms.renorm
    renorm_ = inplace(norms.renorm)
    slogdet = linear_algebra.slogdet
    svd = decompositions.svd
    triangular_solve = lu_factorization.triangular_solve
    _solve_triangular = lu_factorization.solve_triangular
    _chained = matmul_family.chain_matmul
    _eigh = decompositions.eigh
    addbmm = matmul_family.addbmm
    addbmm_ = inplace(matmul_family.addbmm, saves_input=False)
    addmm = matmul_family.addmm
    addmm_ = inplace(matmul_family.addmm, saves_input=False)
    addmv = matmul_family.addmv
    addmv_ = inplace(matmul_family.addmv, saves_input=False)
    addr = matmul_family.addr
    addr_ = inplace(matmul_family.addr, saves_input=False)
    baddbmm = matmul_family.baddbmm
    baddbmm_ = inplace(matmul_family.baddbmm, saves_input=False)
    bmm = matmul_family.bmm
    dot = matmul_family.dot
    inner = matmul_family.inner
    kron = matmul_family.kron
    matmul = matmul_family.matmul
    mm = matmul_family.mm
    mv = matmul_family.mv
    outer = ger = matmul_family.outer
    vdot = matmul_family.vdot
    __matmul__ = operator(matmul_family.matmul, matmul_family._mm, matrices_only=True)  # type: ignore[has-type]  # decorated, in a cycle of imports
    __rmatmul__ = reflected(matmul_family.matmul)

    # shape
    as_strided = shape.as_strided
    as_strided_ = filling.in_new_shape(shape.as_strided)
    broadcast_to = shape.broadcast_to
    chunk = splitting.chunk
    diagonal = shape.diagonal
    dsplit = splitting.dsplit
    expand = shape.expand
    expand_as = shape.expand_as
    flatten = shape.flatten
    hsplit = splitting.hsplit
    movedim = moveaxis = shape.movedim
    narrow = splitting.narrow
    permute = shape.permute_method
    ravel = shape.ravel
    reshape = shape.reshape_method
    reshape_as = shape.reshape_as
    select = splitting.select
    split = splitting.split
    split_with_sizes = splitting.split_with_sizes
    squeeze = shape.squeeze
    squeeze_ = filling.in_new_shape(shape.squeeze)
    swapaxes = swapdims = transpose = shape.transpose
    swapaxes_ = swapdims_ = transpose_ = filling.in_new_shape(shape.transpose)
    t = shape.t
    t_ = filling.in_new_shape(shape.t)
    tensor_split = splitting.tensor_split
    unbind = splitting.unbind
    unflatten = shape.unflatten
    unfold = shape.unfold
    unsqueeze = shape.unsqueeze
    unsqueeze_ = filling.in_new_shape(shape.unsqueeze)
    view = shape.view
    view_as = shape.view_as
    vsplit = splitting.vsplit
    adjoint = shape.adjoint
    T: Tensor = property(shape.reversed_dims)  # type: ignore[assignment]
    mT: Tensor = property(shape.matrix_transpose)  # type: ignore[assignment]
    H: Tensor = property(shape.conjugate_transpose)  # type: ignore[assignment]
    mH: Tensor = property(shape.adjoint)  # type: ignore[assignment]
    _slice = splitting.slice_view
    _put_slice = splitting.put_slice

    # joining
    diag = joining.diag
    diag_embed = joining.diag_embed
    diagflat = joining.diagflat
    flip = joining.flip
    fliplr = joining.fliplr
    flipud = joining.flipud
    repeat = joining.repeat
    repeat_interleave = joining.repeat_interleave
    roll = joining.roll
    rot90 = joining.rot90
    tile = joining.tile
    trace = joining.trace
    tril = joining.tril
    tril_ = inplace(joining.tril, saves_input=False)
    triu = joining.triu
    triu_ = inplace(joining.triu, saves_input=False)
    _joined = joining.joined

    # padding
    _pad = padding.pad
    _pad_constant = padding.pad_constant

    # copies of views
    as_strided_scatter = view_copies.as_strided_scatter
    narrow_copy = view_copies.narrow_copy
    unsafe_chunk = view_copies.unsafe_chunk
    unsafe_split = view_copies.unsafe_split
    unsafe_split_with_sizes = view_copies.unsafe_split_with_sizes

    # indexing
    index_reduce = index_arithmetic.index_reduce
    index_reduce_ = inplace(index_arithmetic.index_reduce)
    new_empty_strided = index_arithmetic.new_empty_strided
    nonzero_static = index_arithmetic.nonzero_static
    argwhere = indexing.argwhere
    diagonal_scatter = indexing.diagonal_scatter
    gather = gathering.gather
    index_add = gathering.index_add
    index_add_ = inplace(gathering.index_add, saves_input=False)
    index_copy = indexing.index_copy
    index_copy_ = inplace(indexing.index_copy, saves_input=False)
    index_fill = indexing.index_fill
    index_fill_ = inplace(indexing.index_fill, saves_input=False)
    index_put = indexing.index_put
    index_put_ = indexing.index_put_
    index_select = gathering.index_select
    masked_fill = indexing.masked_fill
    masked_fill_ = inplace(indexing.masked_fill, saves_input=False)
    masked_scatter = indexing.masked_scatter
    masked_scatter_ = inplace(indexing.masked_scatter, saves_input=False)
    masked_select = indexing.masked_select
    nonzero = indexing.nonzero
    put = indexing.put
    put_ = inplace(indexing.put, saves_input=False)
    scatter = gathering.scatter
    scatter_ = inplace(gathering.scatter)
    scatter_add = gathering.scatter_add
    scatter_add_ = inplace(gathering.scatter_add, saves_input=False)
    scatter_reduce = gathering.scatter_reduce
    scatter_reduce_ = inplace(gathering.scatter_reduce)
    select_scatter = indexing.select_scatter
    slice_scatter = indexing.slice_scatter
    take = indexing.take
    take_along_dim = gathering.take_along_dim
    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem

    # fourier
    istft = fourier.istft
    stft = fourier.stft
    view_as_real = complex_numbers.view_as_real

    # activation
    relu = activation.relu
    relu_ = activation.relu_
    softmax = softmax_family.softmax_method
    log_softmax = softmax_family.log_softmax_method

    # random
    bernoulli = random.bernoulli
    bernoulli_ = random.bernoulli_
    cauchy_ = random.cauchy_
    exponential_ = random.exponential_
    geometric_ = random.geometric_
    log_normal_ = random.log_normal_
    multinomial = random.multinomial
    normal_ = random.normal_
    random_ = random.random_
    uniform_ = random.uniform_


register_tensor_class(Tensor)
