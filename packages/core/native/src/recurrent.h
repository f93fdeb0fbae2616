// What layers of recurrent cells over sequences of float32 share: products with weights that are copied once, so that each
// step reads them in order, steps of which some sequences are no part, and functions of gates.
//
// A step is one loop on threads over blocks of hidden units, which computes the gates of its units and what follows.
#pragma once

#include <vector>

#include "array.h"
#include "gemm.h"
#include "rows.h"
#include "softmax.h"

namespace facula {
namespace {

using gemm::Finish;
using gemm::kColumns;
using gemm::kRows;

// How many sequences are treated at once, and how deep one pass of a product is.
constexpr Index kBatch = 8 * kRows;
constexpr Index kPass = 256;
// About this many multiplications are worth a thread.
constexpr Index kProductGrain = 200000;

// Products with each of the panels of B (k x n): they lie one after the other, of kColumns columns each.
Index panels_size(Index n, Index k) { return gemm::round_up(n, kColumns) * k + kLanes * kColumns; }

void pack(Index n, Index k, const gemm::Matrix& b, float* to) {
  for (Index j = 0; j < n; j += kColumns) {
    const gemm::Matrix part = b.from(0, j);
    gemm::interleave<kColumns>(part.data, part.column, part.row, std::min<Index>(kColumns, n - j), k, to + j * k);
  }
}

// sums (m x kColumns) = A (m x k) times one panel. `first_look(row, rows)` is called before rows are begun with.
template <class Look>
void times_panel(Index m, Index k, const float* a, Index a_row, const float* panel, float* sums, const Look& first_look) {
  for (Index k0 = 0; k0 < k; k0 += kPass) {
    const Index depth = std::min(kPass, k - k0);
    Finish finish;
    finish.add = k0 > 0;
    for (Index i = 0; i < m; i += kRows) {
      Index last = 0;
      if (k0 == 0) first_look(i, std::min<Index>(kRows, m - i));
      const auto run = gemm::kernel_for<false, true>(std::min<Index>(kRows, m - i), kColumns, last);
      run(depth, a + i * a_row + k0, a_row, 1, panel + k0 * kColumns, kColumns, sums + i * kColumns, kColumns, last, finish);
    }
  }
}

// One row times several panels at once: the sums of one alone would wait for each other.
template <Index gates>
void row_times_panels(Index k, const float* a, const float* const* panels, float (*sums)[kBatch * kColumns]) {
  constexpr Index kWays = gates >= 3 ? 1 : 4;
  Floats found[gates][kWays][2] = {};
  Index at = 0;
  for (; at + kWays <= k; at += kWays) {
    for (Index gate = 0; gate < gates; ++gate) {
      for (Index way = 0; way < kWays; ++way) {
        const float* row = panels[gate] + (at + way) * kColumns;
        found[gate][way][0] += a[at + way] * load(row);
        found[gate][way][1] += a[at + way] * load(row + kLanes);
      }
    }
  }
  for (; at < k; ++at) {
    for (Index gate = 0; gate < gates; ++gate) {
      found[gate][0][0] += a[at] * load(panels[gate] + at * kColumns);
      found[gate][0][1] += a[at] * load(panels[gate] + at * kColumns + kLanes);
    }
  }
  for (Index gate = 0; gate < gates; ++gate) {
    for (Index half = 0; half < 2; ++half) {
      Floats sum = found[gate][0][half];
      for (Index way = 1; way < kWays; ++way) sum += found[gate][way][half];
      store(sums[gate] + half * kLanes, sum);
    }
  }
}

// 1 / x for x between 1 and 2, to about one unit in the last place.
ALWAYS_INLINE Floats reciprocal(Floats x) {
#if defined(__AVX512F__)
  const Floats guess = _mm512_maskz_rcp14_ps(0xffff, x);
  return guess * (2.0f - x * guess);
#else
  return 1.0f / x;
#endif
}

// The logistic function and tanh with a few units of 2**-24 absolute error, and half the instructions.
ALWAYS_INLINE Floats gate_of(Floats x) {
  const Floats power = exp_below_zero(-absolute(x));
  const Floats above = reciprocal(1.0f + power);
  return x < 0.0f ? power * above : above;
}
ALWAYS_INLINE Floats squashed(Floats x) {
  const Floats power = exp_below_zero(-2.0f * absolute(x));
  return with_sign_of((1.0f - power) * reciprocal(1.0f + power), x);
}

// Ask for what a block of units has in each row: lines far apart, which the processor does not foresee.
template <int for_writing>
ALWAYS_INLINE void announce(const float* rows, Index count, Index row) {
  for (Index i = 0; i < count; ++i) {
    for (Index at = 0; at < kColumns; at += 16) __builtin_prefetch(rows + i * row + at, for_writing, 2);
  }
}

ALWAYS_INLINE Floats read(const float* from, Index count) { return load_filled(from, count, 0); }

// Steps in time, whose sequences lie one after the other with the longest first: their number never grows.
struct Steps {
  Index count = 0;
  Index batch = 0;
  bool backwards = false;
  // Where the rows of each step start, and where the last ones end; empty where all have `batch`.
  std::vector<Index> starts;

  Index start(Index time) const { return starts.empty() ? time * batch : starts[static_cast<size_t>(time)]; }
  Index rows() const { return start(count); }
  // The place in time of the step that is number `at` to be computed; where its rows start, and how many these are. Before
  // the first and after the last there are none.
  Index time(Index at) const { return backwards ? count - 1 - at : at; }
  Index first(Index at) const { return start(time(at)); }
  Index size(Index at) const { return at < 0 || at >= count ? 0 : start(time(at) + 1) - start(time(at)); }
};

// Read how many sequences each step has: None where `array` is (steps, batch, …), else whole numbers that add up to the
// rows of `array` (rows, …). False for anything else.
bool read_steps(PyObject* array, PyObject* sizes, Index batch, bool backwards, Steps& steps) {
  if (!is_array(array)) return false;
  const Array x(array);
  steps.backwards = backwards;
  steps.batch = batch;
  if (sizes == Py_None) {
    steps.count = x.dims() == 3 ? x.shape(0) : 0;
    return x.dims() == 3 && x.shape(1) == batch && x.size() > 0;
  }
  if (!is_array(sizes)) return false;
  const Array lengths(sizes);
  if (lengths.type() != Type::int64 || lengths.dims() != 1 || !lengths.contiguous() || x.dims() != 2 || x.size() == 0) return false;
  steps.count = lengths.size();
  steps.starts.assign(1, 0);
  Index before = batch;
  for (Index time = 0; time < steps.count; ++time) {
    const Index size = lengths.data<Index>()[time];
    if (size < 1 || size > before || (time == 0 && size != batch)) return false;
    steps.starts.push_back(steps.starts.back() + size);
    before = size;
  }
  return steps.rows() == x.shape(0);
}

// Whether an object is an array of float32 in C order whose last dimension is `width`, with so many rows before it.
bool has_rows(PyObject* object, Index rows, Index width) {
  if (!is_array(object)) return false;
  const Array x(object);
  return x.type() == Type::float32 && x.contiguous() && x.dims() >= 2 && x.shape(-1) == width && x.size() == rows * width;
}

// What has the rows of `like` and a last dimension of its own.
Array rows_like(const Array& like, Index width) {
  npy_intp shape[NPY_MAXDIMS];
  std::copy(like.shape(), like.shape() + like.dims(), shape);
  shape[like.dims() - 1] = width;
  return Array::empty(like.dims(), shape, Type::float32);
}

// Calls `body(begin, end)` for the ranges of first … size between two cuts.
template <class Body>
void between(Index first, Index size, std::initializer_list<Index> cuts, const Body& body) {
  for (Index begin = first; begin < size;) {
    Index end = size;
    for (Index cut : cuts) end = cut > begin && cut < end ? cut : end;
    body(begin, end);
    begin = end;
  }
}

// Weights up to this size stay in the second cache. So few sequences at once leave room beside them, and more groups than
// threads end together though one thread is held up.
constexpr Index kNearWeights = 3 << 17;
constexpr Index kNearSequences = kRows == 12 ? 8 : 12;

// Calls `body(first, last)` for groups of sequences, each of which goes through all steps by itself where the weights are
// near enough: then threads need not wait for each other at each step.
template <class Body>
void for_groups(const Steps& steps, Index weights, const Body& body) {
  Index groups = 1;
  if (weights <= kNearWeights && steps.rows() * weights > 2 * kProductGrain) {
    const Index wanted = (steps.batch + kNearSequences - 1) / kNearSequences;
    groups = gemm::round_up(wanted, threads());
    if (steps.batch < 4 * groups) groups = wanted < threads() ? 1 : wanted;
  }
  const Index size = gemm::round_up((steps.batch + groups - 1) / groups, 4);
  if (groups == 1) {
    body(Index{0}, steps.batch);
    return;
  }
  parallel_tasks((steps.batch + size - 1) / size, [&](Index group) { body(group * size, std::min(steps.batch, (group + 1) * size)); });
}

template <class Body>
void for_blocks(Index units, Index rows, Index depth, const Body& body) {
  const Index blocks = (units + kColumns - 1) / kColumns;
  const Index grain = std::max<Index>(1, kProductGrain / (kColumns * rows * depth + 1));
  parallel_for(blocks, grain, [&](Index begin, Index end) {
    for (Index block = begin; block < end; ++block) body(block * kColumns, std::min<Index>(kColumns, units - block * kColumns));
  });
}

// Calls `body(row, unit, count)` for vectors of `count` units each, of all rows of one step.
template <class Body>
void for_rows_of(Index rows, Index units, const Body& body) {
  WithoutGil unlocked(rows * units > 4096);
  parallel_for(rows, rows_per_thread(16 * units), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      for (Index unit = 0; unit < units; unit += kLanes) body(row, unit, std::min<Index>(kLanes, units - unit));
    }
  });
}

// Copies of the weights (gates * units, units) in the order in which steps read them; null where memory is short.
float* pack_forward(Index gates, Index units, const float* weight) {
  const Index size = panels_size(units, units);
  float* weights = scratch<float>(Purpose::transformed, static_cast<size_t>(gates * size));
  for (Index gate = 0; weights != nullptr && gate < gates; ++gate) {
    pack(units, units, {weight + gate * units * units, 1, units}, weights + gate * size);
  }
  return weights;
}
float* pack_backward(Index gates, Index units, const float* weight) {
  float* weights = scratch<float>(Purpose::transformed, static_cast<size_t>(panels_size(units, gates * units)));
  if (weights != nullptr) pack(units, gates * units, {weight, units, 1}, weights);
  return weights;
}

// All steps of a layer. `cell_at(at, begin, end)` gives what finishes rows begin … end of the step number `at`: `gates`
// products with its weights, `announce(row, rows, gate, first)` and `finish(row, unit, count, sums)`. `out` holds the states.
// False where memory is short.
template <class Cell, class Make>
bool run_forward(const Steps& steps, Index units, const float* hidden, const float* out, const float* weight, const Make& cell_at) {
  const float* weights = pack_forward(Cell::gates, units, weight);
  if (weights == nullptr) return false;
  const Index size = panels_size(units, units);
  // One at a time are computed in another order, on which a group must not depend.
  const bool alone = steps.batch == 1;
  const auto part = [&](Index at, Index begin, Index end) {
    const Index going_on = std::min(steps.size(at - 1), steps.size(at));
    const float* before = begin < going_on ? out + (steps.first(at - 1) + begin) * units : hidden + begin * units;
    const Cell cell = cell_at(at, begin, end);
    const Index rows_of_part = end - begin;
    for_blocks(units, rows_of_part, Cell::gates * units, [&](Index first, Index wide) {
      alignas(64) float sums[Cell::gates][kBatch * kColumns];
      const float* panels[Cell::gates];
      for (Index gate = 0; gate < Cell::gates; ++gate) panels[gate] = weights + gate * size + first * units;
      for (Index n0 = 0; n0 < rows_of_part; n0 += kBatch) {
        const Index rows = std::min(kBatch, rows_of_part - n0);
        if (alone) {
          row_times_panels<Cell::gates>(units, before, panels, sums);
        } else {
          for (Index gate = 0; gate < Cell::gates; ++gate) {
            cell.announce(n0, rows, gate, first);
            times_panel(rows, units, before + n0 * units, units, panels[gate], sums[gate], [](Index, Index) {});
          }
        }
        for (Index row = 0; row < rows; ++row) {
          for (Index from = 0; from < wide; from += kLanes) {
            Floats found[Cell::gates];
            for (Index gate = 0; gate < Cell::gates; ++gate) found[gate] = load(sums[gate] + row * kColumns + from);
            cell.finish(n0 + row, first + from, std::min<Index>(kLanes, wide - from), found);
          }
        }
      }
    });
  };
  for_groups(steps, Cell::gates * units * units, [&](Index first, Index last) {
    for (Index at = 0; at < steps.count; ++at) {
      const Index end = std::min(last, steps.size(at));
      between(first, end, {steps.size(at - 1)}, [&](Index begin, Index end) { part(at, begin, end); });
    }
  });
  return true;
}

// The gradients of all steps, last step first. `slopes` (rows, gates * units) are those of the products with the weights;
// `cell_at(at, begin, end)` gives what finishes rows begin … end of step `at` from the gradients of their states, and for
// step -1 that of the states at the start. False where memory is short.
template <class Cell, class Make>
bool run_backward(const Steps& steps, Index units, const float* slopes, const float* weight, const Make& cell_at) {
  constexpr Index gates = Cell::gates;
  const float* weights = pack_backward(gates, units, weight);
  if (weights == nullptr) return false;
  const auto part = [&](Index at, Index begin, Index end) {
    // The rows above the step's own, if there are such, are of sequences that started with the later step.
    const Cell cell = cell_at(begin < steps.size(at) ? at : -1, begin, end);
    const float* later = begin < steps.size(at + 1) ? slopes + (steps.first(at + 1) + begin) * gates * units : nullptr;
    const Index rows_of_part = end - begin;
    for_blocks(units, rows_of_part, gates * units, [&](Index first, Index wide) {
      alignas(64) float sums[kBatch * kColumns];
      for (Index n0 = 0; n0 < rows_of_part; n0 += kBatch) {
        const Index rows = std::min(kBatch, rows_of_part - n0);
        if (later == nullptr) {
          std::memset(sums, 0, sizeof sums);
        } else {
          const auto look = [&](Index row, Index count) { cell.announce(n0 + row, count, first); };
          times_panel(rows, gates * units, later + n0 * gates * units, gates * units, weights + first * gates * units, sums, look);
        }
        for (Index row = 0; row < rows; ++row) {
          for (Index from = 0; from < wide; from += kLanes) {
            cell.finish(n0 + row, first + from, std::min<Index>(kLanes, wide - from), load(sums + row * kColumns + from));
          }
        }
      }
    });
  };
  for_groups(steps, gates * units * units, [&](Index first, Index last) {
    for (Index at = steps.count - 1; at >= -1; --at) {
      const Index own = steps.size(at), later = steps.size(at + 1);
      between(first, std::min(last, std::max(own, later)), {own, later, steps.size(at - 1)},
              [&](Index begin, Index end) { part(at, begin, end); });
    }
  });
  return true;
}

// The gradient for the weights (gates * units, units): they met the first states where sequences start, and elsewhere what the
// step before gave. False where memory is short.
bool weight_gradient(const Steps& steps, Index wide, Index units, const float* slopes, const float* hidden, const float* out, float* to) {
  const Index batch = steps.batch;
  if (steps.starts.empty()) {
    const float* first = slopes + steps.first(0) * wide;
    Finish finish;
    if (!gemm::product(wide, units, batch, {first, 1, wide}, {hidden, units, 1}, to, units, finish)) return false;
    if (steps.count == 1) return true;
    finish.add = true;
    const float* others = slopes + (steps.backwards ? 0 : batch * wide);
    const float* states = out + (steps.backwards ? batch * units : 0);
    return gemm::product(wide, units, (steps.count - 1) * batch, {others, 1, wide}, {states, units, 1}, to, units, finish);
  }
  float* before = scratch<float>(Purpose::gathered, static_cast<size_t>(steps.rows() * units));
  if (before == nullptr) return false;
  for (Index at = 0; at < steps.count; ++at) {
    const Index going_on = std::min(steps.size(at - 1), steps.size(at));
    float* rows = before + steps.first(at) * units;
    if (going_on > 0) std::memcpy(rows, out + steps.first(at - 1) * units, static_cast<size_t>(going_on * units) * sizeof(float));
    const Index starting = steps.size(at) - going_on;
    if (starting > 0) {
      std::memcpy(rows + going_on * units, hidden + going_on * units, static_cast<size_t>(starting * units) * sizeof(float));
    }
  }
  return gemm::product(wide, units, steps.rows(), {slopes, 1, wide}, {before, units, 1}, to, units, Finish{});
}

}  // namespace
}  // namespace facula
