// `Primitive.__call__` for the usual case: float32 tensors in main memory, nobody watching.
//
// `facula.primitive` says in Python what a call does; whatever is not usual is handed to it: other types, other
// devices, interceptors, `out=`, errors. The array code or kernel that computes is the same on both ways.
#include "graph.h"

#include <structmember.h>

namespace facula {
namespace {

constexpr Py_ssize_t kMostInputs = 8;
constexpr Py_ssize_t kMostOptions = 16;

PyObject* out_name = nullptr;
PyObject* call_name = nullptr;
PyObject* plan_name = nullptr;
PyObject* record_name = nullptr;
PyObject* wrap_several_name = nullptr;

struct Call {
  Primitive* primitive;
  PyObject* const* inputs;
  Py_ssize_t count;
  // Without `out`.
  PyObject* option_names;
  PyObject* const* option_values;
  unsigned wanted;
};

PyObject* in_python(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  PyObject* method = PyObject_GetAttr(self, call_name);
  if (method == nullptr) return nullptr;
  PyObject* result = PyObject_Vectorcall(method, args, count, names);
  Py_DECREF(method);
  return result;
}

PyObject* as_dict(PyObject* names, PyObject* const* values) {
  PyObject* dict = PyDict_New();
  if (dict == nullptr || names == nullptr) return dict;
  for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(names); ++at) {
    if (PyDict_SetItem(dict, PyTuple_GET_ITEM(names, at), values[at]) < 0) {
      Py_DECREF(dict);
      return nullptr;
    }
  }
  return dict;
}

PyObject* as_tuple(PyObject* const* items, Py_ssize_t count) {
  PyObject* tuple = PyTuple_New(count);
  if (tuple == nullptr) return nullptr;
  for (Py_ssize_t at = 0; at < count; ++at) PyTuple_SET_ITEM(tuple, at, Py_NewRef(items[at]));
  return tuple;
}

// An array, its storage, and the version it has now.
PyObject* saved_tensor(Tensor* tensor) {
  Storage* storage = storage_of(tensor);
  if (storage == nullptr) return nullptr;
  PyObject* version = PyLong_FromLong(storage->version);
  PyObject* saved = PyTuple_New(3);
  if (saved == nullptr || version == nullptr) {
    Py_XDECREF(saved);
    Py_XDECREF(version);
    return nullptr;
  }
  PyTuple_SET_ITEM(saved, 0, Py_NewRef(tensor->array));
  PyTuple_SET_ITEM(saved, 1, Py_NewRef(reinterpret_cast<PyObject*>(storage)));
  PyTuple_SET_ITEM(saved, 2, version);
  return saved;
}

PyObject* saved_input(PyObject* input) { return is_tensor(input) ? saved_tensor(as_tensor(input)) : Py_NewRef(input); }

PyObject* shape_of_input(PyObject* input) { return is_tensor(input) ? shape_of(as_tensor(input)->array) : PyTuple_New(0); }

PyObject* option(const Call& call, PyObject* name) {
  const Py_ssize_t count = call.option_names == nullptr ? 0 : PyTuple_GET_SIZE(call.option_names);
  for (Py_ssize_t at = 0; at < count; ++at) {
    PyObject* other = PyTuple_GET_ITEM(call.option_names, at);
    if (other == name || PyUnicode_Compare(other, name) == 0) return Py_NewRef(call.option_values[at]);
  }
  PyErr_SetObject(PyExc_KeyError, name);
  return nullptr;
}

PyObject* collect(const Call& call, Plan* plan, PyObject* result) {
  const Py_ssize_t count = PyTuple_GET_SIZE(plan->save);
  PyObject* saved = PyList_New(count);
  if (saved == nullptr) return nullptr;
  for (Py_ssize_t at = 0; at < count; ++at) {
    PyObject* source = PyTuple_GET_ITEM(plan->save, at);
    PyObject* which = PyTuple_GET_ITEM(source, 1);
    PyObject* item = nullptr;
    switch (PyLong_AsLong(PyTuple_GET_ITEM(source, 0))) {
      case kInput: item = saved_input(call.inputs[PyLong_AsSsize_t(which)]); break;
      case kShape: item = shape_of_input(call.inputs[PyLong_AsSsize_t(which)]); break;
      case kOut: item = saved_tensor(as_tensor(result)); break;
      case kOption: item = option(call, which); break;
      default: PyErr_SetString(PyExc_SystemError, "a plan names an unknown source");
    }
    if (item == nullptr) {
      Py_DECREF(saved);
      return nullptr;
    }
    PyList_SET_ITEM(saved, at, item);
  }
  return saved;
}

// The plan for the inputs that need gradients; borrowed.
Plan* plan_of(const Call& call) {
  Plan*& kept = call.primitive->plans[call.wanted];
  if (kept != nullptr) return kept;
  PyObject* wanted = PyTuple_New(call.count);
  if (wanted == nullptr) return nullptr;
  for (Py_ssize_t at = 0; at < call.count; ++at) {
    PyTuple_SET_ITEM(wanted, at, PyBool_FromLong(call.wanted >> at & 1));
  }
  PyObject* made = PyObject_CallMethodOneArg(reinterpret_cast<PyObject*>(call.primitive), plan_name, wanted);
  Py_DECREF(wanted);
  if (made == nullptr) return nullptr;
  if (!PyObject_TypeCheck(made, &PlanType)) {
    PyErr_SetString(PyExc_TypeError, "_make_plan() must return a Plan");
    Py_DECREF(made);
    return nullptr;
  }
  return kept = reinterpret_cast<Plan*>(made);
}

// Record the call as the history of `result`. -1 with an error set where that fails.
int record(const Call& call, PyObject* result) {
  Tensor* tensor = as_tensor(result);
  Plan* plan = plan_of(call);
  if (plan == nullptr) return -1;
  if (PyTuple_GET_SIZE(plan->pairs) == 0 && PyTuple_GET_SIZE(plan->run) == 0) return 0;
  auto* type = reinterpret_cast<PyTypeObject*>(known.recorded_call);
  Ref made(type->tp_alloc(type, 0));
  if (!made) return -1;
  Node* node = as_node(made.get());
  node->number = next_number();
  node->primitive = Py_NewRef(reinterpret_cast<PyObject*>(call.primitive));
  node->plan = Py_NewRef(reinterpret_cast<PyObject*>(plan));
  node->dtype = Py_NewRef(reinterpret_cast<PyObject*>(descriptor_of(tensor->array)));
  node->shape = shape_of(tensor->array);
  node->edges = PyTuple_New(call.count);
  if (node->shape == nullptr || node->edges == nullptr) return -1;
  for (Py_ssize_t at = 0; at < call.count; ++at) {
    PyObject* edge = is_tensor(call.inputs[at]) ? as_tensor(call.inputs[at])->node : nullptr;
    PyTuple_SET_ITEM(node->edges, at, Py_NewRef(edge == nullptr ? Py_None : edge));
  }
  node->saved = collect(call, plan, result);
  if (node->saved == nullptr) return -1;
  Py_XSETREF(tensor->node, made.release());
  return 0;
}

bool has_gradients(PyObject* array) {
  const char kind = descriptor_of(array)->kind;
  return kind == 'f' || kind == 'c' || kind == 'V';
}

// Make `view` a view of `of`, as `facula.graph.views.mark_view` does.
int mark_view(Tensor* view, Tensor* of) {
  Storage* storage = storage_of(of);
  if (storage == nullptr) return -1;
  Py_XSETREF(view->storage, Py_NewRef(reinterpret_cast<PyObject*>(storage)));
  PyObject* base = is_none(of->base) ? reinterpret_cast<PyObject*>(of) : of->base;
  Py_XSETREF(view->base, Py_NewRef(base));
  if (storage->rewrites == 0) return 0;
  Ref seen(PyLong_FromLong(storage->rewrites));
  return seen ? PyObject_SetAttrString(reinterpret_cast<PyObject*>(view), "_rewrites_seen", seen.get()) : -1;
}

// Hang a view on the present history of its base, where that may have been rewritten.
int refresh(PyObject* input) {
  Tensor* tensor = as_tensor(input);
  if (is_none(tensor->base)) return 0;
  auto* storage = reinterpret_cast<Storage*>(tensor->storage);
  if (storage != nullptr && Py_TYPE(storage) == &StorageType && storage->rewrites == 0) return 0;
  Ref done(PyObject_CallOneArg(known.refresh, input));
  return done ? 0 : -1;
}

PyObject* wrap_several(const Call& call, PyObject* result, bool recorded) {
  Ref inputs(as_tuple(call.inputs, call.count));
  Ref options(as_dict(call.option_names, call.option_values));
  if (!inputs || !options) return nullptr;
  return PyObject_CallMethodObjArgs(reinterpret_cast<PyObject*>(call.primitive), wrap_several_name, inputs.get(), result,
                                    recorded ? Py_True : Py_False, options.get(), nullptr);
}

PyObject* record_in_python(const Call& call, PyObject* tensor) {
  Ref inputs(as_tuple(call.inputs, call.count));
  Ref options(as_dict(call.option_names, call.option_values));
  if (!inputs || !options) return nullptr;
  return PyObject_CallMethodObjArgs(reinterpret_cast<PyObject*>(call.primitive), record_name, known.recorded_call,
                                    inputs.get(), tensor, options.get(), nullptr);
}

PyObject* call_primitive(PyObject* self, PyObject* const* args, size_t given, PyObject* names) {
  auto* primitive = reinterpret_cast<Primitive*>(self);
  const Py_ssize_t count = PyVectorcall_NARGS(given);
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  if (watched > 0 || count == 0 || count > kMostInputs || named > kMostOptions || known.tensor_class == nullptr) {
    return in_python(self, args, count, names);
  }

  // One slot before the arguments, which a bound method may use for itself.
  PyObject* stack[1 + kMostInputs + kMostOptions];
  PyObject** arrays = stack + 1;
  Ref numbers[kMostInputs];
  unsigned wanted = 0;
  // Whether a tensor says which type to compute in; where none is brought to another type, any tensor does.
  bool decided = false;
  for (Py_ssize_t at = 0; at < count; ++at) {
    PyObject* input = args[at];
    const bool promoted = primitive->promoted >> at & 1;
    if (is_tensor(input)) {
      PyObject* array = as_tensor(input)->array;
      const bool usual = is_plain(array) && (!promoted || descriptor_of(array) == known.float32);
      if (!usual) return in_python(self, args, count, names);
      if (refresh(input) < 0) return nullptr;
      arrays[at] = array;
      decided = decided || promoted || primitive->promoted == 0;
      if (grad_enabled && !is_none(as_tensor(input)->node)) wanted |= 1u << at;
    } else if (input == Py_None || PyFloat_CheckExact(input) || (!promoted && PyLong_CheckExact(input))) {
      arrays[at] = input;
    } else if (PyLong_CheckExact(input)) {
      numbers[at] = Ref(PyNumber_Float(input));
      if (!numbers[at]) return nullptr;
      arrays[at] = numbers[at].get();
    } else {
      return in_python(self, args, count, names);
    }
  }
  if (!decided) return in_python(self, args, count, names);

  Call call = {primitive, args, count, nullptr, arrays + count, wanted};
  Ref kept_names;
  if (named > 0) {
    Py_ssize_t kept = 0;
    Py_ssize_t without = -1;
    for (Py_ssize_t at = 0; at < named; ++at) {
      PyObject* name = PyTuple_GET_ITEM(names, at);
      if (name == out_name || PyUnicode_Compare(name, out_name) == 0) {
        if (args[count + at] != Py_None) return in_python(self, args, count, names);
        without = at;
      } else {
        arrays[count + kept++] = args[count + at];
      }
    }
    if (kept > 0 && without < 0) {
      kept_names = Ref::borrow(names);
    } else if (kept > 0) {
      kept_names = Ref(PyTuple_New(kept));
      if (!kept_names) return nullptr;
      for (Py_ssize_t at = 0, to = 0; at < named; ++at) {
        if (at != without) PyTuple_SET_ITEM(kept_names.get(), to++, Py_NewRef(PyTuple_GET_ITEM(names, at)));
      }
    }
    call.option_names = kept_names.get();
  }

  Ref result(PyObject_Vectorcall(primitive->compute, arrays, count | PY_VECTORCALL_ARGUMENTS_OFFSET, call.option_names));
  if (!result) {
    // Python finds the words for shapes that do not fit; what was computed so far has changed nothing.
    if (!PyErr_ExceptionMatches(PyExc_ValueError)) return nullptr;
    PyErr_Clear();
    return in_python(self, args, count, names);
  }
  if (!is_plain(result.get())) {
    if (PyTuple_Check(result.get()) || PyList_Check(result.get())) return wrap_several(call, result.get(), wanted != 0);
    result = Ref(PyArray_FROM_O(result.get()));
    if (!result) return nullptr;
  }
  Ref made(make_tensor(result.release()));
  if (!made) return nullptr;
  Tensor* tensor = as_tensor(made.get());
  if (primitive->view && mark_view(tensor, as_tensor(args[0])) < 0) return nullptr;
  if (wanted != 0 && has_gradients(tensor->array)) {
    if (count <= 4 && !primitive->is_variadic) {
      if (record(call, made.get()) < 0) return nullptr;
    } else {
      PyObject* node = record_in_python(call, made.get());
      if (node == nullptr) return nullptr;
      Py_XSETREF(tensor->node, node);
    }
  }
  return made.release();
}

PyObject* new_primitive(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* made = type->tp_alloc(type, 0);
  if (made != nullptr) reinterpret_cast<Primitive*>(made)->vectorcall = call_primitive;
  return made;
}

int clear_primitive(PyObject* self) {
  auto* primitive = reinterpret_cast<Primitive*>(self);
  Py_CLEAR(primitive->compute);
  for (Plan*& plan : primitive->plans) Py_CLEAR(plan);
  return 0;
}

int traverse_primitive(PyObject* self, visitproc visit, void* arg) {
  auto* primitive = reinterpret_cast<Primitive*>(self);
  Py_VISIT(primitive->compute);
  for (Plan* plan : primitive->plans) Py_VISIT(plan);
  return 0;
}

void delete_primitive(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear_primitive(self);
  Py_TYPE(self)->tp_free(self);
}

PyMemberDef primitive_members[] = {
    {"_compute_on_cpu", T_OBJECT_EX, offsetof(Primitive, compute), 0, nullptr},
    {"view", T_BOOL, offsetof(Primitive, view), 0, nullptr},
    {"_promoted", T_UINT, offsetof(Primitive, promoted), 0, nullptr},
    {"_is_variadic", T_BOOL, offsetof(Primitive, is_variadic), 0, nullptr},
    {},
};

PyTypeObject make_primitive_type() {
  PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
  type.tp_name = "facula._native.base.PrimitiveFields";
  type.tp_basicsize = sizeof(Primitive);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL;
  type.tp_new = new_primitive;
  type.tp_call = PyVectorcall_Call;
  type.tp_vectorcall_offset = offsetof(Primitive, vectorcall);
  type.tp_traverse = traverse_primitive;
  type.tp_clear = clear_primitive;
  type.tp_dealloc = delete_primitive;
  type.tp_members = primitive_members;
  return type;
}

// The method behind an operator, such as `__mul__`: of two tensors the primitive itself, else a function of Python.
struct Operator {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* primitive;
  PyObject* method;
  char matrices_only;
};

// The array of a float32 tensor in main memory, or null.
PyArrayObject* usual_array(PyObject* input) {
  if (!is_tensor(input)) return nullptr;
  PyObject* array = as_tensor(input)->array;
  return is_plain(array) && descriptor_of(array) == known.float32 ? reinterpret_cast<PyArrayObject*>(array) : nullptr;
}

bool are_matrices_that_fit(PyArrayObject* left, PyArrayObject* right) {
  return PyArray_NDIM(left) == 2 && PyArray_NDIM(right) == 2 && PyArray_DIM(left, 1) == PyArray_DIM(right, 0);
}

PyObject* call_operator(PyObject* self, PyObject* const* args, size_t given, PyObject* names) {
  auto* op = reinterpret_cast<Operator*>(self);
  if (names == nullptr && PyVectorcall_NARGS(given) == 2 && watched == 0) {
    PyArrayObject* left = usual_array(args[0]);
    PyArrayObject* right = left == nullptr ? nullptr : usual_array(args[1]);
    if (right != nullptr && (!op->matrices_only || are_matrices_that_fit(left, right))) {
      return call_primitive(op->primitive, args, 2, nullptr);
    }
  }
  return PyObject_Vectorcall(op->method, args, given, names);
}

PyObject* new_operator(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *primitive, *method;
  int matrices_only = 0;
  if (!PyArg_ParseTuple(args, "O!O|p", &PrimitiveType, &primitive, &method, &matrices_only)) return nullptr;
  auto* made = reinterpret_cast<Operator*>(type->tp_alloc(type, 0));
  if (made == nullptr) return nullptr;
  made->vectorcall = call_operator;
  made->primitive = Py_NewRef(primitive);
  made->method = Py_NewRef(method);
  made->matrices_only = static_cast<char>(matrices_only);
  return reinterpret_cast<PyObject*>(made);
}

int clear_operator(PyObject* self) {
  Py_CLEAR(reinterpret_cast<Operator*>(self)->primitive);
  Py_CLEAR(reinterpret_cast<Operator*>(self)->method);
  return 0;
}

int traverse_operator(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<Operator*>(self)->primitive);
  Py_VISIT(reinterpret_cast<Operator*>(self)->method);
  return 0;
}

void delete_operator(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear_operator(self);
  Py_TYPE(self)->tp_free(self);
}

PyObject* bind_operator(PyObject* self, PyObject* instance, PyObject*) {
  return instance == nullptr ? Py_NewRef(self) : PyMethod_New(self, instance);
}

// Names, docs and signatures are those of the function of Python.
PyObject* attribute_of_operator(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<Operator*>(self)->method, name);
}

PyTypeObject make_operator_type() {
  PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
  type.tp_name = "facula._native.base.Operator";
  type.tp_basicsize = sizeof(Operator);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
  type.tp_new = new_operator;
  type.tp_call = PyVectorcall_Call;
  type.tp_vectorcall_offset = offsetof(Operator, vectorcall);
  type.tp_descr_get = bind_operator;
  type.tp_getattro = attribute_of_operator;
  type.tp_traverse = traverse_operator;
  type.tp_clear = clear_operator;
  type.tp_dealloc = delete_operator;
  return type;
}

}  // namespace

PyTypeObject PrimitiveType = make_primitive_type();
PyTypeObject OperatorType = make_operator_type();

bool learn_names_of_calls() {
  out_name = PyUnicode_InternFromString("out");
  call_name = PyUnicode_InternFromString("_call");
  plan_name = PyUnicode_InternFromString("_make_plan");
  record_name = PyUnicode_InternFromString("_record");
  wrap_several_name = PyUnicode_InternFromString("_wrap_several");
  return out_name != nullptr && call_name != nullptr && plan_name != nullptr && record_name != nullptr &&
         wrap_several_name != nullptr;
}

}  // namespace facula
