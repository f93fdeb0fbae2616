// Random float32 numbers as PyTorch draws them on the CPU, from the Mersenne Twister that NumPy keeps the state of.
//
// The stream is one of 32 bit words, made 624 at a time. What is made of the words has to be right in every bit, so
// sums of products are fused, or not, as the array code in facula/rng says.
#include "rows.h"

namespace facula {
namespace {

typedef uint32_t Words __attribute__((vector_size(kVectorBytes)));
typedef uint64_t LongWords __attribute__((vector_size(kVectorBytes)));

ALWAYS_INLINE Words load_words(const uint32_t* from) {
  Words x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

// The state behind NumPy's MT19937: what its capsule points to begins with a pointer to this.
struct Twister {
  static constexpr int size = 624;
  static constexpr int apart = 397;

  uint32_t words[size];
  int used;

  static Twister* of(PyObject* capsule) {
    void* found = PyCapsule_GetPointer(capsule, "BitGenerator");
    return found == nullptr ? nullptr : *static_cast<Twister**>(found);
  }

  template <class Word>
  static inline __attribute__((always_inline)) Word mixed(Word high, Word low) {
    const Word both = (high & 0x80000000u) | (low & 0x7fffffffu);
    return (both >> 1) ^ (-(low & 1u) & 0x9908b0dfu);
  }

  // The next block, in place: each word from itself, its neighbour and the one 397 further on, or 227 before.
  void make() {
    int at = 0;
    for (; at + kLanes <= size - apart; at += kLanes) {
      const Words next = mixed(load_words(words + at), load_words(words + at + 1)) ^ load_words(words + at + apart);
      std::memcpy(words + at, &next, sizeof next);
    }
    for (; at < size - apart; ++at) words[at] = mixed(words[at], words[at + 1]) ^ words[at + apart];
    for (; at + kLanes <= size - 1; at += kLanes) {
      const Words next = mixed(load_words(words + at), load_words(words + at + 1)) ^ load_words(words + at + apart - size);
      std::memcpy(words + at, &next, sizeof next);
    }
    // None are left where vectors are of four.
    constexpr int left = (apart - 1) % kLanes;
    for (int more = 0; more < left; ++more, ++at) {
      words[at] = mixed(words[at], words[at + 1]) ^ words[at + apart - size];
    }
    words[size - 1] = mixed(words[size - 1], words[0]) ^ words[apart - 1];
    used = 0;
  }

  template <class Word>
  static inline __attribute__((always_inline)) Word tempered(Word x) {
    x ^= x >> 11;
    x ^= (x << 7) & 0x9d2c5680u;
    x ^= (x << 15) & 0xefc60000u;
    return x ^ (x >> 18);
  }

  void draw(uint32_t* to, Index count) {
    while (count > 0) {
      if (used >= size) make();
      const int some = static_cast<int>(std::min<Index>(count, size - used));
      int at = 0;
      for (; at + kLanes <= some; at += kLanes) {
        const Words x = tempered(load_words(words + used + at));
        std::memcpy(to + at, &x, sizeof x);
      }
      for (; at < some; ++at) to[at] = tempered(words[used + at]);
      used += some;
      to += some;
      count -= some;
    }
  }
};

// What is drawn at a time stays in the first cache.
constexpr Index kDrawn = 2048;

// Calls `use(words, first, count)` for elements first … first + count of `size`, with `each` words for one.
template <class Function>
void draw_for(Twister* stream, Index size, int each, const Function& use) {
  alignas(64) uint32_t words[kDrawn] = {};
  for (Index first = 0; first < size; first += kDrawn / each) {
    const Index count = std::min<Index>(kDrawn / each, size - first);
    stream->draw(words, count * each);
    use(words, first, count);
  }
}

// 53 random bits of two words each, below the probability: then `value`, else 0.
void bernoulli(Twister* stream, float* to, Index size, double probability, float value) {
  // The bits over 2**53 are below the probability where the bits are below this.
  const uint64_t limit = static_cast<uint64_t>(std::ceil(probability * 9007199254740992.0));
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  typedef uint32_t HalfWords __attribute__((vector_size(kVectorBytes / 2)));
  draw_for(stream, size, 2, [=](const uint32_t* words, Index first, Index count) {
    Index at = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; at + kDoubleLanes <= count; at += kDoubleLanes) {
      LongWords pairs;
      std::memcpy(&pairs, words + 2 * at, sizeof pairs);
      const LongWords drawn = (pairs >> 32) | ((pairs & 0x1fffffu) << 32);
      const HalfWords chosen = __builtin_convertvector(reinterpret_cast<LongWords>(drawn < limit), HalfWords) & bits;
      std::memcpy(to + first + at, &chosen, sizeof chosen);
    }
#endif
    for (; at < count; ++at) {
      const uint64_t drawn = static_cast<uint64_t>(words[2 * at] & 0x1fffffu) << 32 | words[2 * at + 1];
      to[first + at] = drawn < limit ? value : 0.0f;
    }
  });
}

// 24 random bits of a word each, over 2**24.
ALWAYS_INLINE Floats unit(const uint32_t* words) {
  return __builtin_convertvector(reinterpret_cast<Ints>(load_words(words) & 0xffffffu), Floats) * 5.9604644775390625e-8f;
}

template <class Function>
void uniform(Twister* stream, float* to, Index size, const Function& place) {
  draw_for(stream, size, 1, [=](const uint32_t* words, Index first, Index count) {
    for (Index at = 0; at < count; at += kLanes) {
      const Floats value = place(unit(words + at));
      if (at + kLanes <= count) {
        store(to + first + at, value);
      } else {
        store_first(to + first + at, value, count - at);
      }
    }
  });
}

#if defined(__FMA__) && defined(__x86_64__)

ALWAYS_INLINE Floats fused(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#else
  return _mm256_fmadd_ps(a, b, c);
#endif
}
ALWAYS_INLINE Floats root(Floats x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, x);
#else
  return _mm256_sqrt_ps(x);
#endif
}
// A product that is rounded before it is used: the compiler cannot fuse it.
ALWAYS_INLINE Floats rounded(Floats x) {
  asm("" : "+v"(x));
  return x;
}

// Cephes' logf for numbers in (0, 1], as PyTorch's kernel evaluates it.
ALWAYS_INLINE Floats unit_log(Floats x) {
  const Ints bits = bits_of(x);
  const Floats fraction = of_bits((bits & 0x007fffff) | 0x3f000000);
  const Ints below = fraction < 0.707106781186547524f;
  const Floats exponent = __builtin_convertvector((bits >> 23) - 126 + below, Floats);
  const Floats reduced = (fraction - 1.0f) + of_bits(bits_of(fraction) & below);
  const Floats square = rounded(reduced * reduced);
  Floats p = fused(all(7.0376836292e-2f), reduced, all(-1.1514610310e-1f));
  p = fused(p, reduced, all(1.1676998740e-1f));
  p = fused(p, reduced, all(-1.2420140846e-1f));
  p = fused(p, reduced, all(1.4249322787e-1f));
  p = fused(p, reduced, all(-1.6668057665e-1f));
  p = fused(p, reduced, all(2.0000714765e-1f));
  p = fused(p, reduced, all(-2.4999993993e-1f));
  p = fused(p, reduced, all(3.3333331174e-1f));
  const Floats series = fused(rounded(p * reduced), square, rounded(exponent * -2.12194440e-4f));
  return fused(exponent, all(0.693359375f), reduced + rounded(series - 0.5f * square));
}

// Cephes' cosf and sinf for angles in [0, 2 pi).
ALWAYS_INLINE void cos_sin(Floats theta, Floats* cosine, Floats* sine) {
  const Ints octant = (__builtin_convertvector(rounded(theta * 1.27323954473516f), Ints) + 1) & ~1;
  const Floats turns = __builtin_convertvector(octant, Floats);
  Floats angle = theta - turns * 0.78515625f;
  angle = rounded(angle - turns * 2.4187564849853515625e-4f);
  angle = fused(turns, all(-3.77489497744594108e-8f), angle);
  const Floats square = rounded(angle * angle);
  Floats p = fused(all(2.443315711809948e-5f), square, all(-1.388731625493765e-3f));
  p = fused(p, square, all(4.166664568298827e-2f));
  const Floats c = fused(rounded(p * square), square, -0.5f * square) + 1.0f;
  Floats q = fused(all(-1.9515295891e-4f), square, all(8.3321608736e-3f));
  q = fused(q, square, all(-1.6666654611e-1f));
  const Floats s = fused(rounded(q * square), angle, angle);
  // In every second octant the two change places.
  const Ints swapped = -((octant >> 1) & 1);
  const Ints other = (bits_of(c) ^ bits_of(s)) & swapped;
  *cosine = of_bits(bits_of(c) ^ other ^ (((octant + 2) & 4) << 29));
  *sine = of_bits(bits_of(s) ^ other ^ ((octant & 4) << 29));
}

// Rows of 16: eight radii and eight angles give eight cosines and eight sines.
void normal(Twister* stream, float* to, Index size, float mean, float deviation) {
  draw_for(stream, size, 1, [=](const uint32_t* words, Index first, Index count) {
    alignas(64) uint32_t halves[2][kDrawn / 2 + kLanes] = {};
    alignas(64) float values[2][kDrawn / 2 + kLanes];
    const Index rows = count / 16;
    for (Index row = 0; row < rows; ++row) {
      std::memcpy(halves[0] + row * 8, words + row * 16, 32);
      std::memcpy(halves[1] + row * 8, words + row * 16 + 8, 32);
    }
    for (Index at = 0; at < rows * 8; at += kLanes) {
      const Floats radius = root(-2.0f * unit_log(1.0f - unit(halves[0] + at)));
      Floats cosine, sine;
      cos_sin(rounded(6.283185307179586f * unit(halves[1] + at)), &cosine, &sine);
      store(values[0] + at, fused(rounded(radius * cosine), all(deviation), all(mean)));
      store(values[1] + at, fused(rounded(radius * sine), all(deviation), all(mean)));
    }
    for (Index row = 0; row < rows; ++row) {
      std::memcpy(to + first + row * 16, values[0] + row * 8, 32);
      std::memcpy(to + first + row * 16 + 8, values[1] + row * 8, 32);
    }
  });
}

#endif

// The float32 array to fill, or null.
float* to_fill(PyObject* object) {
  if (!is_array(object)) return nullptr;
  const Array x(object);
  const bool fits = x.type() == Type::float32 && x.contiguous() && PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(object));
  return fits ? x.data<float>() : nullptr;
}

}  // namespace

KERNEL(random_bernoulli, "random_bernoulli(stream, array, probability, value): fill with value, or with 0") {
  float* to = count == 4 ? to_fill(args[1]) : nullptr;
  if (to == nullptr) return declined();
  const double probability = PyFloat_AsDouble(args[2]), value = PyFloat_AsDouble(args[3]);
  Twister* stream = Twister::of(args[0]);
  if (stream == nullptr || PyErr_Occurred()) return nullptr;
  const Index size = Array(args[1]).size();
  {
    WithoutGil unlocked(size > kElementsPerThread);
    bernoulli(stream, to, size, probability, static_cast<float>(value));
  }
  Py_RETURN_NONE;
}

KERNEL(random_uniform, "random_uniform(stream, array, low, high): fill with numbers from [low, high)") {
  float* to = count == 4 ? to_fill(args[1]) : nullptr;
  if (to == nullptr) return declined();
  const float low = static_cast<float>(PyFloat_AsDouble(args[2])), high = static_cast<float>(PyFloat_AsDouble(args[3]));
  Twister* stream = Twister::of(args[0]);
  if (stream == nullptr || PyErr_Occurred()) return nullptr;
  const Index size = Array(args[1]).size();
  if (low == 0.0f && high == 1.0f) {
    WithoutGil unlocked(size > kElementsPerThread);
    uniform(stream, to, size, [](Floats x) __attribute__((always_inline)) { return x; });
  } else {
#if defined(__FMA__) && defined(__x86_64__)
    const Floats width = all(high - low);
    WithoutGil unlocked(size > kElementsPerThread);
    uniform(stream, to, size, [=](Floats x) __attribute__((always_inline)) {
      const Floats value = fused(x, width, all(low));
      return value == high ? all(low) : value;  // rounding may reach the bound that is not included
    });
#else
    return declined();
#endif
  }
  Py_RETURN_NONE;
}

KERNEL(random_normal, "random_normal(stream, array, mean, std): fill whole rows of 16 with normal numbers") {
#if defined(__FMA__) && defined(__x86_64__)
  float* to = count == 4 ? to_fill(args[1]) : nullptr;
  if (to == nullptr || Array(args[1]).size() % 16 != 0) return declined();
  const double mean = PyFloat_AsDouble(args[2]), deviation = PyFloat_AsDouble(args[3]);
  Twister* stream = Twister::of(args[0]);
  if (stream == nullptr || PyErr_Occurred()) return nullptr;
  const Index size = Array(args[1]).size();
  {
    WithoutGil unlocked(size > kElementsPerThread);
    normal(stream, to, size, static_cast<float>(mean), static_cast<float>(deviation));
  }
  Py_RETURN_NONE;
#else
  return declined();
#endif
}

}  // namespace facula
