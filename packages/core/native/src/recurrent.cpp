// Layers of LSTM cells over whole sequences of float32, and their gradients.
//
// The weights are copied once, so that each step's product reads them in order; a step is one loop on threads over blocks
// of hidden units, which computes the four gates of its units and what follows from them.
#include "array.h"
#include "gemm.h"
#include "rows.h"
#include "softmax.h"

namespace facula {
namespace {

using gemm::Finish;
using gemm::kColumns;
using gemm::kRows;

constexpr Index kGates = 4;
// How many sequences are treated at once, and how deep one pass of a product is.
constexpr Index kBatch = 8 * kRows;
constexpr Index kPass = 256;
// About this many multiplications are worth a thread.
constexpr Index kGrain = 200000;

// Products with each of the panels of B (k x n): they lie one after the other, of kColumns columns each.
Index panels_size(Index n, Index k) { return gemm::round_up(n, kColumns) * k + kLanes * kColumns; }

void pack(Index n, Index k, const gemm::Matrix& b, float* to) {
  for (Index j = 0; j < n; j += kColumns) {
    const gemm::Matrix part = b.from(0, j);
    gemm::interleave<kColumns>(part.data, part.column, part.row, std::min<Index>(kColumns, n - j), k, to + j * k);
  }
}

// sums (m x kColumns) = or += A (m x k) times one panel.
void times_panel(Index m, Index k, const float* a, Index a_row, const float* panel, float* sums, bool add) {
  for (Index k0 = 0; k0 < k; k0 += kPass) {
    const Index depth = std::min(kPass, k - k0);
    Finish finish;
    finish.add = add || k0 > 0;
    for (Index i = 0; i < m; i += kRows) {
      Index last = 0;
      const auto run = gemm::kernel_for<false, true>(std::min<Index>(kRows, m - i), kColumns, last);
      run(depth, a + i * a_row + k0, a_row, 1, panel + k0 * kColumns, kColumns, sums + i * kColumns, kColumns, last, finish);
    }
  }
}

// One row times four panels at once: the sums of one alone would wait for each other.
void row_times_panels(Index k, const float* a, const float* const* panels, float* const* sums) {
  Floats found[kGates][2] = {};
  for (Index at = 0; at < k; ++at) {
    for (Index gate = 0; gate < kGates; ++gate) {
      found[gate][0] += a[at] * load(panels[gate] + at * kColumns);
      found[gate][1] += a[at] * load(panels[gate] + at * kColumns + kLanes);
    }
  }
  for (Index gate = 0; gate < kGates; ++gate) {
    store(sums[gate], found[gate][0]);
    store(sums[gate] + kLanes, found[gate][1]);
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
ALWAYS_INLINE Floats gate(Floats x) {
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
    for (Index at = 0; at < kColumns; at += 16) __builtin_prefetch(rows + i * row + at, for_writing);
  }
}

struct Layer {
  Index steps, batch, hidden;
  bool backwards;
  // The place in time of the step that is number `at` to be computed.
  Index time(Index at) const { return backwards ? steps - 1 - at : at; }
  Index states() const { return batch * hidden; }
  Index blocks() const { return (hidden + kColumns - 1) / kColumns; }
  Index grain() const { return std::max<Index>(1, kGrain / (kGates * kColumns * batch * hidden + 1)); }
};

// What one step reads and writes: all of (batch, hidden), the gates of (batch, 4 hidden).
struct Step {
  const float *projected, *hidden, *memory;
  float *out, *next_memory, *gates;
};

// The units of one block at one step.
void forward_block(const Layer& layer, const Step& step, const float* weights, Index block) {
  const Index units = layer.hidden, first = block * kColumns;
  const Index wide = std::min<Index>(kColumns, units - first);
  alignas(64) float sums[kGates][kBatch * kColumns];
  const float* panels[kGates];
  float* to[kGates];
  for (Index gate = 0; gate < kGates; ++gate) {
    panels[gate] = weights + gate * panels_size(units, units) + first * units;
    to[gate] = sums[gate];
  }
  for (Index n0 = 0; n0 < layer.batch; n0 += kBatch) {
    const Index rows = std::min(kBatch, layer.batch - n0);
    if (rows == 1) {
      row_times_panels(units, step.hidden + n0 * units, panels, to);
    } else {
      for (Index gate = 0; gate < kGates; ++gate) {
        const Index gates = n0 * kGates * units + gate * units + first;
        announce<0>(step.projected + gates, rows, kGates * units);
        if (step.gates != nullptr) announce<1>(step.gates + gates, rows, kGates * units);
        times_panel(rows, units, step.hidden + n0 * units, units, panels[gate], sums[gate], false);
      }
    }
    for (Index row = 0; row < rows; ++row) {
      const Index state = (n0 + row) * units + first;
      const Index gates = (n0 + row) * kGates * units + first;
      for (Index at = 0; at < wide; at += kLanes) {
        const Index count = std::min<Index>(kLanes, wide - at);
        const auto before = [&](Index which) {
          return load(sums[which] + row * kColumns + at) + load_filled(step.projected + gates + which * units + at, count, 0);
        };
        const Floats admit = gate(before(0));
        const Floats forget = gate(before(1));
        const Floats candidate = squashed(before(2));
        const Floats emit = gate(before(3));
        const Floats memory = forget * load_filled(step.memory + state + at, count, 0) + admit * candidate;
        store_first(step.next_memory + state + at, memory, count);
        store_first(step.out + state + at, emit * squashed(memory), count);
        if (step.gates != nullptr) {
          store_first(step.gates + gates + at, admit, count);
          store_first(step.gates + gates + units + at, forget, count);
          store_first(step.gates + gates + 2 * units + at, candidate, count);
          store_first(step.gates + gates + 3 * units + at, emit, count);
        }
      }
    }
  }
}

// What the gradient of one step reads and writes. `later` are the gates' gradients of the step computed after this one.
struct StepBack {
  const float *out_slope, *memory_slope, *later, *gates, *memory, *previous_memory;
  float *gate_slopes, *carried;
};

// The gradient for the hidden state that the later step read, and so for the gates and the memory of this one.
// `carried` holds the gradient for the memory between the steps.
void backward_block(const Layer& layer, const StepBack& step, const float* weights, Index block, float* hidden_slope) {
  const Index units = layer.hidden, first = block * kColumns;
  const Index wide = std::min<Index>(kColumns, units - first);
  alignas(64) float sums[kBatch * kColumns];
  for (Index n0 = 0; n0 < layer.batch; n0 += kBatch) {
    const Index rows = std::min(kBatch, layer.batch - n0);
    for (Index gate = 0; step.gates != nullptr && gate < kGates; ++gate) {
      const Index gates = n0 * kGates * units + gate * units + first;
      announce<0>(step.gates + gates, rows, kGates * units);
      announce<1>(step.gate_slopes + gates, rows, kGates * units);
    }
    if (step.later == nullptr) {
      std::memset(sums, 0, sizeof sums);
    } else {
      times_panel(rows, kGates * units, step.later + n0 * kGates * units, kGates * units, weights + first * kGates * units, sums,
                  false);
    }
    for (Index row = 0; row < rows; ++row) {
      const Index state = (n0 + row) * units + first;
      const Index gates = (n0 + row) * kGates * units + first;
      for (Index at = 0; at < wide; at += kLanes) {
        const Index count = std::min<Index>(kLanes, wide - at);
        const auto read = [&](const float* from) { return load_filled(from + at, count, 0); };
        Floats slope = load(sums + row * kColumns + at);
        if (hidden_slope != nullptr) {
          store_first(hidden_slope + state + at, slope, count);
          continue;
        }
        if (step.out_slope != nullptr) slope += read(step.out_slope + state);
        const Floats admit = read(step.gates + gates);
        const Floats forget = read(step.gates + gates + units);
        const Floats candidate = read(step.gates + gates + 2 * units);
        const Floats emit = read(step.gates + gates + 3 * units);
        const Floats shown = squashed(read(step.memory + state));
        Floats kept = read(step.carried + state) + slope * emit * (1.0f - shown * shown);
        if (step.memory_slope != nullptr) kept += read(step.memory_slope + state);
        float* to = step.gate_slopes + gates + at;
        store_first(to, kept * candidate * admit * (1.0f - admit), count);
        store_first(to + units, kept * read(step.previous_memory + state) * forget * (1.0f - forget), count);
        store_first(to + 2 * units, kept * admit * (1.0f - candidate * candidate), count);
        store_first(to + 3 * units, slope * shown * emit * (1.0f - emit), count);
        store_first(step.carried + state + at, kept * forget, count);
      }
    }
  }
}

bool is_usable(PyObject* object, std::initializer_list<Index> shape) {
  if (!is_array(object)) return false;
  const Array x(object);
  if (x.type() != Type::float32 || !x.contiguous() || x.dims() != static_cast<int>(shape.size())) return false;
  return std::equal(shape.begin(), shape.end(), x.shape());
}

}  // namespace

KERNEL(lstm, "lstm(projected, hidden, memory, weight, backwards, keep): the hidden and cell states of all steps, and the gates") {
  if (count != 6 || !is_array(args[0]) || !is_array(args[3])) return declined();
  const Array projected(args[0]), weight(args[3]);
  if (projected.dims() != 3 || weight.dims() != 2 || projected.size() == 0) return declined();
  const Layer layer = {projected.shape(0), projected.shape(1), weight.shape(1), args[4] == Py_True};
  const Index units = layer.hidden;
  if (!is_usable(args[0], {layer.steps, layer.batch, kGates * units}) || !is_usable(args[3], {kGates * units, units}) ||
      !is_usable(args[1], {layer.batch, units}) || !is_usable(args[2], {layer.batch, units})) {
    return declined();
  }
  const bool keep = args[5] == Py_True;
  const npy_intp shape[3] = {layer.steps, layer.batch, units};
  const npy_intp gates_shape[3] = {keep ? layer.steps : 0, layer.batch, kGates * units};
  Array out = Array::empty(3, shape, Type::float32);
  Array memories = Array::empty(3, shape, Type::float32);
  Array gates = Array::empty(3, gates_shape, Type::float32);
  if (!out || !memories || !gates) return nullptr;
  const Index size = panels_size(units, units);
  float* weights = scratch<float>(Purpose::transformed, static_cast<size_t>(kGates * size));
  if (weights == nullptr) return PyErr_NoMemory();
  {
    WithoutGil unlocked;
    for (Index gate = 0; gate < kGates; ++gate) {
      pack(units, units, {weight.data<float>() + gate * units * units, 1, units}, weights + gate * size);
    }
    for (Index at = 0; at < layer.steps; ++at) {
      const Index time = layer.time(at);
      const Index before = at == 0 ? 0 : layer.time(at - 1);
      const Index states = layer.states();
      const Step step = {projected.data<float>() + time * kGates * states,
                         at == 0 ? Array(args[1]).data<float>() : out.data<float>() + before * states,
                         at == 0 ? Array(args[2]).data<float>() : memories.data<float>() + before * states,
                         out.data<float>() + time * states,
                         memories.data<float>() + time * states,
                         keep ? gates.data<float>() + time * kGates * states : nullptr};
      parallel_for(layer.blocks(), layer.grain(), [&](Index begin, Index end) {
        for (Index block = begin; block < end; ++block) forward_block(layer, step, weights, block);
      });
    }
  }
  return Py_BuildValue("(NNN)", out.release(), memories.release(), gates.release());
}

KERNEL(lstm_gradient,
       "lstm_gradient(g, g_memory, out, memories, gates, hidden, memory, weight, backwards): of the first four inputs of lstm") {
  if (count != 9 || !is_array(args[2]) || Array(args[2]).dims() != 3) return declined();
  const Array out(args[2]);
  const Layer layer = {out.shape(0), out.shape(1), out.shape(2), args[8] == Py_True};
  const Index steps = layer.steps, batch = layer.batch, units = layer.hidden;
  for (int each = 0; each < 4; ++each) {
    if (each < 2 && args[each] == Py_None) continue;
    if (!is_usable(args[each], {steps, batch, units})) return declined();
  }
  if (!is_usable(args[4], {steps, batch, kGates * units}) || !is_usable(args[5], {batch, units}) ||
      !is_usable(args[6], {batch, units}) || !is_usable(args[7], {kGates * units, units}) || out.size() == 0) {
    return declined();
  }
  const Array memories(args[3]), gates(args[4]), hidden(args[5]), memory(args[6]), weight(args[7]);
  const float* slopes = args[0] == Py_None ? nullptr : Array(args[0]).data<float>();
  const float* memory_slopes = args[1] == Py_None ? nullptr : Array(args[1]).data<float>();
  Array gate_slopes = Array::like(gates);
  Array hidden_slope = Array::like(hidden);
  Array memory_slope = Array::like(memory);
  Array weight_slope = Array::like(weight);
  if (!gate_slopes || !hidden_slope || !memory_slope || !weight_slope) return nullptr;
  float* weights = scratch<float>(Purpose::transformed, static_cast<size_t>(panels_size(units, kGates * units)));
  if (weights == nullptr) return PyErr_NoMemory();
  bool done = true;
  {
    WithoutGil unlocked;
    const Index states = layer.states();
    float* to = gate_slopes.data<float>();
    std::memset(memory_slope.data<float>(), 0, static_cast<size_t>(states) * sizeof(float));
    pack(units, kGates * units, {weight.data<float>(), units, 1}, weights);
    for (Index at = steps - 1; at >= -1; --at) {
      StepBack step = {};
      if (at + 1 < steps) step.later = to + layer.time(at + 1) * kGates * states;
      if (at >= 0) {
        const Index time = layer.time(at);
        if (slopes != nullptr) step.out_slope = slopes + time * states;
        if (memory_slopes != nullptr) step.memory_slope = memory_slopes + time * states;
        step.gates = gates.data<float>() + time * kGates * states;
        step.memory = memories.data<float>() + time * states;
        step.previous_memory = at == 0 ? memory.data<float>() : memories.data<float>() + layer.time(at - 1) * states;
        step.gate_slopes = to + time * kGates * states;
        step.carried = memory_slope.data<float>();
      }
      parallel_for(layer.blocks(), layer.grain(), [&](Index begin, Index end) {
        for (Index block = begin; block < end; ++block) {
          backward_block(layer, step, weights, block, at < 0 ? hidden_slope.data<float>() : nullptr);
        }
      });
    }
    // The weight met the first state at the first step, and each step's result at the next.
    const float* first = to + layer.time(0) * kGates * states;
    done = gemm::product(kGates * units, units, batch, {first, 1, kGates * units}, {hidden.data<float>(), units, 1},
                         weight_slope.data<float>(), units, Finish{});
    if (done && steps > 1) {
      Finish finish;
      finish.add = true;
      const float* others = to + (layer.backwards ? 0 : kGates * states);
      const float* read = out.data<float>() + (layer.backwards ? states : 0);
      done = gemm::product(kGates * units, units, (steps - 1) * batch, {others, 1, kGates * units}, {read, units, 1},
                           weight_slope.data<float>(), units, finish);
    }
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NNNN)", gate_slopes.release(), hidden_slope.release(), memory_slope.release(), weight_slope.release());
}

}  // namespace facula
