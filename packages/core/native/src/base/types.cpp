// The types of which the Python classes inherit their fields.
#include "graph.h"

#include <structmember.h>

namespace facula {

Known known = {};
thread_local bool grad_enabled = true;
int watched = 0;

namespace {

// What every type here needs of the garbage collector, written once: visit and clear a list of object fields.
#define VISIT_2(type, a, b) \
  Py_VISIT(reinterpret_cast<type*>(self)->a); \
  Py_VISIT(reinterpret_cast<type*>(self)->b)
#define CLEAR_2(type, a, b) \
  Py_CLEAR(reinterpret_cast<type*>(self)->a); \
  Py_CLEAR(reinterpret_cast<type*>(self)->b)

template <inquiry clear>
void deallocate(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  Py_TYPE(self)->tp_free(self);
}

int traverse_tensor(PyObject* self, visitproc visit, void* arg) {
  VISIT_2(Tensor, array, node);
  VISIT_2(Tensor, base, storage);
  Py_VISIT(reinterpret_cast<Tensor*>(self)->grad);
  return 0;
}

int clear_tensor(PyObject* self) {
  CLEAR_2(Tensor, array, node);
  CLEAR_2(Tensor, base, storage);
  Py_CLEAR(reinterpret_cast<Tensor*>(self)->grad);
  return 0;
}

PyMemberDef tensor_members[] = {
    {"_array", T_OBJECT_EX, offsetof(Tensor, array), 0, nullptr},
    {"_node", T_OBJECT, offsetof(Tensor, node), 0, nullptr},
    {"_base", T_OBJECT, offsetof(Tensor, base), 0, nullptr},
    {"_storage", T_OBJECT, offsetof(Tensor, storage), 0, nullptr},
    {"grad", T_OBJECT, offsetof(Tensor, grad), 0, "The accumulated gradient of a leaf."},
    {},
};

int traverse_node(PyObject* self, visitproc visit, void* arg) {
  VISIT_2(Node, edges, shape);
  VISIT_2(Node, dtype, primitive);
  VISIT_2(Node, plan, saved);
  return 0;
}

int clear_node(PyObject* self) {
  CLEAR_2(Node, edges, shape);
  CLEAR_2(Node, dtype, primitive);
  CLEAR_2(Node, plan, saved);
  return 0;
}

PyMemberDef node_members[] = {
    {"edges", T_OBJECT, offsetof(Node, edges), 0, nullptr},
    {"shape", T_OBJECT, offsetof(Node, shape), 0, nullptr},
    {"dtype", T_OBJECT, offsetof(Node, dtype), 0, nullptr},
    {"primitive", T_OBJECT, offsetof(Node, primitive), 0, nullptr},
    {"plan", T_OBJECT, offsetof(Node, plan), 0, nullptr},
    {"saved", T_OBJECT, offsetof(Node, saved), 0, nullptr},
    {"number", T_LONGLONG, offsetof(Node, number), 0, nullptr},
    {"hooked", T_BOOL, offsetof(Node, hooked), 0, nullptr},
    {},
};

PyMemberDef storage_members[] = {
    {"version", T_LONG, offsetof(Storage, version), 0, nullptr},
    {"rewrites", T_LONG, offsetof(Storage, rewrites), 0, nullptr},
    {},
};

int traverse_plan(PyObject* self, visitproc visit, void* arg) {
  VISIT_2(Plan, save, pairs);
  VISIT_2(Plan, run, inputs);
  return 0;
}

int clear_plan(PyObject* self) {
  CLEAR_2(Plan, save, pairs);
  CLEAR_2(Plan, run, inputs);
  return 0;
}

int start_plan(PyObject* self, PyObject* args, PyObject*) {
  auto* plan = reinterpret_cast<Plan*>(self);
  PyObject *save, *pairs, *run, *inputs;
  if (!PyArg_ParseTuple(args, "O!O!O!O", &PyTuple_Type, &save, &PyTuple_Type, &pairs, &PyTuple_Type, &run, &inputs)) {
    return -1;
  }
  plan->save = Py_NewRef(save);
  plan->pairs = Py_NewRef(pairs);
  plan->run = Py_NewRef(run);
  plan->inputs = Py_NewRef(inputs);
  return 0;
}

PyMemberDef plan_members[] = {
    {"save", T_OBJECT, offsetof(Plan, save), READONLY, nullptr},
    {"pairs", T_OBJECT, offsetof(Plan, pairs), READONLY, nullptr},
    {"run", T_OBJECT, offsetof(Plan, run), READONLY, nullptr},
    {"inputs", T_OBJECT, offsetof(Plan, inputs), READONLY, nullptr},
    {},
};

PyObject* get_active(PyObject*, void*) { return PyLong_FromLong(watched); }

int set_active(PyObject*, PyObject* value, void*) {
  const long number = value == nullptr ? -1 : PyLong_AsLong(value);
  if (number == -1 && PyErr_Occurred()) return -1;
  watched = static_cast<int>(number);
  return 0;
}

PyGetSetDef watch_fields[] = {
    {"active", get_active, set_active, "How many threads need more than the plain path.", nullptr},
    {},
};

PyObject* get_grad_enabled(PyObject*, void*) { return PyBool_FromLong(grad_enabled); }

int set_grad_enabled(PyObject*, PyObject* value, void*) {
  const int truth = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (truth < 0) return -1;
  grad_enabled = truth != 0;
  return 0;
}

PyGetSetDef modes_fields[] = {
    {"grad_enabled", get_grad_enabled, set_grad_enabled, "Whether this thread records.", nullptr},
    {},
};

constexpr unsigned long kPlain = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
constexpr unsigned long kCollected = kPlain | Py_TPFLAGS_HAVE_GC;

PyTypeObject make_type(const char* name, Py_ssize_t size, unsigned long flags) {
  PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
  type.tp_name = name;
  type.tp_basicsize = size;
  type.tp_flags = flags;
  type.tp_new = PyType_GenericNew;
  return type;
}

PyTypeObject make_tensor_type() {
  PyTypeObject type = make_type("facula._native.base.TensorFields", sizeof(Tensor), kCollected);
  type.tp_traverse = traverse_tensor;
  type.tp_clear = clear_tensor;
  type.tp_dealloc = deallocate<clear_tensor>;
  type.tp_members = tensor_members;
  return type;
}

PyTypeObject make_node_type() {
  PyTypeObject type = make_type("facula._native.base.NodeFields", sizeof(Node), kCollected);
  type.tp_traverse = traverse_node;
  type.tp_clear = clear_node;
  type.tp_dealloc = deallocate<clear_node>;
  type.tp_members = node_members;
  return type;
}

PyTypeObject make_storage_type() {
  PyTypeObject type = make_type("facula._native.base.Storage", sizeof(Storage), kPlain);
  type.tp_members = storage_members;
  return type;
}

PyTypeObject make_plan_type() {
  PyTypeObject type = make_type("facula._native.base.Plan", sizeof(Plan), kCollected);
  type.tp_traverse = traverse_plan;
  type.tp_clear = clear_plan;
  type.tp_dealloc = deallocate<clear_plan>;
  type.tp_members = plan_members;
  type.tp_init = start_plan;
  return type;
}

PyTypeObject make_watch_type() {
  PyTypeObject type = make_type("facula._native.base.Watch", sizeof(PyObject), kPlain);
  type.tp_getset = watch_fields;
  return type;
}

PyTypeObject make_modes_type() {
  PyTypeObject type = make_type("facula._native.base.Modes", sizeof(PyObject), kPlain);
  type.tp_getset = modes_fields;
  return type;
}

}  // namespace

PyTypeObject TensorType = make_tensor_type();
PyTypeObject NodeType = make_node_type();
PyTypeObject StorageType = make_storage_type();
PyTypeObject PlanType = make_plan_type();
PyTypeObject WatchType = make_watch_type();
PyTypeObject ModesType = make_modes_type();

PyObject* make_tensor(PyObject* array) {
  auto* type = reinterpret_cast<PyTypeObject*>(known.tensor_class);
  PyObject* made = type->tp_alloc(type, 0);
  if (made == nullptr) {
    Py_DECREF(array);
    return nullptr;
  }
  as_tensor(made)->array = array;
  return made;
}

Storage* storage_of(Tensor* tensor) {
  if (is_none(tensor->storage)) {
    PyObject* made = StorageType.tp_alloc(&StorageType, 0);
    if (made == nullptr) return nullptr;
    Py_XSETREF(tensor->storage, made);
  }
  return reinterpret_cast<Storage*>(tensor->storage);
}

PyObject* shape_of(PyObject* array) {
  auto* found = reinterpret_cast<PyArrayObject*>(array);
  return PyArray_IntTupleFromIntp(PyArray_NDIM(found), PyArray_DIMS(found));
}

long long next_number() {
  static long long number = 0;
  return number++;
}

}  // namespace facula
