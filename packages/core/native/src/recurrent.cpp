// Layers of LSTM cells over whole sequences, single steps of them, and their gradients. Gates are in the order i, f, g, o.
#include "recurrent.h"

namespace facula {
namespace {

constexpr Index kGates = 4;

// The four gates from the sums they are functions of, and the next cell state.
struct Gates {
  Floats admit, forget, candidate, emit;
  static __attribute__((always_inline)) Gates of(const Floats* sums) {
    return {gate_of(sums[0]), gate_of(sums[1]), squashed(sums[2]), gate_of(sums[3])};
  }
  __attribute__((always_inline)) Floats memory(Floats before) const { return forget * before + admit * candidate; }
};

// Write the gradients of the four sums; return that of the cell state before. `slope` is that of the hidden state, `added`
// of the new cell state by itself, of which `shown` is the tanh.
ALWAYS_INLINE Floats gradient_of(const Gates& of, Floats slope, Floats added, Floats shown, Floats before, float* to, Index apart,
                                 Index count) {
  const Floats kept = added + slope * of.emit * (1.0f - shown * shown);
  store_first(to, kept * of.candidate * of.admit * (1.0f - of.admit), count);
  store_first(to + apart, kept * before * of.forget * (1.0f - of.forget), count);
  store_first(to + 2 * apart, kept * of.admit * (1.0f - of.candidate * of.candidate), count);
  store_first(to + 3 * apart, slope * shown * of.emit * (1.0f - of.emit), count);
  return kept * of.forget;
}

// What one step reads and writes: all of (rows, units), the gates of (rows, 4 units).
struct Forward {
  static constexpr Index gates = kGates;
  Index units;
  const float *projected, *memory;
  float *out, *next_memory, *kept;

  __attribute__((always_inline)) void announce(Index row, Index rows, Index gate, Index first) const {
    const Index at = row * gates * units + gate * units + first;
    facula::announce<0>(projected + at, rows, gates * units);
    if (kept != nullptr) facula::announce<1>(kept + at, rows, gates * units);
  }
  __attribute__((always_inline)) void finish(Index row, Index unit, Index count, const Floats* products) const {
    const Index state = row * units + unit;
    const Index at = row * gates * units + unit;
    Floats sums[gates];
    for (Index gate = 0; gate < gates; ++gate) sums[gate] = products[gate] + read(projected + at + gate * units, count);
    const Gates found = Gates::of(sums);
    const Floats next = found.memory(read(memory + state, count));
    store_first(next_memory + state, next, count);
    store_first(out + state, found.emit * squashed(next), count);
    if (kept == nullptr) return;
    store_first(kept + at, found.admit, count);
    store_first(kept + at + units, found.forget, count);
    store_first(kept + at + 2 * units, found.candidate, count);
    store_first(kept + at + 3 * units, found.emit, count);
  }
};

// What the gradient of one step reads and writes. `carried` holds the gradient for the cell state between the steps. Before
// the first step there is only the gradient of the state to write.
struct Backward {
  static constexpr Index gates = kGates;
  Index units;
  const float *out_slope, *memory_slope, *kept, *memory, *memory_before;
  float *slopes, *carried, *hidden_slope;

  __attribute__((always_inline)) void announce(Index row, Index rows, Index first) const {
    for (Index gate = 0; kept != nullptr && gate < gates; ++gate) {
      const Index at = row * gates * units + gate * units + first;
      facula::announce<0>(kept + at, rows, gates * units);
      facula::announce<1>(slopes + at, rows, gates * units);
    }
  }
  __attribute__((always_inline)) void finish(Index row, Index unit, Index count, Floats slope) const {
    const Index state = row * units + unit;
    if (hidden_slope != nullptr) {
      store_first(hidden_slope + state, slope, count);
      return;
    }
    if (out_slope != nullptr) slope += read(out_slope + state, count);
    Floats added = read(carried + state, count);
    if (memory_slope != nullptr) added += read(memory_slope + state, count);
    const Index at = row * gates * units + unit;
    const Gates found = {read(kept + at, count), read(kept + at + units, count), read(kept + at + 2 * units, count),
                         read(kept + at + 3 * units, count)};
    const Floats shown = squashed(read(memory + state, count));
    const Floats before = read(memory_before + state, count);
    store_first(carried + state, gradient_of(found, slope, added, shown, before, slopes + at, units, count), count);
  }
};

}  // namespace

KERNEL(lstm,
       "lstm(projected, hidden, memory, weight, sizes, backwards, keep): the hidden and cell states of all steps, and the gates") {
  if (count != 7 || !is_array(args[1]) || !is_array(args[3]) || Array(args[1]).dims() != 2) return declined();
  const Array projected(args[0]), hidden(args[1]), memory(args[2]), weight(args[3]);
  const Index batch = hidden.shape(0), units = hidden.shape(1), wide = kGates * units;
  Steps steps;
  if (!read_steps(args[0], args[4], batch, args[5] == Py_True, steps) || !has_rows(args[0], steps.rows(), wide) ||
      !has_rows(args[1], batch, units) || !has_rows(args[2], batch, units) || !has_rows(args[3], wide, units)) {
    return declined();
  }
  const bool keep = args[6] == Py_True;
  Array out = rows_like(projected, units);
  Array memories = rows_like(projected, units);
  const npy_intp nothing[3] = {0, projected.shape(1), wide};
  Array gates = keep ? Array::like(projected) : Array::empty(projected.dims(), nothing, Type::float32);
  if (!out || !memories || !gates) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    done = run_forward<Forward>(steps, units, hidden.data<float>(), out.data<float>(), weight.data<float>(), [&](Index at, Index begin, Index) {
      const Index row = steps.first(at) + begin;
      const bool going_on = begin < steps.size(at - 1);
      return Forward{units,
                     projected.data<float>() + row * wide,
                     going_on ? memories.data<float>() + (steps.first(at - 1) + begin) * units : memory.data<float>() + begin * units,
                     out.data<float>() + row * units,
                     memories.data<float>() + row * units,
                     keep ? gates.data<float>() + row * wide : nullptr};
    });
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NNN)", out.release(), memories.release(), gates.release());
}

KERNEL(lstm_gradient,
       "lstm_gradient(g, g_memory, out, memories, gates, hidden, memory, weight, sizes, backwards): of the first four inputs of "
       "lstm") {
  if (count != 10 || !is_array(args[5]) || Array(args[5]).dims() != 2) return declined();
  const Array out(args[2]), memories(args[3]), gates(args[4]), hidden(args[5]), memory(args[6]), weight(args[7]);
  const Index batch = hidden.shape(0), units = hidden.shape(1), wide = kGates * units;
  Steps steps;
  if (!read_steps(args[2], args[8], batch, args[9] == Py_True, steps) || !has_rows(args[2], steps.rows(), units)) return declined();
  for (int each : {0, 1, 3}) {
    if ((args[each] != Py_None || each == 3) && !has_rows(args[each], steps.rows(), units)) return declined();
  }
  if (!has_rows(args[4], steps.rows(), wide) || !has_rows(args[5], batch, units) || !has_rows(args[6], batch, units) ||
      !has_rows(args[7], wide, units)) {
    return declined();
  }
  const float* out_slopes = args[0] == Py_None ? nullptr : Array(args[0]).data<float>();
  const float* memory_slopes = args[1] == Py_None ? nullptr : Array(args[1]).data<float>();
  Array slopes = Array::like(gates);
  Array hidden_slope = Array::like(hidden);
  Array memory_slope = Array::like(memory);
  Array weight_slope = Array::like(weight);
  if (!slopes || !hidden_slope || !memory_slope || !weight_slope) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    float* carried = memory_slope.data<float>();
    std::memset(carried, 0, static_cast<size_t>(batch * units) * sizeof(float));
    done = run_backward<Backward>(steps, units, slopes.data<float>(), weight.data<float>(), [&](Index at, Index begin, Index) {
      Backward cell = {};
      cell.units = units;
      if (at < 0) {
        cell.hidden_slope = hidden_slope.data<float>() + begin * units;
        return cell;
      }
      const Index row = steps.first(at) + begin;
      if (out_slopes != nullptr) cell.out_slope = out_slopes + row * units;
      if (memory_slopes != nullptr) cell.memory_slope = memory_slopes + row * units;
      cell.kept = gates.data<float>() + row * wide;
      cell.memory = memories.data<float>() + row * units;
      const bool going_on = begin < steps.size(at - 1);
      cell.memory_before = going_on ? memories.data<float>() + (steps.first(at - 1) + begin) * units : memory.data<float>() + begin * units;
      cell.slopes = slopes.data<float>() + row * wide;
      cell.carried = carried + begin * units;
      return cell;
    });
    done = done && weight_gradient(steps, wide, units, slopes.data<float>(), hidden.data<float>(), out.data<float>(), weight_slope.data<float>());
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NNNN)", slopes.release(), hidden_slope.release(), memory_slope.release(), weight_slope.release());
}

KERNEL(lstm_gates, "lstm_gates(projected, product, memory): the next hidden and cell state of one step") {
  if (count != 3 || !is_array(args[2]) || Array(args[2]).dims() != 2) return declined();
  const Array projected(args[0]), product(args[1]), memory(args[2]);
  const Index rows = memory.shape(0), units = memory.shape(1);
  if (!has_rows(args[0], rows, kGates * units) || !has_rows(args[1], rows, kGates * units) || !has_rows(args[2], rows, units)) {
    return declined();
  }
  Array out = Array::like(memory);
  Array next = Array::like(memory);
  if (!out || !next) return nullptr;
  const float *left = projected.data<float>(), *right = product.data<float>(), *before = memory.data<float>();
  for_rows_of(rows, units, [&](Index row, Index unit, Index some) {
    const Index at = row * kGates * units + unit;
    Floats sums[kGates];
    for (Index gate = 0; gate < kGates; ++gate) sums[gate] = read(left + at + gate * units, some) + read(right + at + gate * units, some);
    const Gates found = Gates::of(sums);
    const Floats value = found.memory(read(before + row * units + unit, some));
    store_first(next.data<float>() + row * units + unit, value, some);
    store_first(out.data<float>() + row * units + unit, found.emit * squashed(value), some);
  });
  return Py_BuildValue("(NN)", out.release(), next.release());
}

KERNEL(lstm_gates_gradient,
       "lstm_gates_gradient(g, g_memory, projected, product, memory): of the sum of the first two inputs of lstm_gates, and of "
       "the last") {
  if (count != 5 || !is_array(args[4]) || Array(args[4]).dims() != 2) return declined();
  const Array projected(args[2]), product(args[3]), memory(args[4]);
  const Index rows = memory.shape(0), units = memory.shape(1);
  for (int each : {0, 1}) {
    if (args[each] != Py_None && !has_rows(args[each], rows, units)) return declined();
  }
  if (!has_rows(args[2], rows, kGates * units) || !has_rows(args[3], rows, kGates * units) || !has_rows(args[4], rows, units)) {
    return declined();
  }
  const float* out_slope = args[0] == Py_None ? nullptr : Array(args[0]).data<float>();
  const float* memory_slope = args[1] == Py_None ? nullptr : Array(args[1]).data<float>();
  Array slopes = Array::like(projected);
  Array before_slope = Array::like(memory);
  if (!slopes || !before_slope) return nullptr;
  const float *left = projected.data<float>(), *right = product.data<float>();
  for_rows_of(rows, units, [&](Index row, Index unit, Index some) {
    const Index at = row * kGates * units + unit, state = row * units + unit;
    Floats sums[kGates];
    for (Index gate = 0; gate < kGates; ++gate) sums[gate] = read(left + at + gate * units, some) + read(right + at + gate * units, some);
    const Gates found = Gates::of(sums);
    const Floats before = read(memory.data<float>() + state, some);
    const Floats slope = out_slope == nullptr ? Floats{} : read(out_slope + state, some);
    const Floats added = memory_slope == nullptr ? Floats{} : read(memory_slope + state, some);
    const Floats shown = squashed(found.memory(before));
    store_first(before_slope.data<float>() + state,
                gradient_of(found, slope, added, shown, before, slopes.data<float>() + at, units, some), some);
  });
  return Py_BuildValue("(NN)", slopes.release(), before_slope.release());
}

}  // namespace facula
