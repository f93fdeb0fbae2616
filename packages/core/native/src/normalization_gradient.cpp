// The gradients of normalization.cpp.
#include "normalization.h"
#include "scratch.h"

namespace facula {
namespace {

struct Backward {
  const float* grad;
  const float* x;
  const float* weight;
  const float* mean;
  const float* variance;
  float* to_x;
  // For each part of the work, a sum for each weight and then for each bias; null without weights.
  float* partial;
  float eps;
  bool centred;
};

// Sums of the gradient and of the gradient times the standardised x, over a run.
Pair sums_of_run(const float* grad, const float* x, float mean, float factor, Index length) {
  return sums_of_row(
      length,
      [=](Index i, Floats& a, Floats& b) __attribute__((always_inline)) {
        const Floats g = load(grad + i);
        a += g;
        b += g * ((load(x + i) - mean) * factor);
      },
      [=](Index i, Index count, Floats& a, Floats& b) __attribute__((always_inline)) {
        const Floats g = load_filled(grad + i, count, 0);
        a += g;
        b += g * ((load_filled(x + i, count, mean) - mean) * factor);
      });
}

// grad * weight * factor - x̂ * along - level, where `along` and `level` have the factor already.
void slope_of_run(const float* grad, const float* x, float* result, Index length, float mean, float factor, float weight, float along, float level) {
  const auto slope = [=](Floats g, Floats value) __attribute__((always_inline)) {
    return g * weight - ((value - mean) * factor) * along - level;
  };
  Index i = 0;
  for (; i + kLanes <= length; i += kLanes) store(result + i, slope(load(grad + i), load(x + i)));
  if (i < length) {
    const Index rest = length - i;
    store_first(result + i, slope(load_filled(grad + i, rest, 0), load_filled(x + i, rest, 0)), rest);
  }
}

// A row whose every element has a weight. `sums`, where given, gains this row's part of the weights' gradients.
void by_weighted_row(const Backward& f, const Together& t, Index row, float* sums) {
  const Index length = t.row(), first = row % t.groups * t.channels;
  const float* grad = f.grad + row * length;
  const float* x = f.x + row * length;
  const float* weight = f.weight + first;
  float* to_weight = sums + first;
  float* to_bias = sums + t.weights() + first;
  const float mean = f.mean[row], factor = 1.0f / std::sqrt(f.variance[row] + f.eps);
  const Pair sum = sums_of_row(
      length,
      [=](Index i, Floats& a, Floats& b) __attribute__((always_inline)) {
        const Floats g = load(grad + i), weighted = g * load(weight + i), value = (load(x + i) - mean) * factor;
        a += weighted;
        b += weighted * value;
        store(to_weight + i, load(to_weight + i) + g * value);
        store(to_bias + i, load(to_bias + i) + g);
      },
      [=](Index i, Index count, Floats& a, Floats& b) __attribute__((always_inline)) {
        const Floats g = load_filled(grad + i, count, 0), weighted = g * load_filled(weight + i, count, 0);
        const Floats value = (load_filled(x + i, count, mean) - mean) * factor;
        a += weighted;
        b += weighted * value;
        store_first(to_weight + i, load_filled(to_weight + i, count, 0) + g * value, count);
        store_first(to_bias + i, load_filled(to_bias + i, count, 0) + g, count);
      });
  const double scale = factor / static_cast<double>(length);
  const float along = static_cast<float>(sum.second * scale);
  const float level = f.centred ? static_cast<float>(sum.first * scale) : 0.0f;
  float* result = f.to_x + row * length;
  Index i = 0;
  for (; i + kLanes <= length; i += kLanes) {
    const Floats value = (load(x + i) - mean) * factor;
    store(result + i, load(grad + i) * load(weight + i) * factor - value * along - level);
  }
  if (i < length) {
    const Index rest = length - i;
    const Floats value = (load_filled(x + i, rest, 0) - mean) * factor;
    const Floats weighted = load_filled(grad + i, rest, 0) * load_filled(weight + i, rest, 0);
    store_first(result + i, weighted * factor - value * along - level, rest);
  }
}

// A row with a weight for each run of elements, or with none.
void by_row_of_runs(const Backward& f, const Together& t, Index row) {
  const Index length = t.row(), first = row % t.groups * t.channels;
  const Index run = f.weight == nullptr ? length : t.run, runs = length / run;
  const float* grad = f.grad + row * length;
  const float* x = f.x + row * length;
  const float mean = f.mean[row], factor = 1.0f / std::sqrt(f.variance[row] + f.eps);
  float* sums = f.partial == nullptr ? nullptr : f.partial + row / t.groups * 2 * t.weights() + first;
  Pair sum;
  for (Index at = 0; at < runs; ++at) {
    const Pair here = sums_of_run(grad + at * run, x + at * run, mean, factor, run);
    const double weight = f.weight == nullptr ? 1.0 : f.weight[first + at];
    sum.first += weight * here.first;
    sum.second += weight * here.second;
    if (sums != nullptr) {
      sums[at] = static_cast<float>(here.second);
      sums[t.weights() + at] = static_cast<float>(here.first);
    }
  }
  const double scale = factor / static_cast<double>(length);
  const float along = static_cast<float>(sum.second * scale);
  const float level = f.centred ? static_cast<float>(sum.first * scale) : 0.0f;
  for (Index at = 0; at < runs; ++at) {
    const float weight = f.weight == nullptr ? factor : factor * f.weight[first + at];
    const Index begin = row * length + at * run;
    slope_of_run(f.grad + begin, f.x + begin, f.to_x + begin, run, mean, factor, weight, along, level);
  }
}

// A channel of a batch.
void by_channel(const Backward& f, const Together& t, Index channel) {
  const float mean = f.mean[channel], factor = 1.0f / std::sqrt(f.variance[channel] + f.eps);
  Pair sum;
  for (Index sample = 0; sample < t.outer; ++sample) {
    const Index at = (sample * t.channels + channel) * t.run;
    const Pair here = sums_of_run(f.grad + at, f.x + at, mean, factor, t.run);
    sum.first += here.first;
    sum.second += here.second;
  }
  if (f.partial != nullptr) {
    f.partial[channel] = static_cast<float>(sum.second);
    f.partial[t.channels + channel] = static_cast<float>(sum.first);
  }
  const float weight = f.weight == nullptr ? factor : factor * f.weight[channel];
  const double scale = weight / static_cast<double>(t.together());
  const float along = static_cast<float>(sum.second * scale), level = static_cast<float>(sum.first * scale);
  for (Index sample = 0; sample < t.outer; ++sample) {
    const Index at = (sample * t.channels + channel) * t.run;
    slope_of_run(f.grad + at, f.x + at, f.to_x + at, t.run, mean, factor, weight, along, level);
  }
}

// A vector of channels of a batch whose runs are single elements.
void by_columns(const Backward& f, const Together& t, Index first) {
  constexpr Index rows = 64;
  const Index lanes = std::min<Index>(kLanes, t.channels - first);
  const auto read = [=](const float* from) __attribute__((always_inline)) {
    return lanes == kLanes ? load(from) : load_filled(from, lanes, 0);
  };
  const Floats mean = read(f.mean + first), variance = read(f.variance + first);
  Floats factor;
  for (int lane = 0; lane < kLanes; ++lane) factor[lane] = lane < lanes ? 1.0f / std::sqrt(variance[lane] + f.eps) : 0.0f;
  Floats level{}, along{};
  for (Index begin = 0; begin < t.outer; begin += rows) {
    Floats a{}, b{};
    for (Index row = begin; row < std::min(t.outer, begin + rows); ++row) {
      const Index at = row * t.channels + first;
      const Floats g = read(f.grad + at);
      a += g;
      b += g * ((read(f.x + at) - mean) * factor);
    }
    level += a;
    along += b;
  }
  if (f.partial != nullptr) {
    store_first(f.partial + first, along, lanes);
    store_first(f.partial + t.channels + first, level, lanes);
  }
  const Floats weight = f.weight == nullptr ? factor : factor * read(f.weight + first);
  along = along * weight / static_cast<float>(t.outer);
  level = level * weight / static_cast<float>(t.outer);
  for (Index row = 0; row < t.outer; ++row) {
    const Index at = row * t.channels + first;
    const Floats value = read(f.grad + at) * weight - ((read(f.x + at) - mean) * factor) * along - level;
    if (lanes == kLanes) {
      store(f.to_x + at, value);
    } else {
      store_first(f.to_x + at, value, lanes);
    }
  }
}

// The sum of `parts` rows of `length` numbers each.
void add_parts(const float* partial, Index parts, Index length, float* to) {
  constexpr Index width = 64;
  parallel_for((length + width - 1) / width, rows_per_thread(parts * width), [&](Index begin, Index end) {
    for (Index tile = begin; tile < end; ++tile) {
      const Index first = tile * width, count = std::min(width, length - first);
      double sums[width] = {};
      for (Index part = 0; part < parts; ++part) {
        const float* from = partial + part * length + first;
        for (Index at = 0; at < count; ++at) sums[at] += from[at];
      }
      for (Index at = 0; at < count; ++at) to[first + at] = static_cast<float>(sums[at]);
    }
  });
}

bool is_float32(PyObject* object) { return is_array(object) && Array(object).type() == Type::float32; }

}  // namespace

KERNEL(standardize_gradient,
       "standardize_gradient(grad, x, weight, mean, variance, dims, eps, centred): the gradients of standardize for x, "
       "and for weight and bias where there is a weight") {
  if (count != 8 || !is_float32(args[0]) || !is_float32(args[1]) || !is_float32(args[3]) || !is_float32(args[4])) return declined();
  if (args[2] != Py_None && !is_float32(args[2])) return declined();
  const Array given(args[1]), mean(args[3]), variance(args[4]), weight(args[2]);
  const bool weighted = args[2] != Py_None;
  Together t;
  if (given.size() == 0 || !given.same_shape(Array(args[0]))) return declined();
  if (!read_together(given, args[5], weighted ? &weight : nullptr, &t)) return declined();
  const bool centred = PyObject_IsTrue(args[7]) == 1;
  if (t.batch && !centred) return declined();
  if (!mean.contiguous() || !variance.contiguous() || mean.size() != t.rows() || variance.size() != t.rows()) return declined();
  const Dense grad(args[0]), x(args[1]);
  if (!grad || !x) return nullptr;
  Array to_x = Array::like(*x);
  if (!to_x) return nullptr;
  // Elements with weights of their own add to as many sums: one set for each block of rows, whose size depends on the
  // shape alone.
  const Index rows = std::min<Index>(std::max<Index>((t.outer + 15) / 16, 4), 128);
  const bool by_element = weighted && !t.batch && t.run == 1;
  const Index blocks = by_element ? (t.outer + rows - 1) / rows : 1;
  const Index parts = !weighted || t.batch ? 1 : by_element ? blocks : t.outer;
  const npy_intp shape[] = {weighted ? parts * 2 * t.weights() : 0};
  Array partial = Array::empty(1, shape, Type::float32);
  if (!partial) return nullptr;
  const Backward f = {
      grad->data<float>(),
      x->data<float>(),
      weighted ? weight.data<float>() : nullptr,
      mean.data<float>(),
      variance.data<float>(),
      to_x.data<float>(),
      weighted ? partial.data<float>() : nullptr,
      static_cast<float>(PyFloat_AsDouble(args[6])),
      centred,
  };
  Array to_weight(Py_None), to_bias(Py_None);
  if (weighted) {
    to_weight = Array::like(weight);
    to_bias = Array::like(weight);
    if (!to_weight || !to_bias) return nullptr;
  }
  {
    WithoutGil unlocked(x->size() > kElementsPerThread);
    if (t.batch && t.run == 1) {
      parallel_for((t.channels + kLanes - 1) / kLanes, rows_per_thread(t.outer * kLanes), [&](Index begin, Index end) {
        for (Index at = begin; at < end; ++at) by_columns(f, t, at * kLanes);
      });
    } else if (t.batch) {
      parallel_for(t.channels, rows_per_thread(t.together()), [&](Index begin, Index end) {
        for (Index channel = begin; channel < end; ++channel) by_channel(f, t, channel);
      });
    } else if (by_element) {
      parallel_for(blocks, rows_per_thread(rows * t.groups * t.row()), [&](Index begin, Index end) {
        for (Index block = begin; block < end; ++block) {
          float* sums = f.partial + block * 2 * t.weights();
          std::fill(sums, sums + 2 * t.weights(), 0.0f);
          const Index last = std::min(t.outer, (block + 1) * rows) * t.groups;
          for (Index row = block * rows * t.groups; row < last; ++row) by_weighted_row(f, t, row, sums);
        }
      });
    } else {
      parallel_for(t.rows(), rows_per_thread(t.row()), [&](Index begin, Index end) {
        for (Index row = begin; row < end; ++row) by_row_of_runs(f, t, row);
      });
    }
    if (weighted) {
      // The sums for weights and those for biases lie side by side.
      float* both = scratch<float>(Purpose::accumulated, 2 * t.weights());
      if (parts == 1) {
        both = f.partial;
      } else {
        add_parts(f.partial, parts, 2 * t.weights(), both);
      }
      std::copy(both, both + t.weights(), to_weight.data<float>());
      std::copy(both + t.weights(), both + 2 * t.weights(), to_bias.data<float>());
    }
  }
  if (!weighted) return Py_BuildValue("(N)", to_x.release());
  return Py_BuildValue("(NNN)", to_x.release(), to_weight.release(), to_bias.release());
}

}  // namespace facula
