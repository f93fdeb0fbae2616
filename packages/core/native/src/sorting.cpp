// Sorting along the last dimension, keeping the order of equal elements.
//
// Long rows by their digits, the least first (Knuth, The Art of Computer Programming 3, 5.2.5): as many steps as there
// are digits, whatever the order. Short rows by comparing.
#include <algorithm>
#include <memory>

#include "array.h"
#include "parallel.h"

namespace facula {
namespace {

constexpr int kDigitBits = 11;
constexpr Index kDigits = 1 << kDigitBits;
// Rows up to this length are sorted by comparing: counting digits costs more.
constexpr Index kShort = 256;

// Whole numbers without a sign in the order of the elements: what is not a number is the largest, and both zeros are equal.
static inline uint32_t key_of(float x) {
  if (x != x) return 0xffffffffu;
  uint32_t bits;
  const float one_zero = x == 0.0f ? 0.0f : x;
  std::memcpy(&bits, &one_zero, sizeof bits);
  return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}
static inline uint64_t key_of(double x) {
  if (x != x) return ~uint64_t{0};
  uint64_t bits;
  const double one_zero = x == 0.0 ? 0.0 : x;
  std::memcpy(&bits, &one_zero, sizeof bits);
  return bits ^ (bits >> 63 ? ~uint64_t{0} : uint64_t{1} << 63);
}
static inline uint32_t key_of(int32_t x) { return static_cast<uint32_t>(x) ^ 0x80000000u; }
static inline uint64_t key_of(int64_t x) { return static_cast<uint64_t>(x) ^ (uint64_t{1} << 63); }

template <class Key>
struct Entry {
  Key key;
  uint32_t place;
};

// Sorts entries, with as many as room; returns which of the two memories holds them.
template <class Key>
Entry<Key>* sort_by_digits(Entry<Key>* from, Entry<Key>* to, Index length) {
  constexpr int passes = (8 * sizeof(Key) + kDigitBits - 1) / kDigitBits;
  auto counts = std::make_unique<uint32_t[]>(passes * kDigits);
  for (Index i = 0; i < length; ++i) {
    Key rest = from[i].key;
    for (int pass = 0; pass < passes; ++pass, rest >>= kDigitBits) ++counts[pass * kDigits + (rest & (kDigits - 1))];
  }
  for (int pass = 0; pass < passes; ++pass) {
    uint32_t* starts = &counts[pass * kDigits];
    const int shift = pass * kDigitBits;
    // A digit that all have alike changes nothing.
    if (starts[(from[0].key >> shift) & (kDigits - 1)] == length) continue;
    uint32_t before = 0;
    for (Index digit = 0; digit < kDigits; ++digit) {
      const uint32_t here = starts[digit];
      starts[digit] = before;
      before += here;
    }
    for (Index i = 0; i < length; ++i) to[starts[(from[i].key >> shift) & (kDigits - 1)]++] = from[i];
    std::swap(from, to);
  }
  return from;
}

template <class Element>
void sort_row(const Element* x, Index length, bool descending, Element* values, int64_t* places) {
  using Key = decltype(key_of(Element{}));
  // Without values to begin with, which would be written for nothing.
  std::unique_ptr<Entry<Key>[]> memory(new Entry<Key>[2 * length]);
  Entry<Key>* entries = memory.get();
  for (Index i = 0; i < length; ++i) {
    const Key key = key_of(x[i]);
    entries[i] = {descending ? static_cast<Key>(~key) : key, static_cast<uint32_t>(i)};
  }
  if (length <= kShort) {
    std::sort(entries, entries + length, [](const Entry<Key>& a, const Entry<Key>& b) {
      return a.key != b.key ? a.key < b.key : a.place < b.place;
    });
  } else {
    entries = sort_by_digits(entries, entries + length, length);
  }
  for (Index i = 0; i < length; ++i) {
    if (places != nullptr) places[i] = entries[i].place;
    if (values != nullptr) values[i] = x[entries[i].place];
  }
}

template <class Element>
void sort_rows(const Array& x, bool descending, void* values, int64_t* places) {
  const Index length = x.shape(-1), rows = x.size() / length;
  const Element* from = x.data<Element>();
  parallel_for(rows, std::max<Index>(1, 2048 / length), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      Element* to = values == nullptr ? nullptr : static_cast<Element*>(values) + row * length;
      sort_row(from + row * length, length, descending, to, places == nullptr ? nullptr : places + row * length);
    }
  });
}

// Whether the rows of an array are sorted here: those of few elements are not worth their memory.
bool is_sorted_here(PyObject* object) {
  if (!is_array(object)) return false;
  const Array x(object);
  const Type type = x.type();
  if (type != Type::float32 && type != Type::float64 && type != Type::int32 && type != Type::int64) return false;
  return x.contiguous() && x.dims() > 0 && x.size() > 0 && x.shape(-1) < (Index{1} << 31);
}

void sort_any(const Array& x, bool descending, void* values, int64_t* places) {
  switch (x.type()) {
    case Type::float32: return sort_rows<float>(x, descending, values, places);
    case Type::float64: return sort_rows<double>(x, descending, values, places);
    case Type::int32: return sort_rows<int32_t>(x, descending, values, places);
    default: return sort_rows<int64_t>(x, descending, values, places);
  }
}

}  // namespace

KERNEL(sort, "sort(x, descending): the elements in order along the last dimension, and where each one was") {
  if (count != 2 || !is_sorted_here(args[0])) return declined();
  const Array x(args[0]);
  Array values = Array::like(x), places = Array::like(x, Type::int64);
  if (!values || !places) return nullptr;
  {
    WithoutGil unlocked(x.size() > 512);
    sort_any(x, args[1] == Py_True, values.data<void>(), places.data<int64_t>());
  }
  return Py_BuildValue("(NN)", values.release(), places.release());
}

KERNEL(argsort, "argsort(x, descending): where each element was before sorting along the last dimension") {
  if (count != 2 || !is_sorted_here(args[0])) return declined();
  const Array x(args[0]);
  Array places = Array::like(x, Type::int64);
  if (!places) return nullptr;
  {
    WithoutGil unlocked(x.size() > 512);
    sort_any(x, args[1] == Py_True, nullptr, places.data<int64_t>());
  }
  return places.release();
}

}  // namespace facula
