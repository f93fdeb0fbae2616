// Copies in another type.
#include "halves.h"
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

#if defined(__F16C__)

void widen_halves(const Array& x, const Array& y) {
  const uint16_t* from = x.data<uint16_t>();
  float* to = y.data<float>();
  for_vectors(x.size(), [=](Index i, Index some) {
    store_some(to + i, some == kLanes ? IeeeHalves::load(from + i) : IeeeHalves::load_part(from + i, some), some);
  });
}

void round_to_halves(const Array& x, const Array& y) {
  const float* from = x.data<float>();
  uint16_t* to = y.data<uint16_t>();
  for_vectors(x.size(), [=](Index i, Index some) {
    const Halves halves = IeeeHalves::rounded(load_some(from + i, some));
    if (some == kLanes) {
      store(to + i, halves);
    } else {
      store_part(to + i, halves, some);
    }
  });
}

#endif

using Convert = void (*)(const Array& x, const Array& y);

// The types that training converts between; the rest is left to NumPy.
Convert conversion(Type from, Type to) {
#if defined(__F16C__)
  if (from == Type::float16 && to == Type::float32) return widen_halves;
  if (from == Type::float32 && to == Type::float16) return round_to_halves;
#endif
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
