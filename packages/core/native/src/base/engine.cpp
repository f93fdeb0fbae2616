// The walk over the recorded graph, newest node first: `facula.graph.engine.run` says in Python what it does.
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph.h"

namespace facula {
namespace {

PyObject* restore_name = nullptr;
PyObject* leaf_name = nullptr;
PyObject* post_hooks_name = nullptr;
PyObject* tensor_hooks_name = nullptr;
PyObject* pre_hooks_name = nullptr;
PyObject* hooks_name = nullptr;
PyObject* outputs_name = nullptr;
PyObject* node_name = nullptr;
PyObject* index_name = nullptr;
PyObject* shape_name = nullptr;
PyObject* dtype_name = nullptr;
PyObject* array_name = nullptr;
PyObject* gradients_name = nullptr;
PyObject* release_name = nullptr;
PyObject* accumulate_name = nullptr;
PyObject* create_graph_names = nullptr;

bool is_recorded_call(PyObject* node) { return Py_TYPE(node) == reinterpret_cast<PyTypeObject*>(known.recorded_call); }

bool is_leaf_end(PyObject* node) { return Py_TYPE(node) == reinterpret_cast<PyTypeObject*>(known.accumulate_grad); }

// A saved value as a formula takes it. `source` is what it is, and which.
PyObject* restored(PyObject* node, PyObject* source, PyObject* value) {
  const long what = PyLong_AsLong(PyTuple_GET_ITEM(source, 0));
  if (what == kShape || what == kOption) return Py_NewRef(value);
  if (PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) == 3 && !grad_enabled) {
    PyObject* storage = PyTuple_GET_ITEM(value, 1);
    const bool untouched = Py_TYPE(storage) == &StorageType &&
                           reinterpret_cast<Storage*>(storage)->version == PyLong_AsLong(PyTuple_GET_ITEM(value, 2));
    if (untouched) return make_tensor(Py_NewRef(PyTuple_GET_ITEM(value, 0)));
  }
  return PyObject_CallMethodObjArgs(node, restore_name, source, value, nullptr);
}

// The gradients of a recorded call of one result, one for each edge, in `produced`.
bool differentiate(PyObject* object, PyObject* received, std::vector<Ref>& produced) {
  Node* node = as_node(object);
  if (is_none(node->saved)) {
    // Freed before: Python finds the words.
    Ref failed(PyObject_CallMethodOneArg(object, gradients_name, received));
    if (failed) PyErr_SetString(PyExc_SystemError, "a freed node was differentiated");
    return false;
  }
  const Ref held_plan = Ref::borrow(node->plan);
  const Ref saved = Ref::borrow(node->saved);
  auto* plan = reinterpret_cast<Plan*>(node->plan);
  produced.resize(PyTuple_Check(node->edges) ? PyTuple_GET_SIZE(node->edges) : PyList_GET_SIZE(node->edges));
  const auto saved_at = [&](PyObject* which) {
    const Py_ssize_t at = PyLong_AsSsize_t(which);
    PyObject* value = PyList_CheckExact(saved.get()) ? PyList_GET_ITEM(saved.get(), at) : PyTuple_GET_ITEM(saved.get(), at);
    return Ref(restored(object, PyTuple_GET_ITEM(plan->save, at), value));
  };
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(plan->pairs); ++at) {
    PyObject* pair = PyTuple_GET_ITEM(plan->pairs, at);
    const Ref value = saved_at(PyTuple_GET_ITEM(pair, 1));
    if (!value) return false;
    PyObject* stack[3] = {nullptr, received, value.get()};
    Ref gradient(PyObject_Vectorcall(PyTuple_GET_ITEM(pair, 0), stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    if (!gradient) return false;
    produced[PyLong_AsSsize_t(PyTuple_GET_ITEM(pair, 2))] = std::move(gradient);
  }
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(plan->run); ++at) {
    PyObject* formula = PyTuple_GET_ITEM(plan->run, at);
    PyObject* needs = PyTuple_GET_ITEM(formula, 1);
    PyObject* positions = PyTuple_GET_ITEM(formula, 2);
    const Py_ssize_t count = PyTuple_GET_SIZE(needs);
    std::vector<Ref> values(count);
    std::vector<PyObject*> stack(count + 2, nullptr);
    stack[1] = received;
    for (Py_ssize_t need = 0; need < count; ++need) {
      values[need] = saved_at(PyTuple_GET_ITEM(needs, need));
      if (!values[need]) return false;
      stack[need + 2] = values[need].get();
    }
    Ref found(PyObject_Vectorcall(PyTuple_GET_ITEM(formula, 0), stack.data() + 1,
                                  (count + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    if (!found) return false;
    const bool tuple = PyTuple_CheckExact(found.get());
    if (!tuple && !PyList_CheckExact(found.get())) {
      produced[PyLong_AsSsize_t(PyTuple_GET_ITEM(positions, 0))] = std::move(found);
      continue;
    }
    const Py_ssize_t given = tuple ? PyTuple_GET_SIZE(found.get()) : PyList_GET_SIZE(found.get());
    if (given != PyTuple_GET_SIZE(positions)) {
      PyErr_Format(PyExc_ValueError, "a gradient formula gave %zd gradients for %zd inputs", given, PyTuple_GET_SIZE(positions));
      return false;
    }
    for (Py_ssize_t each = 0; each < given; ++each) {
      PyObject* gradient = tuple ? PyTuple_GET_ITEM(found.get(), each) : PyList_GET_ITEM(found.get(), each);
      produced[PyLong_AsSsize_t(PyTuple_GET_ITEM(positions, each))] = Ref::borrow(gradient);
    }
  }
  return true;
}

// Whether `gradient` has the shape and type that are expected of it.
int fits(PyObject* gradient, PyObject* shape, PyObject* dtype, bool& right_shape, bool& right_type) {
  PyObject* array = is_tensor(gradient) ? as_tensor(gradient)->array : nullptr;
  if (array != nullptr && PyArray_Check(array) && PyTuple_CheckExact(shape)) {
    auto* found = reinterpret_cast<PyArrayObject*>(array);
    right_shape = PyArray_NDIM(found) == PyTuple_GET_SIZE(shape);
    for (int dim = 0; right_shape && dim < PyArray_NDIM(found); ++dim) {
      right_shape = PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, dim)) == PyArray_DIM(found, dim);
    }
    right_type = reinterpret_cast<PyObject*>(PyArray_DESCR(found)) == dtype;
    return PyErr_Occurred() ? -1 : 0;
  }
  Ref held(PyObject_GetAttr(gradient, array_name));
  Ref own_shape(held ? PyObject_GetAttr(held.get(), shape_name) : nullptr);
  Ref own_type(own_shape ? PyObject_GetAttr(held.get(), dtype_name) : nullptr);
  if (!own_type) return -1;
  const int same = PyObject_RichCompareBool(own_shape.get(), shape, Py_EQ);
  if (same < 0) return -1;
  right_shape = same != 0;
  right_type = own_type.get() == dtype;
  return 0;
}

bool is_ordinary(PyObject* gradient) { return is_tensor(gradient) && is_plain(as_tensor(gradient)->array); }

// Add the array of `gradient` to that of `sum`, in place.
bool add_into(PyObject* sum, PyObject* gradient) {
  Ref done(PyNumber_InPlaceAdd(as_tensor(sum)->array, as_tensor(gradient)->array));
  return static_cast<bool>(done);
}

// What `AccumulateGrad.accumulate` does in the usual case: no hooks, plain arrays.
bool accumulate(PyObject* node, Ref received, bool create_graph) {
  if (!as_node(node)->hooked && !create_graph && is_ordinary(received.get())) {
    Ref hooks(PyObject_GetAttr(node, post_hooks_name));
    Ref weak(hooks ? PyObject_GetAttr(node, leaf_name) : nullptr);
    if (!weak) return false;
    const Ref leaf = Ref::borrow(PyWeakref_GetObject(weak.get()));
    if (leaf.get() == Py_None) return true;
    if (hooks.get() == Py_None && is_tensor(leaf.get())) {
      PyObject* array = as_tensor(received.get())->array;
      PyObject*& grad = as_tensor(leaf.get())->grad;
      if (is_none(grad)) {
        // `grad` is written to in place later, so an array that is shared with anything else is copied.
        auto* given = reinterpret_cast<PyArrayObject*>(array);
        if (Py_REFCNT(received.get()) == 1 && Py_REFCNT(array) == 1 && PyArray_BASE(given) == nullptr) {
          PyObject* old = grad;
          grad = received.release();
          Py_XDECREF(old);
          return true;
        }
        PyObject* copy = PyArray_NewCopy(given, NPY_KEEPORDER);
        PyObject* made = copy == nullptr ? nullptr : make_tensor(copy);
        if (made == nullptr) return false;
        PyObject* old = grad;
        grad = made;
        Py_XDECREF(old);
        return true;
      }
      if (is_ordinary(grad)) {
        auto* sum = reinterpret_cast<PyArrayObject*>(as_tensor(grad)->array);
        auto* given = reinterpret_cast<PyArrayObject*>(array);
        const bool alike = PyArray_IS_C_CONTIGUOUS(sum) && PyArray_DESCR(sum) == PyArray_DESCR(given) &&
                           PyArray_SAMESHAPE(sum, given) && PyArray_ISWRITEABLE(sum);
        if (alike) {
          Storage* storage = storage_of(as_tensor(grad));
          if (storage == nullptr || !add_into(grad, received.get())) return false;
          ++storage->version;
          return true;
        }
      }
    }
  }
  Ref method(PyObject_GetAttr(node, accumulate_name));
  if (!method) return false;
  PyObject* stack[3] = {nullptr, received.get(), create_graph ? Py_True : Py_False};
  Ref done(PyObject_Vectorcall(method.get(), stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, create_graph_names));
  return static_cast<bool>(done);
}

// A gradient that waits for its node; `owned` where the sum was made here, so that more may be added in place.
struct Waiting {
  Ref gradient;
  bool owned = false;
};

struct Walk {
  bool retain_graph;
  bool create_graph;
  bool observed;
  bool anomaly;
  PyObject* useful;  // a set, or None
  PyObject* wanted;  // a set, or None
  PyObject* found;
  std::unordered_map<PyObject*, Waiting> waiting;
  std::priority_queue<std::pair<long long, PyObject*>> queue;

  ~Walk() {
    for (; !queue.empty(); queue.pop()) Py_DECREF(queue.top().second);
  }

  void enqueue(PyObject* node) { queue.emplace(as_node(node)->number, Py_NewRef(node)); }

  // Take `gradient` to `target`: a node, or one output of a node of several.
  bool arrive(PyObject* target, Ref gradient) {
    Ref held_node, shape, dtype;
    PyObject* node = target;
    long outputs = 1;
    if (PyObject_TypeCheck(target, &NodeType)) {
      shape = Ref::borrow(as_node(target)->shape);
      dtype = Ref::borrow(as_node(target)->dtype);
    } else {
      held_node = Ref(PyObject_GetAttr(target, node_name));
      shape = Ref(PyObject_GetAttr(target, shape_name));
      dtype = Ref(PyObject_GetAttr(target, dtype_name));
      if (!held_node || !shape || !dtype) return false;
      node = held_node.get();
      if (!PyObject_TypeCheck(node, &NodeType)) {
        PyErr_SetString(PyExc_TypeError, "an edge leads to something that is no node");
        return false;
      }
    }
    if (!is_recorded_call(node) && !is_leaf_end(node)) {
      Ref number(PyObject_GetAttr(node, outputs_name));
      outputs = number ? PyLong_AsLong(number.get()) : -1;
      if (outputs == -1) return false;
    }
    bool right_shape = false;
    bool right_type = false;
    if (fits(gradient.get(), shape.get() == nullptr ? Py_None : shape.get(), dtype.get(), right_shape, right_type) < 0) return false;
    if (!right_shape) {
      gradient = Ref(PyObject_CallFunctionObjArgs(known.sum_to_size, gradient.get(), shape.get(), nullptr));
      if (!gradient || fits(gradient.get(), shape.get(), dtype.get(), right_shape, right_type) < 0) return false;
    }
    if (!right_type) {
      gradient = Ref(PyObject_CallFunctionObjArgs(known.cast, gradient.get(), target, nullptr));
      if (!gradient) return false;
    }
    return outputs == 1 ? add(node, std::move(gradient)) : add_to_output(node, target, outputs, std::move(gradient));
  }

  bool add(PyObject* node, Ref gradient) {
    Waiting& slot = waiting[node];
    if (!slot.gradient) {
      slot.gradient = std::move(gradient);
      enqueue(node);
      return true;
    }
    const bool in_place = slot.owned && !observed && is_ordinary(slot.gradient.get()) && is_ordinary(gradient.get());
    if (in_place) return add_into(slot.gradient.get(), gradient.get());
    // The sum may call Python, which must not find the table half changed.
    Ref earlier = std::move(slot.gradient);
    Ref sum(PyNumber_Add(earlier.get(), gradient.get()));
    if (!sum) return false;
    Waiting& again = waiting[node];
    again.gradient = std::move(sum);
    again.owned = !observed;
    return true;
  }

  bool add_to_output(PyObject* node, PyObject* target, long outputs, Ref gradient) {
    Ref number(PyObject_GetAttr(target, index_name));
    const Py_ssize_t index = number ? PyLong_AsSsize_t(number.get()) : -1;
    if (index < 0) return false;
    Waiting& slot = waiting[node];
    if (!slot.gradient) {
      slot.gradient = Ref(PyList_New(outputs));
      if (!slot.gradient) return false;
      for (long at = 0; at < outputs; ++at) PyList_SET_ITEM(slot.gradient.get(), at, Py_NewRef(Py_None));
      enqueue(node);
    }
    PyObject* list = slot.gradient.get();
    PyObject* earlier = PyList_GET_ITEM(list, index);
    if (earlier != Py_None) {
      const Ref held = Ref::borrow(list);
      gradient = Ref(PyNumber_Add(earlier, gradient.get()));
      if (!gradient) return false;
      return PyList_SetItem(held.get(), index, gradient.release()) == 0;
    }
    return PyList_SetItem(list, index, gradient.release()) == 0;
  }

  // What a function of Python makes of `received` where the node has hooks of the kind that `name` names.
  bool replace_by_hooks(PyObject* node, PyObject* name, PyObject* function, Ref& received) {
    Ref hooks(PyObject_GetAttr(node, name));
    if (!hooks) return false;
    if (hooks.get() == Py_None) return true;
    received = Ref(PyObject_CallFunctionObjArgs(function, node, received.get(), nullptr));
    return static_cast<bool>(received);
  }

  // -1: an error; 0: nothing to do; 1: `produced` is to be handed on.
  int visit(PyObject* node, Ref received, std::vector<Ref>& produced) {
    const bool hooked = as_node(node)->hooked;
    if (hooked && !replace_by_hooks(node, tensor_hooks_name, known.run_tensor_hooks, received)) return -1;
    if (wanted != Py_None) {
      Ref done(PyObject_CallFunctionObjArgs(known.capture, node, received.get(), wanted, found, nullptr));
      if (!done) return -1;
    }
    if (useful != Py_None) {
      const int contained = PySet_Contains(useful, node);
      if (contained <= 0) return contained;
    }
    if (is_leaf_end(node)) {
      if (wanted != Py_None) return 0;
      return accumulate(node, std::move(received), create_graph) ? 0 : -1;
    }
    if (hooked && !replace_by_hooks(node, pre_hooks_name, known.run_pre_hooks, received)) return -1;
    if (is_recorded_call(node) && !anomaly && !hooked) {
      if (!differentiate(node, received.get(), produced)) return -1;
      if (!retain_graph) {
        PyObject* saved = as_node(node)->saved;
        as_node(node)->saved = Py_NewRef(Py_None);
        Py_XDECREF(saved);
      }
      return 1;
    }
    Ref sequence(anomaly ? PyObject_CallFunctionObjArgs(known.differentiate, node, received.get(), nullptr)
                         : PyObject_CallMethodOneArg(node, gradients_name, received.get()));
    if (sequence && hooked) {
      Ref hooks(PyObject_GetAttr(node, hooks_name));
      if (!hooks) return -1;
      if (hooks.get() != Py_None) {
        sequence = Ref(PyObject_CallFunctionObjArgs(known.run_hooks, node, sequence.get(), received.get(), nullptr));
      }
    }
    if (!sequence) return -1;
    Ref list(PySequence_Fast(sequence.get(), "the gradients of a node must be a sequence"));
    if (!list) return -1;
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(list.get());
    produced.resize(count);
    for (Py_ssize_t at = 0; at < count; ++at) produced[at] = Ref::borrow(PySequence_Fast_GET_ITEM(list.get(), at));
    // Given back before the gradients go on: one held by nothing else may become a leaf's grad without a copy.
    list = Ref();
    sequence = Ref();
    if (!retain_graph) {
      Ref released(PyObject_CallMethodNoArgs(node, release_name));
      if (!released) return -1;
    }
    return 1;
  }

  bool run() {
    std::vector<Ref> produced;
    while (!queue.empty()) {
      const Ref node(queue.top().second);
      queue.pop();
      auto slot = waiting.find(node.get());
      Ref received = std::move(slot->second.gradient);
      waiting.erase(slot);
      const Ref edges = Ref::borrow(as_node(node.get())->edges);
      produced.clear();
      const int hand_on = visit(node.get(), std::move(received), produced);
      if (hand_on < 0) return false;
      if (hand_on == 0) continue;
      Ref targets(PySequence_Fast(edges.get(), "the edges of a node must be a sequence"));
      if (!targets) return false;
      const Py_ssize_t count = PySequence_Fast_GET_SIZE(targets.get());
      for (Py_ssize_t at = 0; at < count && at < static_cast<Py_ssize_t>(produced.size()); ++at) {
        PyObject* target = PySequence_Fast_GET_ITEM(targets.get(), at);
        if (target == Py_None || is_none(produced[at].get())) continue;
        if (!arrive(target, std::move(produced[at]))) return false;
      }
    }
    return true;
  }
};

}  // namespace

// walk(roots, gradients, retain_graph, create_graph, observed, anomaly, useful, wanted, found)
PyObject* walk(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 9) {
    PyErr_SetString(PyExc_TypeError, "walk() takes nine arguments");
    return nullptr;
  }
  Ref roots(PySequence_Fast(args[0], "roots must be a sequence"));
  Ref gradients(roots ? PySequence_Fast(args[1], "gradients must be a sequence") : nullptr);
  if (!gradients) return nullptr;
  Walk walk;
  walk.retain_graph = PyObject_IsTrue(args[2]);
  walk.create_graph = PyObject_IsTrue(args[3]);
  walk.observed = PyObject_IsTrue(args[4]);
  walk.anomaly = PyObject_IsTrue(args[5]);
  walk.useful = args[6];
  walk.wanted = args[7];
  walk.found = args[8];
  if (PySequence_Fast_GET_SIZE(roots.get()) != PySequence_Fast_GET_SIZE(gradients.get())) {
    PyErr_SetString(PyExc_ValueError, "as many gradients as roots are needed");
    return nullptr;
  }
  for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(roots.get()); ++at) {
    const Ref root = Ref::borrow(PySequence_Fast_GET_ITEM(roots.get(), at));
    if (!walk.arrive(root.get(), Ref::borrow(PySequence_Fast_GET_ITEM(gradients.get(), at)))) return nullptr;
  }
  roots = Ref();
  gradients = Ref();
  if (!walk.run()) return nullptr;
  Py_RETURN_NONE;
}

bool learn_names_of_walks() {
  const std::pair<PyObject**, const char*> names[] = {
      {&restore_name, "_restore"}, {&leaf_name, "_leaf"}, {&post_hooks_name, "post_hooks"},
      {&tensor_hooks_name, "tensor_hooks"}, {&pre_hooks_name, "pre_hooks"}, {&hooks_name, "hooks"},
      {&outputs_name, "outputs"}, {&node_name, "node"}, {&index_name, "index"}, {&shape_name, "shape"},
      {&dtype_name, "dtype"}, {&array_name, "_array"}, {&gradients_name, "gradients"}, {&release_name, "release"},
      {&accumulate_name, "accumulate"},
  };
  for (const auto& [name, text] : names) {
    *name = PyUnicode_InternFromString(text);
    if (*name == nullptr) return false;
  }
  create_graph_names = Py_BuildValue("(s)", "create_graph");
  return create_graph_names != nullptr;
}

}  // namespace facula
