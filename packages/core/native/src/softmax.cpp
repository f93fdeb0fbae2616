// Softmax and its logarithm along one dimension of float32, their gradients, and cross-entropy with class indices.
#include "array.h"
#include "map.h"
#include "parallel.h"
#include "vector.h"

namespace facula {
namespace {

// The array as (outer, length, inner), the softmax along the middle.
struct Layout {
  Index outer, length, inner;
};

bool read(PyObject* object, PyObject* dim_object, Layout& layout) {
  if (!is_array(object)) return false;
  const Array x(object);
  const Index dim = PyLong_AsSsize_t(dim_object);
  if (x.type() != Type::float32 || !x.contiguous() || x.size() == 0 || dim < 0 || dim >= x.dims()) return false;
  layout = {1, x.shape(static_cast<int>(dim)), 1};
  for (int each = 0; each < x.dims(); ++each) {
    if (each < dim) layout.outer *= x.shape(each);
    if (each > dim) layout.inner *= x.shape(each);
  }
  return true;
}

// What is not a number wins, so that it reaches the whole row.
ALWAYS_INLINE Floats larger(Floats a, Floats b) { return (a > b) | (a != a) ? a : b; }

float largest_of(const float* x, Index size) {
  Floats found = all(-INFINITY);
  Index i = 0;
  for (; i + kLanes <= size; i += kLanes) found = larger(load(x + i), found);
  float lanes[kLanes];
  store(lanes, found);
  float most = lanes[0];
  for (int lane = 1; lane < kLanes; ++lane) most = lanes[lane] > most || lanes[lane] != lanes[lane] ? lanes[lane] : most;
  for (; i < size; ++i) most = x[i] > most || x[i] != x[i] ? x[i] : most;
  return most;
}

// exp(x - shift) of a row, stored where `to` is given, and their sum.
float exponentials(const float* x, Index size, float shift, float* to) {
  Floats sums[2] = {};
  Index i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    for (int part = 0; part < 2; ++part) {
      const Floats value = exp(load(x + i + part * kLanes) - shift);
      if (to != nullptr) store(to + i + part * kLanes, value);
      sums[part] += value;
    }
  }
  for (; i < size; i += kLanes) {
    const Index some = std::min<Index>(kLanes, size - i);
    Floats value = exp(load_some(x + i, some) - shift);
    if (to != nullptr) store_some(to + i, value, some);
    for (Index lane = some; lane < kLanes; ++lane) value[lane] = 0.0f;
    sums[0] += value;
  }
  return total(sums[0] + sums[1]);
}

// Rows of one element after the other; `logarithm` chooses what is computed.
void softmax_rows(const Layout& layout, const float* x, float* y, bool logarithm) {
  parallel_for(layout.outer, std::max<Index>(1, kGrain / layout.length), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const float* from = x + row * layout.length;
      float* to = y + row * layout.length;
      const float most = largest_of(from, layout.length);
      const float sum = exponentials(from, layout.length, most, logarithm ? nullptr : to);
      if (logarithm) {
        const float rest = std::log(sum);
        for (Index i = 0; i < layout.length; ++i) to[i] = from[i] - most - rest;
      } else {
        const float scale = 1.0f / sum;
        for (Index i = 0; i < layout.length; ++i) to[i] *= scale;
      }
    }
  });
}

// The same where the elements of one softmax are `inner` apart: kLanes of them side by side.
void softmax_columns(const Layout& layout, const float* x, float* y, bool logarithm) {
  const Index groups = (layout.inner + kLanes - 1) / kLanes;
  parallel_for(layout.outer * groups, std::max<Index>(1, kGrain / (layout.length * kLanes)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index first = task % groups * kLanes;
      const Index some = std::min<Index>(kLanes, layout.inner - first);
      const Index start = task / groups * layout.length * layout.inner + first;
      Floats most = load_some(x + start, some);
      for (Index i = 1; i < layout.length; ++i) most = larger(load_some(x + start + i * layout.inner, some), most);
      Floats sum = {};
      for (Index i = 0; i < layout.length; ++i) {
        const Floats value = exp(load_some(x + start + i * layout.inner, some) - most);
        if (!logarithm) store_some(y + start + i * layout.inner, value, some);
        sum += value;
      }
      const Floats finish = logarithm ? log(sum) : 1.0f / sum;
      for (Index i = 0; i < layout.length; ++i) {
        const Index at = start + i * layout.inner;
        const Floats value = logarithm ? load_some(x + at, some) - most - finish : load_some(y + at, some) * finish;
        store_some(y + at, value, some);
      }
    }
  });
}

PyObject* forward(PyObject* const* args, Py_ssize_t count, bool logarithm) {
  Layout layout;
  if (count != 2 || !read(args[0], args[1], layout)) return PyErr_Occurred() ? nullptr : declined();
  const Array x(args[0]);
  Array y = Array::like(x);
  if (!y) return nullptr;
  WithoutGil unlocked(x.size() > kGrain);
  (layout.inner == 1 ? softmax_rows : softmax_columns)(layout, x.data<float>(), y.data<float>(), logarithm);
  return y.release();
}

// Of the softmax: out (g - sum(g out)); of its logarithm: g - exp(out) sum(g).
PyObject* gradient(PyObject* const* args, Py_ssize_t count, bool logarithm) {
  Layout layout;
  if (count != 3 || !read(args[0], args[2], layout) || !is_array(args[1])) return PyErr_Occurred() ? nullptr : declined();
  const Array received(args[0]);
  const Array out(args[1]);
  if (out.type() != Type::float32 || !out.contiguous() || !out.same_shape(received)) return declined();
  Array result = Array::like(received);
  if (!result) return nullptr;
  const float* g = received.data<float>();
  const float* y = out.data<float>();
  float* to = result.data<float>();
  WithoutGil unlocked(received.size() > kGrain);
  const Index step = layout.inner;
  const Index lanes = step == 1 ? 1 : kLanes;
  const Index groups = (step + lanes - 1) / lanes;
  parallel_for(layout.outer * groups, std::max<Index>(1, kGrain / (layout.length * lanes)), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index first = task % groups * lanes;
      const Index start = task / groups * layout.length * step + first;
      if (step == 1) {
        Floats sums = {};
        for (Index i = 0; i < layout.length; i += kLanes) {
          const Index some = std::min<Index>(kLanes, layout.length - i);
          const Floats gradient = load_some(g + start + i, some);
          sums += logarithm ? gradient : gradient * load_some(y + start + i, some);
        }
        const float sum = total(sums);
        for (Index i = 0; i < layout.length; i += kLanes) {
          const Index some = std::min<Index>(kLanes, layout.length - i);
          const Floats gradient = load_some(g + start + i, some);
          const Floats value = load_some(y + start + i, some);
          store_some(to + start + i, logarithm ? gradient - exp(value) * sum : value * (gradient - sum), some);
        }
        continue;
      }
      const Index some = std::min<Index>(kLanes, step - first);
      Floats sum = {};
      for (Index i = 0; i < layout.length; ++i) {
        const Floats gradient = load_some(g + start + i * step, some);
        sum += logarithm ? gradient : gradient * load_some(y + start + i * step, some);
      }
      for (Index i = 0; i < layout.length; ++i) {
        const Floats gradient = load_some(g + start + i * step, some);
        const Floats value = load_some(y + start + i * step, some);
        store_some(to + start + i * step, logarithm ? gradient - exp(value) * sum : value * (gradient - sum), some);
      }
    }
  });
  return result.release();
}

bool are_scores(PyObject* scores, PyObject* classes) {
  if (!is_array(scores) || !is_array(classes)) return false;
  const Array x(scores);
  const Array target(classes);
  return x.type() == Type::float32 && x.contiguous() && x.dims() == 2 && x.size() > 0 && target.type() == Type::int64 &&
         target.contiguous() && target.dims() == 1 && target.shape(0) == x.shape(0);
}

}  // namespace

KERNEL(softmax, "softmax(x, dim)") { return forward(args, count, false); }

KERNEL(log_softmax, "log_softmax(x, dim)") { return forward(args, count, true); }

KERNEL(softmax_gradient, "softmax_gradient(received, out, dim)") { return gradient(args, count, false); }

KERNEL(log_softmax_gradient, "log_softmax_gradient(received, out, dim)") { return gradient(args, count, true); }

KERNEL(cross_entropy,
       "cross_entropy(x, target, ignore_index): (the loss of each row, 0 where ignored; log of the sum of exp; how many count)") {
  if (count != 3 || !are_scores(args[0], args[1])) return declined();
  const Array x(args[0]);
  const Array target(args[1]);
  const int64_t ignored = PyLong_AsLongLong(args[2]);
  if (ignored == -1 && PyErr_Occurred()) return nullptr;
  const Index rows = x.shape(0);
  const Index classes = x.shape(1);
  const int64_t* wanted = target.data<int64_t>();
  Index counted = 0;
  for (Index row = 0; row < rows; ++row) {
    if (wanted[row] != ignored) ++counted;
    if (wanted[row] != ignored && (wanted[row] < 0 || wanted[row] >= classes)) return declined();  // Python has the words
  }
  Array losses = Array::empty(1, x.shape(), Type::float32);
  Array sums = Array::empty(1, x.shape(), Type::float32);
  Array number = Array::empty(0, nullptr, Type::int64);
  if (!losses || !sums || !number) return nullptr;
  *number.data<int64_t>() = counted;
  const float* scores = x.data<float>();
  float* loss = losses.data<float>();
  float* sum = sums.data<float>();
  {
    WithoutGil unlocked(x.size() > kGrain);
    parallel_for(rows, std::max<Index>(1, kGrain / classes), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const float* from = scores + row * classes;
        const float most = largest_of(from, classes);
        const float logarithm = std::log(exponentials(from, classes, most, nullptr));
        sum[row] = most + logarithm;
        loss[row] = wanted[row] == ignored ? 0.0f : logarithm - (from[wanted[row]] - most);
      }
    });
  }
  return Py_BuildValue("(NNN)", losses.release(), sums.release(), number.release());
}

KERNEL(cross_entropy_gradient, "cross_entropy_gradient(received, x, target, sums, ignore_index): of the scores") {
  if (count != 5 || !are_scores(args[1], args[2]) || !is_array(args[0]) || !is_array(args[3])) return declined();
  const Array received(args[0]);
  const Array x(args[1]);
  const Array target(args[2]);
  const Array sums(args[3]);
  if (received.type() != Type::float32 || received.dims() != 1 || sums.type() != Type::float32 || !sums.contiguous()) return declined();
  const int64_t ignored = PyLong_AsLongLong(args[4]);
  if (ignored == -1 && PyErr_Occurred()) return nullptr;
  Array result = Array::like(x);
  if (!result) return nullptr;
  const Index rows = x.shape(0);
  const Index classes = x.shape(1);
  const Index step = received.stride(0) / static_cast<Index>(sizeof(float));
  const float* g = received.data<float>();
  const float* scores = x.data<float>();
  const float* sum = sums.data<float>();
  const int64_t* wanted = target.data<int64_t>();
  float* to = result.data<float>();
  WithoutGil unlocked(x.size() > kGrain);
  parallel_for(rows, std::max<Index>(1, kGrain / classes), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const float* from = scores + row * classes;
      float* line = to + row * classes;
      if (wanted[row] == ignored) {
        std::memset(line, 0, static_cast<size_t>(classes) * sizeof(float));
        continue;
      }
      const float gradient = g[row * step];
      const float shift = sum[row];
      for (Index i = 0; i < classes; i += kLanes) {
        const Index some = std::min<Index>(kLanes, classes - i);
        store_some(line + i, gradient * exp(load_some(from + i, some) - shift), some);
      }
      line[wanted[row]] -= gradient;
    }
  });
  return result.release();
}

}  // namespace facula
