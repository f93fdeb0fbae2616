// Scaled dot-product attention of float32 and its gradients, a block of queries at a time: scores never leave the cache.
//
// As in Dao et al. 2022, arXiv 2205.14135: only the logarithm of each row's sum of exponentials is kept for the gradient,
// which computes the weights again. Keys and values are copied once for each head, in the order in which products read.
#include "array.h"
#include "gemm.h"
#include "softmax.h"

namespace facula {
namespace {

using gemm::Finish;
using gemm::kColumns;
using gemm::kRows;
using gemm::Matrix;

constexpr Index kItem = sizeof(float);

// What is looked at: all heads' matrices have `length` queries and `keys` keys.
struct Problem {
  Index length, keys, width, value_width;
  float scale;
  bool causal;
  // How many queries are treated at once, and how far rows of scores are apart.
  Index block() const { return (keys <= 1024 ? 8 : 4) * kRows; }
  Index row() const { return gemm::round_up(keys, kColumns) + kColumns; }
  // Keys that any query before `end` sees.
  Index seen(Index end) const { return causal && end < keys ? end : keys; }
};

// An array of matrices, head by head.
struct Heads {
  const char* data;
  const npy_intp* shape;
  const npy_intp* strides;
  int dims;
  explicit Heads(const Array& x) : data(x.data<char>()), shape(x.shape()), strides(x.strides()), dims(x.dims() - 2) {}
  const char* start(Index head) const {
    const char* from = data;
    for (int dim = dims - 1; dim >= 0; --dim) {
      from += head % shape[dim] * strides[dim];
      head /= shape[dim];
    }
    return from;
  }
  Matrix operator[](Index head) const {
    return {reinterpret_cast<const float*>(start(head)), strides[dims] / kItem, strides[dims + 1] / kItem};
  }
};

// Numbers to add to the scores, or which of them count; in bytes, as NumPy has them.
struct Mask {
  const char* data = nullptr;
  Index row = 0;
  Index column = 0;
  bool boolean = false;
  void apply(Index i, Index count, float* scores) const {
    if (data == nullptr) return;
    const char* from = data + i * row;
    if (boolean) {
      for (Index j = 0; j < count; ++j) scores[j] = from[j * column] != 0 ? scores[j] : -INFINITY;
    } else if (column == kItem) {
      const float* added = reinterpret_cast<const float*>(from);
      for (Index j = 0; j < count; ++j) scores[j] += added[j];
    } else {
      for (Index j = 0; j < count; ++j) scores[j] += *reinterpret_cast<const float*>(from + j * column);
    }
  }
};

Mask mask_of(PyObject* object, Index head) {
  Mask mask;
  if (object == Py_None) return mask;
  const Array array(object);
  const Heads heads(array);
  mask.data = heads.start(head);
  mask.row = array.stride(-2);
  mask.column = array.stride(-1);
  mask.boolean = array.type() == Type::boolean;
  return mask;
}

// Copy B (k x n) into panels, one after the other.
void pack(Index n, Index k, const Matrix& b, float* to) {
  for (Index j = 0; j < n; j += kColumns) {
    const Matrix part = b.from(0, j);
    gemm::interleave<kColumns>(part.data, part.column, part.row, std::min<Index>(kColumns, n - j), k, to + j * k);
  }
}

Index packed_size(Index n, Index k) { return gemm::round_up(n, kColumns) * k + kLanes * kColumns; }

// C (m x n) = or += A (m x k) B, from B's panels of `deep` rows each, of which the first k count.
void multiply(Index m, Index n, Index k, const Matrix& a, const float* panels, Index deep, float* c, Index c_row, bool add) {
  Index k0 = 0;
  do {
    const Index depth = std::min<Index>(256, k - k0);
    Finish finish;
    finish.add = add || k0 > 0;
    for (Index j = 0; j < n; j += kColumns) {
      const Index wide = std::min<Index>(kColumns, n - j);
      for (Index i = 0; i < m; i += kRows) {
        Index last = 0;
        const auto run = gemm::kernel_for<false, true>(std::min<Index>(kRows, m - i), wide, last);
        run(depth, a.at(i, k0), a.row, a.column, panels + j * deep + k0 * kColumns, kColumns, c + i * c_row + j, c_row, last,
            finish);
      }
    }
    k0 += depth;
  } while (k0 < k);
}

// exp(x) for x that is never far above 0; 0 where it would be no normal number, since those take the processor long.
ALWAYS_INLINE Floats share(Floats x) {
  const Ints tiny = x < -87.0f;
  const Floats power = exp_below_zero(tiny ? Floats{} : x);
  return tiny ? Floats{} : power;
}

// Scale the scores of query i, apply the mask, and let what is not seen be minus infinity, to the end of a whole vector.
// Returns the largest.
float finish_scores(const Problem& problem, const Mask& mask, Index i, Index seen, float* scores) {
  const Index own = problem.causal ? std::min(seen, i + 1) : seen;
  if (mask.data != nullptr) {
    for (Index j = 0; j < own; ++j) scores[j] *= problem.scale;
    mask.apply(i, own, scores);
  }
  const float factor = mask.data == nullptr ? problem.scale : 1.0f;
  Floats found[2] = {all(-INFINITY), all(-INFINITY)};
  Index j = 0;
  for (; j + 2 * kLanes <= own; j += 2 * kLanes) {
    for (int part = 0; part < 2; ++part) {
      const Floats score = load(scores + j + part * kLanes) * factor;
      store(scores + j + part * kLanes, score);
      found[part] = maximum(score, found[part]);
    }
  }
  float most = largest(maximum(found[0], found[1]));
  for (; j < own; ++j) {
    scores[j] *= factor;
    most = scores[j] > most ? scores[j] : most;
  }
  for (Index end = gemm::round_up(seen, kLanes); j < end; ++j) scores[j] = -INFINITY;
  return most;
}

// exp(score - largest) in place of each score; their sum.
float exponentials(Index seen, float* scores, float most) {
  const float shift = most == -INFINITY ? 0.0f : most;
  Floats sums[2] = {};
  Index j = 0;
  for (; j + 2 * kLanes <= seen; j += 2 * kLanes) {
    for (int part = 0; part < 2; ++part) {
      const Floats value = share(load(scores + j + part * kLanes) - shift);
      store(scores + j + part * kLanes, value);
      sums[part] += value;
    }
  }
  for (; j < seen; j += kLanes) {
    const Floats value = share(load(scores + j) - shift);
    store(scores + j, value);
    sums[0] += value;
  }
  return total(sums[0] + sums[1]);
}

bool forward(const Problem& problem, const Matrix& query, const Matrix& key, const Matrix& value, const Mask& mask,
             Index begin, Index end, float* out, float* logsumexp) {
  const Index most_seen = problem.seen(end);
  const Index keys_size = packed_size(most_seen, problem.width);
  float* packed = scratch<float>(Purpose::right_panels,
                                 static_cast<size_t>(keys_size + packed_size(problem.value_width, most_seen)));
  float* scores = scratch<float>(Purpose::accumulated, static_cast<size_t>(problem.block() * problem.row()));
  if (packed == nullptr || scores == nullptr) return false;
  float* values = packed + keys_size;
  pack(most_seen, problem.width, {key.data, key.column, key.row}, packed);
  pack(problem.value_width, most_seen, value, values);
  for (Index i0 = begin; i0 < end; i0 += problem.block()) {
    const Index rows = std::min(problem.block(), end - i0);
    const Index seen = problem.seen(i0 + rows);
    multiply(rows, seen, problem.width, query.from(i0, 0), packed, problem.width, scores, problem.row(), false);
    float sums[8 * kRows];
    for (Index i = 0; i < rows; ++i) {
      float* own = scores + i * problem.row();
      const float most = finish_scores(problem, mask, i0 + i, seen, own);
      sums[i] = exponentials(seen, own, most);
      // Of a row where nothing takes part the logarithm is infinite, so that its weights are 0 when computed again.
      logsumexp[i0 + i] = sums[i] == 0.0f ? INFINITY : most + std::log(sums[i]);
    }
    float* to = out + i0 * problem.value_width;
    multiply(rows, problem.value_width, seen, {scores, problem.row(), 1}, values, most_seen, to, problem.value_width, false);
    for (Index i = 0; i < rows; ++i) {
      const float factor = sums[i] == 0.0f ? 0.0f : 1.0f / sums[i];
      for (Index j = 0; j < problem.value_width; ++j) to[i * problem.value_width + j] *= factor;
    }
  }
  return true;
}

// The sum of products of two first rows.
float product_of_rows(const Matrix& x, const Matrix& y, Index count) {
  Floats sums = {};
  Index j = 0;
  if (x.column == 1 && y.column == 1) {
    for (; j + kLanes <= count; j += kLanes) sums += load(x.data + j) * load(y.data + j);
  }
  float sum = total(sums);
  for (; j < count; ++j) sum += *x.at(0, j) * *y.at(0, j);
  return sum;
}

// What the gradient of one head reads and writes.
struct Backward {
  Matrix query, key, value, slope, out;
  const float* logsumexp;
  float *query_slope, *key_slope, *value_slope;
};

bool backward(const Problem& problem, const Backward& at, const Mask& mask) {
  const Index keys = problem.keys, width = problem.width, value_width = problem.value_width;
  const Index block = problem.block();
  const Index sizes[5] = {packed_size(keys, width), packed_size(keys, value_width), packed_size(width, keys),
                          packed_size(width, block), packed_size(value_width, block)};
  Index total_size = 0;
  for (Index each : sizes) total_size += each;
  float* packed = scratch<float>(Purpose::right_panels, static_cast<size_t>(total_size));
  float* weights = scratch<float>(Purpose::accumulated, static_cast<size_t>(2 * block * problem.row()));
  if (packed == nullptr || weights == nullptr) return false;
  float* slopes = weights + block * problem.row();
  float* keys_turned = packed;
  float* values_turned = keys_turned + sizes[0];
  float* keys_packed = values_turned + sizes[1];
  float* queries_packed = keys_packed + sizes[2];
  float* received_packed = queries_packed + sizes[3];
  pack(keys, width, {at.key.data, at.key.column, at.key.row}, keys_turned);
  pack(keys, value_width, {at.value.data, at.value.column, at.value.row}, values_turned);
  pack(width, keys, at.key, keys_packed);
  std::memset(at.key_slope, 0, static_cast<size_t>(keys * width) * sizeof(float));
  std::memset(at.value_slope, 0, static_cast<size_t>(keys * value_width) * sizeof(float));
  for (Index i0 = 0; i0 < problem.length; i0 += block) {
    const Index rows = std::min(block, problem.length - i0);
    const Index seen = problem.seen(i0 + rows);
    multiply(rows, seen, width, at.query.from(i0, 0), keys_turned, width, weights, problem.row(), false);
    multiply(rows, seen, value_width, at.slope.from(i0, 0), values_turned, value_width, slopes, problem.row(), false);
    for (Index i = 0; i < rows; ++i) {
      float* own = weights + i * problem.row();
      float* own_slopes = slopes + i * problem.row();
      finish_scores(problem, mask, i0 + i, seen, own);
      const float along = product_of_rows(at.slope.from(i0 + i, 0), at.out.from(i0 + i, 0), value_width);
      const float shift = at.logsumexp[i0 + i];
      Index j = 0;
      for (; j < seen; j += kLanes) {
        const Floats weight = share(load(own + j) - shift);
        store(own + j, weight);
        store(own_slopes + j, weight * (load(own_slopes + j) - along) * problem.scale);
      }
    }
    pack(width, rows, at.query.from(i0, 0), queries_packed);
    pack(value_width, rows, at.slope.from(i0, 0), received_packed);
    multiply(rows, width, seen, {slopes, problem.row(), 1}, keys_packed, keys, at.query_slope + i0 * width, width, false);
    multiply(seen, width, rows, {slopes, 1, problem.row()}, queries_packed, rows, at.key_slope, width, true);
    multiply(seen, value_width, rows, {weights, 1, problem.row()}, received_packed, rows, at.value_slope, value_width, true);
  }
  return true;
}

bool is_usable(PyObject* object, int dims) {
  if (!is_array(object)) return false;
  const Array x(object);
  if (x.type() != Type::float32 || x.dims() != dims) return false;
  for (int dim = 0; dim < dims; ++dim) {
    if (x.stride(dim) % kItem != 0) return false;
  }
  return true;
}

// Read (query, key, value, mask, causal, scale) into a problem; false where it is not one for these kernels.
bool read(PyObject* const* args, Problem& problem, Index& heads) {
  if (!is_array(args[0])) return false;
  const Array query(args[0]);
  const int dims = query.dims();
  if (dims < 2 || !is_usable(args[0], dims) || !is_usable(args[1], dims) || !is_usable(args[2], dims)) return false;
  const Array key(args[1]);
  const Array value(args[2]);
  heads = 1;
  for (int dim = 0; dim < dims - 2; ++dim) {
    if (key.shape(dim) != query.shape(dim) || value.shape(dim) != query.shape(dim)) return false;
    heads *= query.shape(dim);
  }
  problem = {query.shape(-2), key.shape(-2), query.shape(-1), value.shape(-1), 0.0f, args[4] == Py_True};
  if (key.shape(-1) != problem.width || value.shape(-2) != problem.keys) return false;
  if (query.size() == 0 || key.size() == 0 || value.size() == 0) return false;
  if (args[3] != Py_None) {
    // Brought to the shape of the scores by the caller, which costs no memory.
    if (!is_array(args[3])) return false;
    const Array mask(args[3]);
    if (mask.dims() != dims || (mask.type() != Type::boolean && mask.type() != Type::float32)) return false;
    for (int dim = 0; dim < dims - 2; ++dim) {
      if (mask.shape(dim) != query.shape(dim)) return false;
    }
    if (mask.shape(-2) != problem.length || mask.shape(-1) != problem.keys) return false;
  }
  problem.scale = static_cast<float>(PyFloat_AsDouble(args[5]));
  return !PyErr_Occurred();
}

}  // namespace

KERNEL(attention, "attention(query, key, value, mask, causal, scale): the result and each row's log of summed exponentials") {
  Problem problem;
  Index heads = 0;
  if (count != 6 || !read(args, problem, heads)) return PyErr_Occurred() ? nullptr : declined();
  const Array query(args[0]), key(args[1]), value(args[2]);
  npy_intp shape[NPY_MAXDIMS];
  std::copy(query.shape(), query.shape() + query.dims(), shape);
  Array logsumexp = Array::empty(query.dims() - 1, shape, Type::float32);
  shape[query.dims() - 1] = problem.value_width;
  Array out = Array::empty(query.dims(), shape, Type::float32);
  if (!logsumexp || !out) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    const Heads queries(query), keys(key), values(value);
    // Few heads are divided, in blocks of queries.
    const Index blocks = (problem.length + problem.block() - 1) / problem.block();
    const Index parts = heads >= 4 * threads() ? 1 : std::min<Index>(blocks, 4);
    const auto task = [&](Index number) {
      const Index head = number / parts;
      const Index part = number % parts;
      const Index begin = blocks * part / parts * problem.block();
      const Index end = std::min(problem.length, blocks * (part + 1) / parts * problem.block());
      const bool fine = forward(problem, queries[head], keys[head], values[head], mask_of(args[3], head), begin, end,
                                out.data<float>() + head * problem.length * problem.value_width,
                                logsumexp.data<float>() + head * problem.length);
      if (!fine) done = false;
    };
    if (heads * problem.length * problem.keys * problem.width > 32768) {
      parallel_tasks(heads * parts, task);
    } else {
      for (Index number = 0; number < heads * parts; ++number) task(number);
    }
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NN)", out.release(), logsumexp.release());
}

KERNEL(attention_gradient,
       "attention_gradient(query, key, value, mask, causal, scale, g, out, logsumexp): of query, key and value") {
  Problem problem;
  Index heads = 0;
  if (count != 9 || !read(args, problem, heads)) return PyErr_Occurred() ? nullptr : declined();
  const Array query(args[0]), key(args[1]), value(args[2]);
  if (!is_usable(args[6], query.dims()) || !is_usable(args[7], query.dims()) || !is_usable(args[8], query.dims() - 1)) {
    return declined();
  }
  const Array slope(args[6]), out(args[7]), logsumexp(args[8]);
  if (!logsumexp.contiguous()) return declined();
  Array query_slope = Array::like(query);
  Array key_slope = Array::like(key);
  Array value_slope = Array::like(value);
  if (!query_slope || !key_slope || !value_slope) return nullptr;
  bool done = true;
  {
    WithoutGil unlocked;
    const Heads queries(query), keys(key), values(value), slopes(slope), outs(out);
    const auto task = [&](Index head) {
      const Backward at = {queries[head],
                           keys[head],
                           values[head],
                           slopes[head],
                           outs[head],
                           logsumexp.data<float>() + head * problem.length,
                           query_slope.data<float>() + head * problem.length * problem.width,
                           key_slope.data<float>() + head * problem.keys * problem.width,
                           value_slope.data<float>() + head * problem.keys * problem.value_width};
      if (!backward(problem, at, mask_of(args[3], head))) done = false;
    };
    if (heads * problem.length * problem.keys * problem.width > 32768) {
      parallel_tasks(heads, task);
    } else {
      for (Index head = 0; head < heads; ++head) task(head);
    }
  }
  if (!done) return PyErr_NoMemory();
  return Py_BuildValue("(NNN)", query_slope.release(), key_slope.release(), value_slope.release());
}

}  // namespace facula
