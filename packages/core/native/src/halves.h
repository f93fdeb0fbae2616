// Numbers of 16 bits in memory, as vectors of float32, in which they are computed.
#pragma once

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "vector.h"

namespace facula {

typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));
typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));

// The ways of reading numbers: of float32, of bfloat16, and of float16 where the processor converts it.
struct Singles {
  using Number = float;
  ALWAYS_INLINE Floats load(const float* from) { return facula::load(from); }
  ALWAYS_INLINE Floats load_part(const float* from, int64_t count) { return facula::load_part(from, count); }
};

ALWAYS_INLINE Halves load(const uint16_t* from) {
  Halves x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

ALWAYS_INLINE Halves load_part(const uint16_t* from, int64_t count) {
  Halves x = {};
  std::memcpy(&x, from, static_cast<size_t>(count) * sizeof(uint16_t));
  return x;
}

ALWAYS_INLINE void store(uint16_t* to, Halves x) { std::memcpy(to, &x, sizeof x); }

ALWAYS_INLINE void store_part(uint16_t* to, Halves x, int64_t count) {
  std::memcpy(to, &x, static_cast<size_t>(count) * sizeof(uint16_t));
}

// bfloat16: the upper half of a float32.
struct BrainHalves {
  using Number = uint16_t;
  ALWAYS_INLINE Floats wide(Halves x) {
    return reinterpret_cast<Floats>(__builtin_convertvector(x, Words) << 16);
  }
  // To the nearest, of two equally near the even one; what is not a number must not become infinite.
  ALWAYS_INLINE Halves rounded(Floats x) {
    const Words bits = reinterpret_cast<Words>(x);
    const Words near = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return __builtin_convertvector(x == x ? near : bits >> 16 | 0x40, Halves);
  }
  ALWAYS_INLINE Floats load(const uint16_t* from) { return wide(facula::load(from)); }
  ALWAYS_INLINE Floats load_part(const uint16_t* from, int64_t count) { return wide(facula::load_part(from, count)); }
};

#if defined(__F16C__)

// float16, which the processor converts.
struct IeeeHalves {
  using Number = uint16_t;
#if defined(__AVX512F__)
  ALWAYS_INLINE Floats wide(Halves x) { return (Floats)_mm512_cvtph_ps((__m256i)x); }
  ALWAYS_INLINE Halves rounded(Floats x) {
    return (Halves)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
#else
  ALWAYS_INLINE Floats wide(Halves x) { return (Floats)_mm256_cvtph_ps((__m128i)x); }
  ALWAYS_INLINE Halves rounded(Floats x) { return (Halves)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT); }
#endif
  ALWAYS_INLINE Floats load(const uint16_t* from) { return wide(facula::load(from)); }
  ALWAYS_INLINE Floats load_part(const uint16_t* from, int64_t count) { return wide(facula::load_part(from, count)); }
};

#endif

}  // namespace facula
