// Products of bfloat16 matrices by the processor's tiles (AMX), where it has them: sums in float32, rounded once.
#include "array.h"
#include "parallel.h"
#include "scratch.h"

#if defined(__linux__) && defined(__AVX512F__) && !defined(__clang__) && __GNUC__ >= 11
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#define FACULA_TILES 1
#endif

namespace facula {
namespace {

#if defined(FACULA_TILES)

// A tile has 16 rows of 64 bytes: 16 x 32 numbers of A, 16 pairs of rows x 16 columns of B, or 16 x 16 sums.
constexpr Index kSide = 16;
constexpr Index kDeep = 32;
constexpr Index kTile = 512;  // numbers of two bytes

// Whether the processor has tiles for bfloat16, and the system lets this process use them.
bool tiles_are_there() {
  static const bool found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    const bool has = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return has && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return found;
}

struct Numbers {
  const uint16_t* data;
  Index row, column;
  uint16_t operator()(Index i, Index j) const { return data[i * row + j * column]; }
};

Index tiles_of(Index size, Index side) { return (size + side - 1) / side; }

// Rows i0 … of A as tiles, one after the other along its columns; zeros beyond its edges.
void pack_left(const Numbers& a, Index m, Index k, Index i0, uint16_t* to) {
  const Index rows = std::min(kSide, m - i0);
  if (rows < kSide || k % kDeep != 0) std::memset(to, 0, static_cast<size_t>(tiles_of(k, kDeep) * kTile) * 2);
  for (Index k0 = 0; k0 < k; k0 += kDeep, to += kTile) {
    const Index deep = std::min(kDeep, k - k0);
    for (Index i = 0; i < rows; ++i) {
      if (a.column == 1) {
        std::memcpy(to + i * kDeep, a.data + (i0 + i) * a.row + k0, static_cast<size_t>(deep) * 2);
      } else {
        for (Index at = 0; at < deep; ++at) to[i * kDeep + at] = a(i0 + i, k0 + at);
      }
    }
  }
}

// Columns j0 … of B as tiles: pairs of rows lie together.
void pack_right(const Numbers& b, Index n, Index k, Index j0, uint16_t* to) {
  const Index columns = std::min(kSide, n - j0);
  if (columns < kSide || k % kDeep != 0) std::memset(to, 0, static_cast<size_t>(tiles_of(k, kDeep) * kTile) * 2);
  for (Index k0 = 0; k0 < k; k0 += kDeep, to += kTile) {
    const Index deep = std::min(kDeep, k - k0);
    if (b.column == 1 && columns == kSide && deep == kDeep) {
      for (Index pair = 0; pair < kSide; ++pair) {
        const uint16_t* upper = b.data + (k0 + 2 * pair) * b.row + j0;
        const uint16_t* lower = upper + b.row;
        for (Index j = 0; j < kSide; ++j) {
          to[pair * kDeep + 2 * j] = upper[j];
          to[pair * kDeep + 2 * j + 1] = lower[j];
        }
      }
      continue;
    }
    for (Index j = 0; j < columns; ++j) {
      for (Index at = 0; at < deep; ++at) to[at / 2 * kDeep + 2 * j + at % 2] = b(k0 + at, j0 + j);
    }
  }
}

// To the nearest, of two equally near the even one.
uint16_t rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (x != x) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#pragma GCC push_options
#pragma GCC target("amx-tile,amx-bf16")

struct alignas(64) Configuration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// In memory as a whole: the compiler does not see that the instruction reads all of it.
constexpr Configuration kConfiguration;

void configure() { _tile_loadconfig(&kConfiguration); }

void release() { _tile_release(); }

// Four tiles of sums, from two rows of tiles of A and two columns of tiles of B, each `next` numbers after the first.
void block(Index depth, const uint16_t* left, Index next_left, const uint16_t* right, Index next_right, float* sums) {
  // Nor that the instructions below read and write memory.
  asm volatile("" ::: "memory");
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (Index k = 0; k < depth; ++k) {
    _tile_loadd(4, left + k * kTile, 64);
    _tile_loadd(5, left + next_left + k * kTile, 64);
    _tile_loadd(6, right + k * kTile, 64);
    _tile_loadd(7, right + next_right + k * kTile, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 128);
  _tile_stored(1, sums + kSide, 128);
  _tile_stored(2, sums + 2 * kSide * kSide, 128);
  _tile_stored(3, sums + 2 * kSide * kSide + kSide, 128);
  asm volatile("" ::: "memory");
}

#pragma GCC pop_options

bool multiply(Index m, Index n, Index k, const Numbers& a, const Numbers& b, uint16_t* c) {
  const Index depth = tiles_of(k, kDeep);
  const Index down = tiles_of(m, 2 * kSide), across = tiles_of(n, 2 * kSide);
  uint16_t* left = scratch<uint16_t>(Purpose::left_panels, static_cast<size_t>(down * 2 * depth * kTile + 1));
  uint16_t* right = scratch<uint16_t>(Purpose::right_panels, static_cast<size_t>(across * 2 * depth * kTile + 1));
  if (left == nullptr || right == nullptr) return false;
  const Index grain = std::max<Index>(1, 65536 / (depth * kTile + 1));
  parallel_for(down * 2 + across * 2, grain, [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index number = at < down * 2 ? at : at - down * 2;
      uint16_t* to = (at < down * 2 ? left : right) + number * depth * kTile;
      if (number * kSide >= (at < down * 2 ? m : n)) {
        std::memset(to, 0, static_cast<size_t>(depth * kTile) * 2);
      } else if (at < down * 2) {
        pack_left(a, m, k, number * kSide, to);
      } else {
        pack_right(b, n, k, number * kSide, to);
      }
    }
  });
  parallel_for(down * across, std::max<Index>(1, 64 / (depth + 1)), [&](Index begin, Index end) {
    configure();
    alignas(64) float sums[4 * kSide * kSide];
    for (Index at = begin; at < end; ++at) {
      const Index i0 = at % down * 2 * kSide, j0 = at / down * 2 * kSide;
      block(depth, left + i0 / kSide * depth * kTile, depth * kTile, right + j0 / kSide * depth * kTile, depth * kTile, sums);
      const Index wide = std::min(2 * kSide, n - j0);
      for (Index i = i0; i < std::min(m, i0 + 2 * kSide); ++i) {
        const float* from = sums + (i - i0) * 2 * kSide;
        for (Index j = 0; j < wide; ++j) c[i * n + j0 + j] = rounded(from[j]);
      }
    }
    release();
  });
  return true;
}

#endif

}  // namespace

KERNEL(mm_bfloat16, "mm_bfloat16(x, other): the product of two bfloat16 matrices") {
#if defined(FACULA_TILES)
  if (count != 2 || !is_array(args[0]) || !is_array(args[1]) || !tiles_are_there()) return declined();
  const Array x(args[0]), y(args[1]);
  if (x.type() != Type::bfloat16 || y.type() != Type::bfloat16 || x.dims() != 2 || y.dims() != 2) return declined();
  const Index m = x.shape(0), k = x.shape(1), n = y.shape(1);
  if (y.shape(0) != k) return declined();
  const npy_intp shape[2] = {m, n};
  Array result = Array::empty(2, shape, Type::bfloat16);
  if (!result) return nullptr;
  bool done = true;
  if (m > 0 && n > 0) {
    WithoutGil unlocked(m * n * k > 32768);
    done = multiply(m, n, k, {x.data<uint16_t>(), x.stride(0) / 2, x.stride(1) / 2},
                    {y.data<uint16_t>(), y.stride(0) / 2, y.stride(1) / 2}, result.data<uint16_t>());
  }
  return done ? result.release() : PyErr_NoMemory();
#else
  return declined();
#endif
}

}  // namespace facula
