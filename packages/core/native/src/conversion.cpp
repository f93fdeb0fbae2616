// Copies in another type.
#include "map.h"

namespace facula {
namespace {

template <class From, class To>
void convert(const Array& x, const Array& y) {
  const From* from = x.data<From>();
  To* to = y.data<To>();
  WithoutGil unlocked(x.size() > kGrain);
  parallel_for(x.size(), kGrain, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) to[i] = static_cast<To>(from[i]);
  });
}

using Convert = void (*)(const Array& x, const Array& y);

// The types that training converts between; float16 and the rest are left to NumPy.
Convert conversion(Type from, Type to) {
  if (to == Type::float32) {
    switch (from) {
      case Type::float64: return convert<double, float>;
      case Type::bfloat16: return convert<Brain, float>;
      case Type::int64: return convert<int64_t, float>;
      case Type::int32: return convert<int32_t, float>;
      case Type::uint8: return convert<uint8_t, float>;
      case Type::boolean: return convert<uint8_t, float>;
      default: return nullptr;
    }
  }
  if (from == Type::float32 && to == Type::float64) return convert<float, double>;
  if (from == Type::float32 && to == Type::bfloat16) return convert<float, Brain>;
  return nullptr;
}

}  // namespace

KERNEL(cast, "cast(x, number): x in the type of this number of NumPy's") {
  if (count != 2 || !is_array(args[0]) || !PyLong_CheckExact(args[1])) return declined();
  const Array x(args[0]);
  const Type type = type_of_number(static_cast<int>(PyLong_AsLong(args[1])));
  const Convert convert_all = conversion(x.type(), type);
  if (convert_all == nullptr || !is_dense(x)) return declined();
  Array y = laid_out_like(x, type);
  if (!y) return nullptr;
  convert_all(x, y);
  return y.release();
}

}  // namespace facula
