// Arithmetic of two arrays, or an array and a number, with broadcasting; choosing between arrays.
#include <cmath>
#include <type_traits>

#include "complex.h"
#include "map.h"

namespace facula {
namespace {

// Simple loops are left to the compiler, which makes vectors of them for every type. About this many bytes of results are
// worth a thread.
constexpr Index kCheapGrain = 32768;

// One operand: its memory, and steps in elements for each dimension of the result.
struct Operand {
  const char* data;
  Index steps[NPY_MAXDIMS];
};

struct Loop {
  int dims;
  Index shape[NPY_MAXDIMS];
  Operand left, right;
};

// Put neighbouring dimensions together where both operands allow it.
void collapse(Loop& loop) {
  int kept = 0;
  for (int dim = 0; dim < loop.dims; ++dim) {
    if (loop.shape[dim] == 1) continue;
    const bool joins = kept > 0 && loop.left.steps[kept - 1] == loop.left.steps[dim] * loop.shape[dim] &&
                       loop.right.steps[kept - 1] == loop.right.steps[dim] * loop.shape[dim];
    const int to = joins ? kept - 1 : kept;
    loop.shape[to] = joins ? loop.shape[to] * loop.shape[dim] : loop.shape[dim];
    loop.left.steps[to] = loop.left.steps[dim];
    loop.right.steps[to] = loop.right.steps[dim];
    if (!joins) ++kept;
  }
  loop.dims = kept;
}

// Whether an array is one element, expanded to more.
bool is_one_element(const Array& x) {
  for (int dim = 0; dim < x.dims(); ++dim) {
    if (x.shape(dim) > 1 && x.stride(dim) != 0) return false;
  }
  return x.size() > 1;
}

// An element as it is computed with.
ALWAYS_INLINE float computed(float value) { return value; }
ALWAYS_INLINE double computed(double value) { return value; }
ALWAYS_INLINE float computed(Brain value) { return value; }

// Functions that have a quick way for nearly all numbers, `function(x, y)`, say for which, `function.is_quick(x, y)`, and do
// others by `function.exact(x, y)`.
struct WithQuickWay {};

// Rows of such functions, a block at a time, so that the loops have no branches.
template <class T, class R, class Function>
void run_quick_row(const T* left, Index left_step, const T* right, Index right_step, R* to, Index size, const Function& function) {
  constexpr Index block = 256;
  for (Index first = 0; first < size; first += block) {
    const Index count = std::min(block, size - first);
    const T *x = left + first * left_step, *y = right + first * right_step;
    R found[block];
    bool quick = true;
    if (left_step == 1 && right_step == 1) {
      for (Index i = 0; i < count; ++i) found[i] = function(computed(x[i]), computed(y[i]));
      for (Index i = 0; i < count; ++i) quick &= function.is_quick(computed(x[i]), computed(y[i]));
    } else {
      for (Index i = 0; i < count; ++i) found[i] = function(computed(x[i * left_step]), computed(y[i * right_step]));
      for (Index i = 0; i < count; ++i) quick &= function.is_quick(computed(x[i * left_step]), computed(y[i * right_step]));
    }
    if (!quick) {
      for (Index i = 0; i < count; ++i) found[i] = function.exact(computed(x[i * left_step]), computed(y[i * right_step]));
    }
    std::copy_n(found, count, to + first);
  }
}

template <class T, class R, class Function>
void run_row(const T* left, Index left_step, const T* right, Index right_step, R* to, Index size, const Function& function) {
  if constexpr (std::is_base_of<WithQuickWay, Function>::value) {
    run_quick_row(left, left_step, right, right_step, to, size, function);
  } else if (left_step == 1 && right_step == 1) {
    for (Index i = 0; i < size; ++i) to[i] = function(computed(left[i]), computed(right[i]));
  } else if (left_step == 1 && right_step == 0) {
    const auto value = computed(*right);
    for (Index i = 0; i < size; ++i) to[i] = function(computed(left[i]), value);
  } else if (left_step == 0 && right_step == 1) {
    const auto value = computed(*left);
    for (Index i = 0; i < size; ++i) to[i] = function(value, computed(right[i]));
  } else {
    for (Index i = 0; i < size; ++i) to[i] = function(computed(left[i * left_step]), computed(right[i * right_step]));
  }
}

template <class T, class R, class Function>
void run(const Loop& loop, R* to, const Function& function) {
  const T* left = reinterpret_cast<const T*>(loop.left.data);
  const T* right = reinterpret_cast<const T*>(loop.right.data);
  const Index inner = loop.dims == 0 ? 1 : loop.shape[loop.dims - 1];
  const Index left_step = loop.dims == 0 ? 0 : loop.left.steps[loop.dims - 1];
  const Index right_step = loop.dims == 0 ? 0 : loop.right.steps[loop.dims - 1];
  Index rows = 1;
  for (int dim = 0; dim + 1 < loop.dims; ++dim) rows *= loop.shape[dim];
  WithoutGil unlocked(rows * inner > kCheapGrain);
  if (rows == 1) {
    parallel_for(inner, kCheapGrain, [&](Index begin, Index end) {
      run_row(left + begin * left_step, left_step, right + begin * right_step, right_step, to + begin, end - begin, function);
    });
    return;
  }
  parallel_for(rows, std::max<Index>(1, kCheapGrain / std::max<Index>(1, inner)), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      Index rest = row;
      Index of_left = 0;
      Index of_right = 0;
      for (int dim = loop.dims - 2; dim >= 0; --dim) {
        const Index at = rest % loop.shape[dim];
        rest /= loop.shape[dim];
        of_left += at * loop.left.steps[dim];
        of_right += at * loop.right.steps[dim];
      }
      run_row(left + of_left, left_step, right + of_right, right_step, to + row * inner, inner, function);
    }
  });
}

// A Python number as an element of any of the types.
union Number {
  Number() {}
  double wide;
  float narrow;
  Brain brain;
};

bool read_number(PyObject* object, Type type, Number& number) {
  if (!PyFloat_CheckExact(object)) return false;
  const double value = PyFloat_AS_DOUBLE(object);
  if (type == Type::float64) {
    number.wide = value;
  } else if (type == Type::float32) {
    number.narrow = static_cast<float>(value);
  } else {
    return false;  // the number itself is not rounded to bfloat16
  }
  return true;
}

// Remainders and quotients of float32. Where products and sums are fused, x - n y is exact for the quotient cut off to n,
// which is right or, where the division was rounded up to a whole number, one too large: then the rest has the wrong sign.
// Elsewhere by double precision, where a quotient below 2^28 is exact once it is cut off: two floats' quotient is a whole
// number or at least 2^-24 away from one. Others are left to the library.
#if defined(__FMA__)
constexpr bool kFuses = true;
constexpr float kLargestQuotient = 4194304.0f;
#else
constexpr bool kFuses = false;
constexpr float kLargestQuotient = 268435456.0f;
#endif
struct Division : WithQuickWay {
  static bool is_quick(double, double) { return false; }
  static bool is_quick(float x, float y) { return std::abs(x) < kLargestQuotient * std::abs(y) && std::abs(y) <= 3.4028234664e38f; }
};
struct RemainderOfCut : Division {
  float operator()(float x, float y) const {
    if constexpr (kFuses) {
      const float rest = std::fma(-std::trunc(x / y), y, x);
      return std::copysign(rest * x < 0.0f ? rest + std::copysign(y, x) : rest, x);
    }
    const double quotient = std::trunc(static_cast<double>(x) / static_cast<double>(y));
    return std::copysign(static_cast<float>(static_cast<double>(x) - quotient * static_cast<double>(y)), x);
  }
  double operator()(double, double) const { return 0; }
  template <class A>
  static A exact(A x, A y) { return std::fmod(x, y); }
};
struct RemainderOfFloor : Division {
  float operator()(float x, float y) const {
    if constexpr (kFuses) {
      const float rest = std::fma(-std::floor(x / y), y, x);
      const float right = (rest < 0.0f) != (y < 0.0f) ? rest + y : rest;
      return rest == 0.0f ? std::copysign(0.0f, y) : right;
    }
    const double wide = y, quotient = std::floor(static_cast<double>(x) / wide);
    const float rest = static_cast<float>(static_cast<double>(x) - quotient * wide);
    return rest == 0.0f ? std::copysign(0.0f, y) : rest;
  }
  double operator()(double, double) const { return 0; }
  template <class A>
  static A exact(A x, A y) {
    const A rest = std::fmod(x, y);
    if (rest == 0) return std::copysign(A(0), y);
    return (rest < 0) != (y < 0) ? rest + y : rest;
  }
};
struct QuotientOfFloor : Division {
  float operator()(float x, float y) const {
    if constexpr (kFuses) {
      const float quotient = std::floor(x / y), rest = std::fma(-quotient, y, x);
      return rest != 0.0f && (rest < 0.0f) != (y < 0.0f) ? quotient - 1.0f : quotient;
    }
    return static_cast<float>(std::floor(static_cast<double>(x) / static_cast<double>(y)));
  }
  double operator()(double, double) const { return 0; }
  template <class A>
  static A exact(A x, A y) {
    if (y == 0) return x / y;
    const A rest = std::fmod(x, y);
    A quotient = (x - rest) / y;
    if (rest != 0 && (rest < 0) != (y < 0)) quotient -= 1;
    if (quotient == 0) return std::copysign(A(0), x / y);
    const A below = std::floor(quotient);
    return quotient - below > A(0.5) ? below + 1 : below;
  }
};

// function(x, y, z, size) of complex numbers of one layout, part by part.
template <class Function>
PyObject* combine_complex(PyObject* const* args, Py_ssize_t count, const Function& function) {
  if (count != 2 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]), y(args[1]);
  const Type type = x.type();
  if ((type != Type::complex64 && type != Type::complex128) || y.type() != type || !is_dense(x) || !same_layout(x, y)) return declined();
  Array z = laid_out_like(x, type);
  if (!z) return nullptr;
  WithoutGil unlocked(z.size() > kCheapGrain);
  parallel_for(z.size(), kCheapGrain / 2, [&](Index begin, Index end) {
    if (type == Type::complex64) {
      function(x.data<float>() + 2 * begin, y.data<float>() + 2 * begin, z.data<float>() + 2 * begin, end - begin);
    } else {
      function(x.data<double>() + 2 * begin, y.data<double>() + 2 * begin, z.data<double>() + 2 * begin, end - begin);
    }
  });
  return z.release();
}
// Products, the last few by way of a whole vector, so that all have the same roundings.
template <class T>
__attribute__((noinline)) void multiply_vectors(const T* x, const T* y, T* z, Index vectors) {
  constexpr Index wide = 2 * VectorOf<T>::lanes;
  for (Index i = 0; i < vectors * wide; i += wide) write_pairs<false>(times(read_pairs<false>(x + i), read_pairs<false>(y + i)), z + i);
}
template <class T>
void multiply_complex(const T* x, const T* y, T* z, Index size) {
  constexpr Index lanes = VectorOf<T>::lanes;
  const Index vectors = size / lanes, done = 2 * lanes * vectors, rest = 2 * size - done;
  multiply_vectors(x, y, z, vectors);
  if (rest == 0) return;
  T left[2 * lanes] = {}, right[2 * lanes] = {}, found[2 * lanes];
  std::copy_n(x + done, rest, left);
  std::copy_n(y + done, rest, right);
  multiply_vectors(left, right, found, 1);
  std::copy_n(found, rest, z + done);
}
template <bool minus, class T>
void add_complex(const T* x, const T* y, T* z, Index size) {
  constexpr Index lanes = VectorOf<T>::lanes;
  Index i = 0;
  for (; i + lanes <= 2 * size; i += lanes) store(z + i, minus ? load(x + i) - load(y + i) : load(x + i) + load(y + i));
  for (; i < 2 * size; ++i) z[i] = minus ? x[i] - y[i] : x[i] + y[i];
}

// Quotients of complex64, in double precision, whose squares neither overflow nor vanish; those without a finite result by
// Smith's method (1962), as NumPy's.
typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2)));
ALWAYS_INLINE Doubles widened(const float* from) {
  HalfFloats x;
  std::memcpy(&x, from, sizeof x);
  return __builtin_convertvector(x, Doubles);
}
void divide_vector(const float* x, const float* y, float* z) {
  const Complex<Floats> above = read_pairs<false>(x), below = read_pairs<false>(y);
  float parts[4][kLanes], found[2][kLanes];
  store(parts[0], above.re);
  store(parts[1], above.im);
  store(parts[2], below.re);
  store(parts[3], below.im);
  for (int half = 0; half < kLanes; half += kDoubleLanes) {
    const Doubles a = widened(parts[0] + half), b = widened(parts[1] + half);
    const Doubles c = widened(parts[2] + half), d = widened(parts[3] + half);
    const Doubles inverse = 1.0 / (c * c + d * d);
    const HalfFloats re = __builtin_convertvector((a * c + b * d) * inverse, HalfFloats);
    const HalfFloats im = __builtin_convertvector((b * c - a * d) * inverse, HalfFloats);
    std::memcpy(found[0] + half, &re, sizeof re);
    std::memcpy(found[1] + half, &im, sizeof im);
  }
  const Complex<Floats> result = {load(found[0]), load(found[1])};
  write_pairs<false>(result, z);
  // Of a finite number 0 times it is 0.
  if (total(absolute(result.re * 0.0f) + absolute(result.im * 0.0f)) == 0.0f) return;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (found[0][lane] * 0.0f == 0.0f && found[1][lane] * 0.0f == 0.0f) continue;
    const float a = parts[0][lane], b = parts[1][lane], c = parts[2][lane], d = parts[3][lane];
    float *re = z + 2 * lane, *im = re + 1;
    if (c == 0.0f && d == 0.0f) {
      *re = a / std::abs(c);
      *im = b / std::abs(c);
    } else if (std::abs(c) >= std::abs(d)) {
      const float ratio = d / c, scale = 1.0f / (c + d * ratio);
      *re = (a + b * ratio) * scale;
      *im = (b - a * ratio) * scale;
    } else {
      const float ratio = c / d, scale = 1.0f / (d + c * ratio);
      *re = (a * ratio + b) * scale;
      *im = (b * ratio - a) * scale;
    }
  }
}
void divide_complex(const float* x, const float* y, float* z, Index size) {
  Index i = 0;
  for (; i + kLanes <= size; i += kLanes) divide_vector(x + 2 * i, y + 2 * i, z + 2 * i);
  if (i == size) return;
  float left[2 * kLanes] = {}, right[2 * kLanes], found[2 * kLanes];
  std::fill_n(right, 2 * kLanes, 1.0f);
  std::copy_n(x + 2 * i, 2 * (size - i), left);
  std::copy_n(y + 2 * i, 2 * (size - i), right);
  divide_vector(left, right, found);
  std::copy_n(found, 2 * (size - i), z + 2 * i);
}
void divide_complex(const double*, const double*, double*, Index) {}  // which is declined

bool are_complex(PyObject* const* args, Py_ssize_t count) {
  return count == 2 && is_array(args[0]) && PyArray_ISCOMPLEX(reinterpret_cast<PyArrayObject*>(args[0]));
}

// Whether a result of this type and shape can be written to `out`.
bool takes_result(const Array& out, Type type, int dims, const npy_intp* shape) {
  return out.type() == type && out.dims() == dims && std::equal(shape, shape + dims, out.shape()) &&
         PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(out.object()));
}

template <bool compares, class Function>
void run_in_type(Type type, const Loop& loop, const Array& z, const Function& function) {
  switch (type) {
    case Type::float32: run<float>(loop, z.data<std::conditional_t<compares, bool, float>>(), function); break;
    case Type::float64: run<double>(loop, z.data<std::conditional_t<compares, bool, double>>(), function); break;
    default: run<Brain>(loop, z.data<std::conditional_t<compares, bool, Brain>>(), function); break;
  }
}

// function(x, y) for float32, float64 and bfloat16 (computed in float32, rounded once), either of which may be a Python
// number. The result is of that type, or bool where it `compares`; a third argument is an array to write it to, which
// may be one of the two.
template <bool compares, class Function>
PyObject* combine(PyObject* const* args, Py_ssize_t count, const Function& function) {
  if (count != 2 && !(count == 3 && is_array(args[2]))) return declined();
  const bool arrays[2] = {is_array(args[0]), is_array(args[1])};
  if (!arrays[0] && !arrays[1]) return declined();
  const Array x(args[0]);
  const Array y(args[1]);
  const Array& model = arrays[0] ? x : y;
  const Type type = model.type();
  if (type != Type::float32 && type != Type::float64 && type != Type::bfloat16) return declined();
  if (arrays[0] && arrays[1] && y.type() != type) return declined();
  const Type result_type = compares ? Type::boolean : type;

  Loop loop = {};
  Number numbers[2];
  bool by_columns = false;
  if (arrays[0] && arrays[1] && is_dense(x) && same_layout(x, y)) {
    loop.dims = 1;
    loop.shape[0] = x.size();
    loop.left = {x.data<char>(), {1}};
    loop.right = {y.data<char>(), {1}};
    by_columns = !x.contiguous();
  } else if (arrays[0] && arrays[1] && x.same_shape(y) && (is_one_element(x) ? is_dense(y) : is_one_element(y) && is_dense(x))) {
    // As gradients of sums are: one number expanded.
    const bool left = is_one_element(x);
    loop.dims = 1;
    loop.shape[0] = x.size();
    loop.left = {x.data<char>(), {left ? 0 : 1}};
    loop.right = {y.data<char>(), {left ? 1 : 0}};
    by_columns = !(left ? y : x).contiguous();
  } else if (!arrays[0] || !arrays[1]) {
    const int number = arrays[0] ? 1 : 0;
    if (!is_dense(model) || !read_number(args[number], type, numbers[number])) return declined();
    const char* value = reinterpret_cast<const char*>(&numbers[number]);
    loop.dims = 1;
    loop.shape[0] = model.size();
    loop.left = {number == 0 ? value : model.data<char>(), {number == 0 ? 0 : 1}};
    loop.right = {number == 1 ? value : model.data<char>(), {number == 1 ? 0 : 1}};
    by_columns = !model.contiguous();
  } else {
    // The result lies in C order; NumPy lays it out like operands that do not, and computes those.
    if (!x.contiguous() || !y.contiguous()) return declined();
    loop.dims = std::max(x.dims(), y.dims());
    npy_intp shape[NPY_MAXDIMS];
    Index left_step = 1;
    Index right_step = 1;
    for (int dim = loop.dims - 1; dim >= 0; --dim) {
      const int in_x = dim - (loop.dims - x.dims());
      const int in_y = dim - (loop.dims - y.dims());
      const Index of_x = in_x < 0 ? 1 : x.shape(in_x);
      const Index of_y = in_y < 0 ? 1 : y.shape(in_y);
      if (of_x != of_y && of_x != 1 && of_y != 1) return declined();  // NumPy has the words for it
      shape[dim] = loop.shape[dim] = of_x == 1 ? of_y : of_x;
      loop.left.steps[dim] = of_x == 1 ? 0 : left_step;
      loop.right.steps[dim] = of_y == 1 ? 0 : right_step;
      left_step *= of_x;
      right_step *= of_y;
    }
    loop.left.data = x.data<char>();
    loop.right.data = y.data<char>();
    if (count == 3) {
      const Array out(args[2]);
      if (!out.contiguous() || !takes_result(out, result_type, loop.dims, shape)) return declined();
    }
    Array z = count == 3 ? Array(Py_NewRef(args[2]), true) : Array::empty(loop.dims, shape, result_type);
    if (!z) return nullptr;
    if (z.size() > 0) {
      collapse(loop);
      run_in_type<compares>(type, loop, z, function);
    }
    return z.release();
  }
  if (count == 3) {
    const Array out(args[2]);
    if (!same_layout(out, model) || !takes_result(out, result_type, model.dims(), model.shape())) return declined();
  }
  Array z = count == 3 ? Array(Py_NewRef(args[2]), true) : Array::empty(model.dims(), model.shape(), result_type, by_columns);
  if (!z) return nullptr;
  run_in_type<compares>(type, loop, z, function);
  return z.release();
}

}  // namespace

KERNEL(neg, "neg(x)") {
  return map(args, count, [](Floats x) { return -x; });
}

KERNEL(abs, "abs(x)") {
  return map(args, count, [](Floats x) { return absolute(x); });
}

KERNEL(sqrt, "sqrt(x)") {
  return map(args, count, [](Floats x) { return square_root(x); });
}

KERNEL(reciprocal, "reciprocal(x)") {
  return map(args, count, [](Floats x) { return 1.0f / x; });
}

KERNEL(add, "add(x, y)") {
  if (are_complex(args, count)) {
    return combine_complex(args, count, [](const auto* x, const auto* y, auto* z, Index size) { add_complex<false>(x, y, z, size); });
  }
  return combine<false>(args, count, [](auto a, auto b) { return a + b; });
}

KERNEL(sub, "sub(x, y)") {
  if (are_complex(args, count)) {
    return combine_complex(args, count, [](const auto* x, const auto* y, auto* z, Index size) { add_complex<true>(x, y, z, size); });
  }
  return combine<false>(args, count, [](auto a, auto b) { return a - b; });
}

KERNEL(mul, "mul(x, y)") {
  if (are_complex(args, count)) {
    return combine_complex(args, count, [](const auto* x, const auto* y, auto* z, Index size) { multiply_complex(x, y, z, size); });
  }
  return combine<false>(args, count, [](auto a, auto b) { return a * b; });
}

KERNEL(div, "div(x, y)") {
  if (are_complex(args, count)) {
    if (Array(args[0]).type() != Type::complex64) return declined();
    return combine_complex(args, count, [](const auto* x, const auto* y, auto* z, Index size) { divide_complex(x, y, z, size); });
  }
  return combine<false>(args, count, [](auto a, auto b) { return a / b; });
}

// What is not a number stays so, on either side.
KERNEL(maximum, "maximum(x, y)") {
  return combine<false>(args, count, [](auto a, auto b) { return a > b || a != a ? a : b; });
}

KERNEL(minimum, "minimum(x, y)") {
  return combine<false>(args, count, [](auto a, auto b) { return a < b || a != a ? a : b; });
}

KERNEL(gt, "gt(x, y)") {
  return combine<true>(args, count, [](auto a, auto b) { return a > b; });
}

KERNEL(ge, "ge(x, y)") {
  return combine<true>(args, count, [](auto a, auto b) { return a >= b; });
}

KERNEL(lt, "lt(x, y)") {
  return combine<true>(args, count, [](auto a, auto b) { return a < b; });
}

KERNEL(le, "le(x, y)") {
  return combine<true>(args, count, [](auto a, auto b) { return a <= b; });
}

KERNEL(fmod, "fmod(x, y): the remainder of the quotient cut off") {
  return combine<false>(args, count, RemainderOfCut());
}

KERNEL(remainder, "remainder(x, y): the remainder of the quotient rounded down") {
  return combine<false>(args, count, RemainderOfFloor());
}

KERNEL(floor_divide, "floor_divide(x, y): the quotient rounded down") {
  return combine<false>(args, count, QuotientOfFloor());
}

KERNEL(hypot, "hypot(x, y): the root of the sum of squares") {
  return combine<false>(args, count, [](auto a, auto b) {
    if constexpr (sizeof a == 4) {
      const double x = a, y = b;
      const float root = static_cast<float>(std::sqrt(x * x + y * y));
      return std::abs(a) == INFINITY || std::abs(b) == INFINITY ? INFINITY : root;
    } else {
      return std::hypot(a, b);
    }
  });
}

KERNEL(copysign, "copysign(x, y): the size of x with the sign of y") {
  return combine<false>(args, count, [](auto a, auto b) { return std::copysign(a, b); });
}

KERNEL(logaddexp, "logaddexp(x, y): log(exp(x) + exp(y))") {
  return map_pairs(args, count, [](Floats x, Floats y) {
    const Floats larger = maximum(x, y), difference = absolute(x - y);
    const Floats result = larger + log1p(exp(-difference));
    // Equal infinities have no difference.
    return x == y ? x + 0.693147180559945309417f : x != x ? x : y != y ? y : result;
  });
}

KERNEL(nan_to_num, "nan_to_num(x, nan, posinf, neginf): x with other numbers for those that are not finite") {
  return map_with<3>(args, count, [](Floats x, const float* numbers) {
    const Floats finite = x == INFINITY ? all(numbers[1]) : x == -INFINITY ? all(numbers[2]) : x;
    return x == x ? finite : all(numbers[0]);
  });
}

KERNEL(where, "where(condition, x, y): elements of x or of y, all of one shape, or either a number") {
  if (count != 3 || !is_array(args[0])) return declined();
  const Array condition(args[0]);
  if (condition.type() != Type::boolean || !condition.contiguous()) return declined();
  const float* sides[2];
  Number numbers[2];
  Index steps[2];
  for (int side = 0; side < 2; ++side) {
    PyObject* given = args[1 + side];
    if (is_array(given)) {
      const Array x(given);
      if (x.type() != Type::float32) return declined();
      const bool one = x.dims() == 0 || (x.same_shape(condition) && is_one_element(x));
      if (!one && (!x.contiguous() || !x.same_shape(condition))) return declined();
      sides[side] = x.data<float>();
      steps[side] = one ? 0 : 1;
    } else {
      if (!read_number(given, Type::float32, numbers[side])) return declined();
      sides[side] = &numbers[side].narrow;
      steps[side] = 0;
    }
  }
  if (!is_array(args[1]) && !is_array(args[2])) return declined();
  Array z = Array::like(condition, Type::float32);
  if (!z) return nullptr;
  const uint8_t* chosen = condition.data<uint8_t>();
  float* to = z.data<float>();
  WithoutGil unlocked(z.size() > kCheapGrain);
  parallel_for(z.size(), kCheapGrain, [&](Index begin, Index end) {
    const float* left = sides[0];
    const float* right = sides[1];
    if (steps[0] == 1 && steps[1] == 1) {
      for (Index i = begin; i < end; ++i) to[i] = chosen[i] ? left[i] : right[i];
    } else if (steps[0] == 1) {
      const float value = *right;
      for (Index i = begin; i < end; ++i) to[i] = chosen[i] ? left[i] : value;
    } else if (steps[1] == 1) {
      const float value = *left;
      for (Index i = begin; i < end; ++i) to[i] = chosen[i] ? value : right[i];
    } else {
      const float values[2] = {*right, *left};
      for (Index i = begin; i < end; ++i) to[i] = values[chosen[i] != 0];
    }
  });
  return z.release();
}

}  // namespace facula
