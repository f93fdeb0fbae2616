// Losses of float32: cross-entropy with class indices, of rows of scores and the int64 class of each; and some that
// compare element by element.
#include <utility>

#include "map.h"
#include "softmax.h"

namespace facula {
namespace {

bool are_scores(PyObject* scores, PyObject* classes) {
  if (!is_array(scores) || !is_array(classes)) return false;
  const Array x(scores), target(classes);
  return x.type() == Type::float32 && x.contiguous() && x.dims() == 2 && x.size() > 0 && target.type() == Type::int64 &&
         target.contiguous() && target.dims() == 1 && target.shape(0) == x.shape(0);
}

void slope_row(const float* x, float* result, Index length, float grad, float total) {
  write_row(result, length, [=](Index i, Index count) __attribute__((always_inline)) {
    return grad * exp_below_zero(load_up_to(x + i, count) - total);
  });
}

}  // namespace

KERNEL(cross_entropy,
       "cross_entropy(x, target, ignore_index, mean): the loss of each row, 0 where ignored, or their mean; "
       "log(sum(exp(x))); how many count") {
  if (count != 4 || !are_scores(args[0], args[1])) return declined();
  const Array x(args[0]), target(args[1]);
  const int64_t ignored = PyLong_AsLongLong(args[2]);
  if (ignored == -1 && PyErr_Occurred()) return nullptr;
  const Index rows = x.shape(0), classes = x.shape(1);
  const int64_t* wanted = target.data<int64_t>();
  Index counted = 0;
  for (Index row = 0; row < rows; ++row) {
    if (wanted[row] == ignored) continue;
    ++counted;
    if (wanted[row] < 0 || wanted[row] >= classes) return declined();  // the array code says which is wrong
  }
  Array losses = Array::empty(1, x.shape(), Type::float32);
  Array totals = Array::empty(1, x.shape(), Type::float32);
  Array number = Array::empty(0, nullptr, Type::int64);
  if (!losses || !totals || !number) return nullptr;
  *number.data<int64_t>() = counted;
  const float* scores = x.data<float>();
  float* loss = losses.data<float>();
  float* total = totals.data<float>();
  {
    WithoutGil unlocked(x.size() > kElementsPerThread);
    parallel_for(rows, rows_per_thread(classes), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const float* from = scores + row * classes;
        const float top = largest_of_row(from, classes);
        const float logarithm = static_cast<float>(std::log(sum_of_powers<false>(from, top, nullptr, classes)));
        total[row] = top + logarithm;
        loss[row] = wanted[row] == ignored ? 0.0f : logarithm - (from[wanted[row]] - top);
      }
    });
  }
  if (args[3] == Py_True) {
    double sum = 0;
    for (Index row = 0; row < rows; ++row) sum += loss[row];
    Array mean = Array::empty(0, nullptr, Type::float32);
    if (!mean) return nullptr;
    *mean.data<float>() = static_cast<float>(sum / static_cast<double>(counted));
    losses = std::move(mean);
  }
  return Py_BuildValue("(NNN)", losses.release(), totals.release(), number.release());
}

KERNEL(cross_entropy_gradient, 
       "cross_entropy_gradient(received, x, target, total, number, ignore_index): of the scores, from the gradient of "
       "each loss, or of the mean of so many") {
  if (count != 6 || !are_scores(args[1], args[2])) return declined();
  if (!is_array(args[0]) || !is_array(args[3]) || !is_array(args[4])) return declined();
  const Array received(args[0]), x(args[1]), target(args[2]), totals(args[3]), number(args[4]);
  if (received.type() != Type::float32 || received.dims() > 1) return declined();
  if (received.dims() == 1 && received.shape(0) != x.shape(0)) return declined();
  if (number.type() != Type::int64 || number.size() != 1) return declined();
  if (totals.type() != Type::float32 || totals.dims() != 1 || !totals.contiguous() || totals.size() != x.shape(0)) return declined();
  const int64_t ignored = PyLong_AsLongLong(args[5]);
  if (ignored == -1 && PyErr_Occurred()) return nullptr;
  Array result = Array::like(x);
  if (!result) return nullptr;
  const Index rows = x.shape(0), classes = x.shape(1);
  const bool of_mean = received.dims() == 0;
  const float mean = of_mean ? *received.data<float>() / static_cast<float>(*number.data<int64_t>()) : 0.0f;
  const Index step = of_mean ? 0 : received.stride(0) / static_cast<Index>(sizeof(float));
  const float* grad = of_mean ? &mean : received.data<float>();
  const float* scores = x.data<float>();
  const float* total = totals.data<float>();
  const int64_t* wanted = target.data<int64_t>();
  float* to = result.data<float>();
  WithoutGil unlocked(x.size() > kElementsPerThread);
  parallel_for(rows, rows_per_thread(classes), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      float* line = to + row * classes;
      if (wanted[row] == ignored) {
        std::memset(line, 0, static_cast<size_t>(classes) * sizeof(float));
      } else {
        slope_row(scores + row * classes, line, classes, grad[row * step], total[row]);
        line[wanted[row]] -= grad[row * step];
      }
    }
  });
  return result.release();
}

KERNEL(squared_error, "squared_error(x, y): (x - y)**2") {
  return map_pairs(args, count, [](Floats x, Floats y) __attribute__((always_inline)) { return (x - y) * (x - y); });
}

KERNEL(twice_apart, "twice_apart(x, y): 2 (x - y)") {
  return map_pairs(args, count, [](Floats x, Floats y) __attribute__((always_inline)) { return (x - y) * 2.0f; });
}

KERNEL(cross_entropy_of_logits, "cross_entropy_of_logits(x, target): max(x, 0) - x target + log(1 + exp(-|x|))") {
  return map_pairs(args, count, [](Floats x, Floats target) __attribute__((always_inline)) {
    // The logarithm of 1 + small, small in [0, 1], as exact for the smallest.
    const Floats small = exp_below_zero(-absolute(x));
    const Floats sum = 1.0f + small, lost = small - (sum - 1.0f);
    const Floats logarithm = log(sum) + lost / sum;
    return (x > 0.0f ? x : Floats{}) - x * target + logarithm;
  });
}

KERNEL(count_classes, "count_classes(target, classes, ignore_index): how many are not ignored; declined where one is no class") {
  if (count != 3 || !is_array(args[0])) return declined();
  const Array target(args[0]);
  if (target.type() != Type::int64 || !target.contiguous()) return declined();
  const int64_t classes = PyLong_AsLongLong(args[1]), ignored = PyLong_AsLongLong(args[2]);
  if (PyErr_Occurred()) return nullptr;
  const int64_t* wanted = target.data<int64_t>();
  Index counted = 0;
  for (Index i = 0; i < target.size(); ++i) {
    if (wanted[i] == ignored) continue;
    ++counted;
    if (wanted[i] < 0 || wanted[i] >= classes) return declined();
  }
  return PyLong_FromLongLong(counted);
}

KERNEL(pick, "pick(x, target, ignore_index): of each row its score of the class, 0 where ignored") {
  if (count != 3 || !are_scores(args[0], args[1])) return declined();
  const Array x(args[0]), target(args[1]);
  const int64_t ignored = PyLong_AsLongLong(args[2]);
  if (ignored == -1 && PyErr_Occurred()) return nullptr;
  Array y = Array::empty(1, x.shape(), Type::float32);
  if (!y) return nullptr;
  const Index classes = x.shape(1);
  const int64_t* wanted = target.data<int64_t>();
  for (Index row = 0; row < x.shape(0); ++row) {
    const bool counts = wanted[row] != ignored;
    if (counts && (wanted[row] < 0 || wanted[row] >= classes)) return declined();
    y.data<float>()[row] = counts ? x.data<float>()[row * classes + wanted[row]] : 0.0f;
  }
  return y.release();
}

KERNEL(put_picked, "put_picked(x, target, classes, ignore_index): rows of zeros, with x at each row's class unless ignored") {
  if (count != 4 || !is_array(args[0]) || !is_array(args[1])) return declined();
  const Array x(args[0]), target(args[1]);
  if (x.type() != Type::float32 || x.dims() != 1 || target.type() != Type::int64 || !target.contiguous() || !target.same_shape(x)) {
    return declined();
  }
  const npy_intp shape[2] = {x.shape(0), static_cast<npy_intp>(PyLong_AsLongLong(args[2]))};
  const int64_t ignored = PyLong_AsLongLong(args[3]);
  if (PyErr_Occurred()) return nullptr;
  Array y = Array::empty(2, shape, Type::float32);
  if (!y) return nullptr;
  const int64_t* wanted = target.data<int64_t>();
  for (Index row = 0; row < shape[0]; ++row) {
    if (wanted[row] != ignored && (wanted[row] < 0 || wanted[row] >= shape[1])) return declined();
  }
  const char* from = x.data<char>();
  const Index step = x.stride(0);
  float* to = y.data<float>();
  WithoutGil unlocked(y.size() > kGrain);
  parallel_for(shape[0], std::max<Index>(1, 2 * kGrain / std::max<Index>(1, shape[1])), [&](Index begin, Index end) {
    std::fill(to + begin * shape[1], to + end * shape[1], 0.0f);
    for (Index row = begin; row < end; ++row) {
      if (wanted[row] != ignored) to[row * shape[1] + wanted[row]] = *reinterpret_cast<const float*>(from + row * step);
    }
  });
  return y.release();
}

}  // namespace facula
