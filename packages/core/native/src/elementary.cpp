// Exponentials and what is made of them, element by element, of float32 in C order.
#include "array.h"
#include "parallel.h"
#include "vector.h"

namespace facula {
namespace {

// About this many elements are worth a thread.
constexpr Index kGrain = 16384;

template <class Function>
PyObject* map(PyObject* const* args, Py_ssize_t count, const Function& function) {
  if (count != 1 || !is_array(args[0])) return declined();
  const Array x(args[0]);
  if (x.type() != Type::float32 || !x.contiguous()) return declined();
  Array y = Array::like(x);
  if (!y) return nullptr;
  const float* from = x.data<float>();
  float* to = y.data<float>();
  const Index size = x.size();
  WithoutGil unlocked(size > kGrain);
  parallel_for(size, kGrain, [&](Index begin, Index end) {
    Index i = begin;
    for (; i + kLanes <= end; i += kLanes) store(to + i, function(load(from + i)));
    if (i < end) store_part(to + i, function(load_part(from + i, end - i)), end - i);
  });
  return y.release();
}

}  // namespace

KERNEL(exp, "exp(x): e to the power of each element") {
  return map(args, count, [](Floats x) { return exp(x); });
}

}  // namespace facula
