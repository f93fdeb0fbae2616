// Layers of gated recurrent units and of Elman's cells over whole sequences, steps of the former, and their gradients.
// Gates of the former are in the order r, z, n.
#include "recurrent.h"

namespace facula {
namespace {

constexpr Index kGates = 3;

// The three gates; `offered` is what the last makes of the hidden state, before the first has been applied to it.
struct Gates {
  Floats reset, update, fresh, offered;
  static __attribute__((always_inline)) Gates of(const Floats* projected, const Floats* products) {
    const Floats reset = gate_of(projected[0] + products[0]);
    return {reset, gate_of(projected[1] + products[1]), squashed(projected[2] + reset * products[2]), products[2]};
  }
  __attribute__((always_inline)) Floats state(Floats before) const { return fresh + update * (before - fresh); }
};

// Write the gradients of the three projections and of the three products; return that of the state before by itself.
ALWAYS_INLINE Floats gradient_of(const Gates& of, Floats slope, Floats before, float* projected, float* products, Index apart,
                                 Index count) {
  const Floats fresh = slope * (1.0f - of.update) * (1.0f - of.fresh * of.fresh);
  const Floats reset = fresh * of.offered * of.reset * (1.0f - of.reset);
  const Floats update = slope * (before - of.fresh) * of.update * (1.0f - of.update);
  store_first(projected, reset, count);
  store_first(products, reset, count);
  store_first(projected + apart, update, count);
  store_first(products + apart, update, count);
  store_first(projected + 2 * apart, fresh, count);
  store_first(products + 2 * apart, fresh * of.reset, count);
  return slope * of.update;
}

// What one step reads and writes: (rows, 3 units), (3 units), and states (rows, units); of `kept`, where there is any, the
// gates and what was offered (rows, 4 units).
struct Forward {
  static constexpr Index gates = kGates;
  Index units;
  const float *projected, *bias, *before;
  float *out, *kept;

  __attribute__((always_inline)) void announce(Index row, Index rows, Index gate, Index first) const {
    facula::announce<0>(projected + (row * gates + gate) * units + first, rows, gates * units);
    if (kept != nullptr) facula::announce<1>(kept + (row * 4 + gate) * units + first, rows, 4 * units);
  }
  __attribute__((always_inline)) void finish(Index row, Index unit, Index count, const Floats* products) const {
    Floats left[gates], right[gates];
    for (Index gate = 0; gate < gates; ++gate) {
      left[gate] = read(projected + (row * gates + gate) * units + unit, count);
      right[gate] = bias == nullptr ? products[gate] : products[gate] + read(bias + gate * units + unit, count);
    }
    const Gates found = Gates::of(left, right);
    store_first(out + row * units + unit, found.state(read(before + row * units + unit, count)), count);
    if (kept == nullptr) return;
    float* to = kept + row * 4 * units + unit;
    store_first(to, found.reset, count);
    store_first(to + units, found.update, count);
    store_first(to + 2 * units, found.fresh, count);
    store_first(to + 3 * units, found.offered, count);
  }
};

// What the gradient of one step reads and writes; `carried` holds what of the gradient for the state does not come through
// products. Before the first step there is only the gradient of the state to write.
struct Backward {
  static constexpr Index gates = kGates;
  Index units;
  const float *out_slope, *kept, *before;
  float *projected_slopes, *slopes, *carried, *hidden_slope;

  __attribute__((always_inline)) void announce(Index row, Index rows, Index first) const {
    for (Index gate = 0; kept != nullptr && gate < gates; ++gate) {
      facula::announce<0>(kept + (row * 4 + gate) * units + first, rows, 4 * units);
      facula::announce<1>(slopes + (row * gates + gate) * units + first, rows, gates * units);
    }
  }
  __attribute__((always_inline)) void finish(Index row, Index unit, Index count, Floats slope) const {
    const Index state = row * units + unit;
    slope += read(carried + state, count);
    if (hidden_slope != nullptr) {
      store_first(hidden_slope + state, slope, count);
      return;
    }
    slope += read(out_slope + state, count);
    const float* from = kept + row * 4 * units + unit;
    const Gates found = {read(from, count), read(from + units, count), read(from + 2 * units, count), read(from + 3 * units, count)};
    const Index at = row * gates * units + unit;
    store_first(carried + state,
                gradient_of(found, slope, read(before + state, count), projected_slopes + at, slopes + at, units, count), count);
  }
};

// A step of Elman's cell, whose bias is in the projection.
template <bool relu>
struct PlainForward {
  static constexpr Index gates = 1;
  Index units;
  const float* projected;
  float* out;

  __attribute__((always_inline)) void announce(Index row, Index rows, Index, Index first) const {
    facula::announce<0>(projected + row * units + first, rows, units);
  }
  __attribute__((always_inline)) void finish(Index row, Index unit, Index count, const Floats* products) const {
    const Floats sum = products[0] + read(projected + row * units + unit, count);
    store_first(out + row * units + unit, relu ? (sum <= 0.0f ? Floats{} : sum) : tanh(sum), count);
  }
};

template <bool relu>
struct PlainBackward {
  static constexpr Index gates = 1;
  Index units;
  const float *out_slope, *out;
  float *slopes, *hidden_slope;

  __attribute__((always_inline)) void announce(Index row, Index rows, Index first) const {
    if (out != nullptr) facula::announce<0>(out + row * units + first, rows, units);
  }
  __attribute__((always_inline)) void finish(Index row, Index unit, Index count, Floats slope) const {
    const Index state = row * units + unit;
    if (hidden_slope != nullptr) {
      store_first(hidden_slope + state, slope, count);
      return;
    }
    slope += read(out_slope + state, count);
    const Floats shown = read(out + state, count);
    store_first(slopes + state, relu ? (shown <= 0.0f ? Floats{} : slope) : slope * (1.0f - shown * shown), count);
  }
};

template <bool relu>
bool plain_forward(const Steps& steps, Index units, const float* projected, const float* hidden, const float* weight, float* out) {
  return run_forward<PlainForward<relu>>(steps, units, hidden, out, weight, [&](Index at, Index begin, Index) {
    const Index row = steps.first(at) + begin;
    return PlainForward<relu>{units, projected + row * units, out + row * units};
  });
}

template <bool relu>
bool plain_backward(const Steps& steps, Index units, const float* g, const float* out, const float* weight, float* slopes,
                    float* hidden_slope) {
  return run_backward<PlainBackward<relu>>(steps, units, slopes, weight, [&](Index at, Index begin, Index) {
    PlainBackward<relu> cell = {};
    cell.units = units;
    if (at < 0) {
      cell.hidden_slope = hidden_slope + begin * units;
      return cell;
    }
    const Index row = (steps.first(at) + begin) * units;
    cell.out_slope = g + row;
    cell.out = out + row;
    cell.slopes = slopes + row;
    return cell;
  });
}

}  // namespace

KERNEL(gru,
       "gru(projected, hidden, weight, bias, sizes, backwards, keep): the states of all steps, and the gates with what the last "
       "was offered") {
  if (count != 7 || !is_array(args[1]) || !is_array(args[2]) || Array(args[1]).dims() != 2) return declined();
  const Array projected(args[0]), hidden(args[1]), weight(args[2]);
  const Index batch = hidden.shape(0), units = hidden.shape(1), wide = kGates * units;
  Steps steps;
  if (!read_steps(args[0], args[4], batch, args[5] == Py_True, steps) || !has_rows(args[0], steps.rows(), wide) ||
      !has_rows(args[1], batch, units) || !has_rows(args[2], wide, units)) {
    return declined();
  }
  const float* bias = nullptr;
  if (args[3] != Py_None) {
    if (!is_array(args[3])) return declined();
    const Array x(args[3]);
    if (x.type() != Type::float32 || !x.contiguous() || x.size() != wide) return declined();
    bias = x.data<float>();
  }
  const bool keep = args[6] == Py_True;
  Array out = rows_like(projected, units);
  npy_intp nothing[3] = {0, projected.shape(1), 4 * units};
  if (projected.dims() == 2) nothing[1] = 4 * units;
  Array gates = keep ? rows_like(projected, 4 * units) : Array::empty(projected.dims(), nothing, Type::float32);
  if (!out || !gates) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    done = run_forward<Forward>(steps, units, hidden.data<float>(), out.data<float>(), weight.data<float>(), [&](Index at, Index begin, Index) {
      const Index row = steps.first(at) + begin;
      const bool going_on = begin < steps.size(at - 1);
      return Forward{units, projected.data<float>() + row * wide, bias,
                     going_on ? out.data<float>() + (steps.first(at - 1) + begin) * units : hidden.data<float>() + begin * units,
                     out.data<float>() + row * units, keep ? gates.data<float>() + row * 4 * units : nullptr};
    });
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NN)", out.release(), gates.release());
}

KERNEL(gru_gradient,
       "gru_gradient(g, out, gates, hidden, weight, sizes, backwards): of the projection, the products with the weights, the "
       "first state and the weights") {
  if (count != 7 || !is_array(args[3]) || !is_array(args[4]) || Array(args[3]).dims() != 2) return declined();
  const Array g(args[0]), out(args[1]), gates(args[2]), hidden(args[3]), weight(args[4]);
  const Index batch = hidden.shape(0), units = hidden.shape(1), wide = kGates * units;
  Steps steps;
  if (!read_steps(args[1], args[5], batch, args[6] == Py_True, steps) || !has_rows(args[0], steps.rows(), units) ||
      !has_rows(args[1], steps.rows(), units) || !has_rows(args[2], steps.rows(), 4 * units) || !has_rows(args[3], batch, units) ||
      !has_rows(args[4], wide, units)) {
    return declined();
  }
  Array projected_slopes = rows_like(out, wide);
  Array slopes = rows_like(out, wide);
  Array hidden_slope = Array::like(hidden);
  Array weight_slope = Array::like(weight);
  if (!projected_slopes || !slopes || !hidden_slope || !weight_slope) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    // What is carried from step to step ends as the gradient for the first state.
    float* carried = hidden_slope.data<float>();
    std::memset(carried, 0, static_cast<size_t>(batch * units) * sizeof(float));
    done = run_backward<Backward>(steps, units, slopes.data<float>(), weight.data<float>(), [&](Index at, Index begin, Index) {
      Backward cell = {};
      cell.units = units;
      cell.carried = carried + begin * units;
      if (at < 0) {
        cell.hidden_slope = cell.carried;
        return cell;
      }
      const Index row = steps.first(at) + begin;
      const bool going_on = begin < steps.size(at - 1);
      cell.out_slope = g.data<float>() + row * units;
      cell.kept = gates.data<float>() + row * 4 * units;
      cell.before = going_on ? out.data<float>() + (steps.first(at - 1) + begin) * units : hidden.data<float>() + begin * units;
      cell.projected_slopes = projected_slopes.data<float>() + row * wide;
      cell.slopes = slopes.data<float>() + row * wide;
      return cell;
    });
    done = done && weight_gradient(steps, wide, units, slopes.data<float>(), hidden.data<float>(), out.data<float>(), weight_slope.data<float>());
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NNNN)", projected_slopes.release(), slopes.release(), hidden_slope.release(), weight_slope.release());
}

KERNEL(gru_gates, "gru_gates(projected, product, hidden): the next state of one step") {
  if (count != 3 || !is_array(args[2]) || Array(args[2]).dims() != 2) return declined();
  const Array projected(args[0]), product(args[1]), hidden(args[2]);
  const Index rows = hidden.shape(0), units = hidden.shape(1);
  if (!has_rows(args[0], rows, kGates * units) || !has_rows(args[1], rows, kGates * units) || !has_rows(args[2], rows, units)) {
    return declined();
  }
  Array out = Array::like(hidden);
  if (!out) return nullptr;
  for_rows_of(rows, units, [&](Index row, Index unit, Index some) {
    const Forward step = {units, projected.data<float>(), nullptr, hidden.data<float>(), out.data<float>(), nullptr};
    const float* from = product.data<float>() + row * kGates * units + unit;
    const Floats products[kGates] = {read(from, some), read(from + units, some), read(from + 2 * units, some)};
    step.finish(row, unit, some, products);
  });
  return out.release();
}

KERNEL(gru_gates_gradient, "gru_gates_gradient(g, projected, product, hidden): of the inputs of gru_gates") {
  if (count != 4 || !is_array(args[3]) || Array(args[3]).dims() != 2) return declined();
  const Array g(args[0]), projected(args[1]), product(args[2]), hidden(args[3]);
  const Index rows = hidden.shape(0), units = hidden.shape(1);
  if (!has_rows(args[0], rows, units) || !has_rows(args[1], rows, kGates * units) || !has_rows(args[2], rows, kGates * units) ||
      !has_rows(args[3], rows, units)) {
    return declined();
  }
  Array projected_slopes = Array::like(projected);
  Array slopes = Array::like(product);
  Array hidden_slope = Array::like(hidden);
  if (!projected_slopes || !slopes || !hidden_slope) return nullptr;
  for_rows_of(rows, units, [&](Index row, Index unit, Index some) {
    const Index at = row * kGates * units + unit, state = row * units + unit;
    Floats left[kGates], right[kGates];
    for (Index gate = 0; gate < kGates; ++gate) {
      left[gate] = read(projected.data<float>() + at + gate * units, some);
      right[gate] = read(product.data<float>() + at + gate * units, some);
    }
    const Floats before = read(hidden.data<float>() + state, some);
    store_first(hidden_slope.data<float>() + state,
                gradient_of(Gates::of(left, right), read(g.data<float>() + state, some), before, projected_slopes.data<float>() + at,
                            slopes.data<float>() + at, units, some),
                some);
  });
  return Py_BuildValue("(NNN)", projected_slopes.release(), slopes.release(), hidden_slope.release());
}

KERNEL(elman, "elman(projected, hidden, weight, sizes, backwards, relu): the states of all steps") {
  if (count != 6 || !is_array(args[1]) || !is_array(args[2]) || Array(args[1]).dims() != 2) return declined();
  const Array projected(args[0]), hidden(args[1]), weight(args[2]);
  const Index batch = hidden.shape(0), units = hidden.shape(1);
  Steps steps;
  if (!read_steps(args[0], args[3], batch, args[4] == Py_True, steps) || !has_rows(args[0], steps.rows(), units) ||
      !has_rows(args[1], batch, units) || !has_rows(args[2], units, units)) {
    return declined();
  }
  Array out = Array::like(projected);
  if (!out) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    const auto run = args[5] == Py_True ? plain_forward<true> : plain_forward<false>;
    done = run(steps, units, projected.data<float>(), hidden.data<float>(), weight.data<float>(), out.data<float>());
  }
  if (!done) return PyErr_NoMemory();
  return out.release();
}

KERNEL(elman_gradient,
       "elman_gradient(g, out, hidden, weight, sizes, backwards, relu): of the projection, the first state and the weights") {
  if (count != 7 || !is_array(args[2]) || !is_array(args[3]) || Array(args[2]).dims() != 2) return declined();
  const Array g(args[0]), out(args[1]), hidden(args[2]), weight(args[3]);
  const Index batch = hidden.shape(0), units = hidden.shape(1);
  Steps steps;
  if (!read_steps(args[1], args[4], batch, args[5] == Py_True, steps) || !has_rows(args[0], steps.rows(), units) ||
      !has_rows(args[1], steps.rows(), units) || !has_rows(args[2], batch, units) || !has_rows(args[3], units, units)) {
    return declined();
  }
  Array slopes = Array::like(out);
  Array hidden_slope = Array::like(hidden);
  Array weight_slope = Array::like(weight);
  if (!slopes || !hidden_slope || !weight_slope) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    const auto run = args[6] == Py_True ? plain_backward<true> : plain_backward<false>;
    done = run(steps, units, g.data<float>(), out.data<float>(), weight.data<float>(), slopes.data<float>(), hidden_slope.data<float>());
    done = done && weight_gradient(steps, units, units, slopes.data<float>(), hidden.data<float>(), out.data<float>(), weight_slope.data<float>());
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NNN)", slopes.release(), hidden_slope.release(), weight_slope.release());
}

}  // namespace facula
