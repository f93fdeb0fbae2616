// Products of bfloat16 matrices by the processor's tiles (AMX), where it has them.
#include "tiles.h"

#include "gemm.h"
#include "halves.h"

#if defined(__linux__) && defined(__AVX512F__) && !defined(__clang__) && __GNUC__ >= 11
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define FACULA_TILES 1
#endif

namespace facula {
namespace tiles {

#if defined(FACULA_TILES)

namespace {

// A tile has 16 rows of 64 bytes: 16 x 32 numbers of A, 16 pairs of rows x 16 columns of B, or 16 x 16 sums.
constexpr Index kSide = 16;
constexpr Index kDeep = 32;
constexpr Index kTile = kSide * kDeep;
static_assert(kLanes == kSide, "a row of a tile is a vector");
// Numbers of A that are kept in the second cache while B passes by.
constexpr Index kKept = Index{1} << 18;

Index tiles_of(Index size, Index side) { return (size + side - 1) / side; }

// One tile of `lines` (rows of A, columns of B) from `k0` on, zero beyond the edges: line by line, as A's are, or pair by
// pair of places along the depth, as B's are. Line i has its number at depth k at data[i * row + k * column].
void copy_tile(const Numbers& x, Index lines, Index k0, Index deep, bool by_pair, uint16_t* to) {
  const uint16_t* from = x.data + k0 * x.column;
  const bool whole = lines == kSide && deep == kDeep;
  if (whole && (x.column == 1 || x.row == 1)) {
    const bool along = x.column == 1;
    Floats rows[kSide];
    for (Index at = 0; at < kSide; ++at) {
      if (along) {
        std::memcpy(&rows[at], from + at * x.row, sizeof rows[at]);
      } else {
        const Halves even = load(from + 2 * at * x.column);
        const Halves odd = load(from + (2 * at + 1) * x.column);
        rows[at] = reinterpret_cast<Floats>(__builtin_convertvector(even, Words) | __builtin_convertvector(odd, Words) << 16);
      }
    }
    if (along == by_pair) gemm::transpose(rows);
    std::memcpy(to, rows, sizeof rows);
    return;
  }
  std::memset(to, 0, kTile * sizeof *to);
  for (Index i = 0; i < lines; ++i) {
    for (Index k = 0; k < deep; ++k) {
      const Index place = by_pair ? k / 2 * kDeep + 2 * i + k % 2 : i * kDeep + k;
      to[place] = from[i * x.row + k * x.column];
    }
  }
}

// The lines `first` … as tiles, one after the other along the depth.
void copy_lines(const Numbers& x, Index lines, Index k, Index first, bool by_pair, uint16_t* to) {
  const Numbers part = {x.data + first * x.row, x.row, x.column};
  const Index count = std::min(kSide, std::max<Index>(0, lines - first));
  for (Index k0 = 0; k0 < k; k0 += kDeep, to += kTile) copy_tile(part, count, k0, std::min(kDeep, k - k0), by_pair, to);
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

// Two rows of tiles' sums, rounded, to where they belong.
void put(const float* sums, Index high, Index wide, const uint16_t* bias, uint16_t* c, Index c_row) {
  for (Index j = 0; j < wide; j += kSide) {
    const Index count = std::min(kSide, wide - j);
    const Floats more = bias == nullptr ? Floats{} : BrainHalves::load_part(bias + j, count);
    for (Index i = 0; i < high; ++i) {
      const Halves result = BrainHalves::rounded(load(sums + i * 2 * kSide + j) + more);
      if (count == kSide) {
        store(c + i * c_row + j, result);
      } else {
        store_part(c + i * c_row + j, result, count);
      }
    }
  }
}

}  // namespace

bool are_there() {
  static const bool found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    const bool has = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return has && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return found;
}

bool product(Index m, Index n, Index k, const Numbers& a, const Numbers& b, const uint16_t* bias, uint16_t* c) {
  const Index depth = tiles_of(k, kDeep);
  const Index length = depth * kTile;
  const Index down = tiles_of(m, 2 * kSide), across = tiles_of(n, 2 * kSide);
  uint16_t* left = scratch<uint16_t>(Purpose::left_panels, static_cast<size_t>(down * 2 * length + 1));
  uint16_t* right = scratch<uint16_t>(Purpose::right_panels, static_cast<size_t>(across * 2 * length + 1));
  if (left == nullptr || right == nullptr) return false;
  const Numbers columns = {b.data, b.column, b.row};
  parallel_for((down + across) * 2, std::max<Index>(1, 32768 / (length + 1)), [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      const Index column = at - down * 2;
      if (column < 0) {
        copy_lines(a, m, k, at * kSide, false, left + at * length);
      } else {
        copy_lines(columns, n, k, column * kSide, true, right + column * length);
      }
    }
  });
  // Blocks of rows that stay near, and as many parts of the columns as give each thread a few tasks.
  const Index high = std::max<Index>(1, std::min(down, kKept / (2 * length + 1)));
  const Index blocks = tiles_of(down, high);
  const Index worth = std::max<Index>(1, down * across * (depth + 1) / 64);
  const Index parts = std::max<Index>(1, std::min(across, tiles_of(std::min(4 * threads(), static_cast<int>(worth)), blocks)));
  parallel_tasks(blocks * parts, [&](Index task) {
    configure();
    alignas(64) float sums[4 * kSide * kSide];
    const Index top = task / parts * high, bottom = std::min(down, top + high);
    for (Index j = across * (task % parts) / parts; j < across * (task % parts + 1) / parts; ++j) {
      for (Index i = top; i < bottom; ++i) {
        block(depth, left + 2 * i * length, length, right + 2 * j * length, length, sums);
        const Index row = 2 * i * kSide, column = 2 * j * kSide;
        put(sums, std::min(2 * kSide, m - row), std::min(2 * kSide, n - column), bias == nullptr ? nullptr : bias + column,
            c + row * n + column, n);
      }
    }
    release();
  });
  return true;
}

#else

bool are_there() { return false; }

bool product(Index, Index, Index, const Numbers&, const Numbers&, const uint16_t*, uint16_t*) { return false; }

#endif

}  // namespace tiles
}  // namespace facula
