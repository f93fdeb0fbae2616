// The module that every CPU of the kind can run: what this CPU is, and the call and the walk of the recorded graph.
#define FACULA_IMPORTS_NUMPY
#include "graph.h"

namespace facula {

int bfloat16_number = -1;  // asked for by array.h; no function here looks at it

namespace {

PyObject* level(PyObject*, PyObject*) {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return PyLong_FromLong(v4 ? 4 : v3 ? 3 : 1);
#else
  return PyLong_FromLong(1);
#endif
}

PyObject* next_number_of_node(PyObject*, PyObject*) { return PyLong_FromLongLong(next_number()); }

// know(name=object, …): take a class or function of Python into `known`.
PyObject* know(PyObject*, PyObject*, PyObject* names) {
  const struct {
    const char* name;
    PyObject** field;
  } fields[] = {
      {"tensor_class", &known.tensor_class},
      {"recorded_call", &known.recorded_call},
      {"accumulate_grad", &known.accumulate_grad},
      {"refresh", &known.refresh},
      {"sum_to_size", &known.sum_to_size},
      {"cast", &known.cast},
      {"run_tensor_hooks", &known.run_tensor_hooks},
      {"run_pre_hooks", &known.run_pre_hooks},
      {"run_hooks", &known.run_hooks},
      {"differentiate", &known.differentiate},
      {"capture", &known.capture},
  };
  for (const auto& field : fields) {
    PyObject* given = names == nullptr ? nullptr : PyDict_GetItemString(names, field.name);
    if (given != nullptr) Py_XSETREF(*field.field, Py_NewRef(given));
  }
  PyObject* primitive_class = names == nullptr ? nullptr : PyDict_GetItemString(names, "primitive_class");
  if (primitive_class != nullptr) {
    // Before Python 3.12 a class does not inherit this flag, without which each call packs its arguments into a tuple.
    reinterpret_cast<PyTypeObject*>(primitive_class)->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    PyType_Modified(reinterpret_cast<PyTypeObject*>(primitive_class));
  }
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"level", level, METH_NOARGS, "level(): 4 with AVX-512, 3 with AVX2 and FMA, else 1"},
    {"next_number", next_number_of_node, METH_NOARGS, "next_number(): a number that grows with each call"},
    {"know", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(know)), METH_VARARGS | METH_KEYWORDS,
     "know(name=object, ...): the classes and functions of Python that this module uses"},
    {"walk", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(walk)), METH_FASTCALL,
     "walk(...): the backward pass, as facula.graph.engine has it"},
    {"use_allocator", use_allocator, METH_O, "use_allocator(on): keep the memory of NumPy's arrays for the next ones"},
    {"set_memory_limit", set_memory_limit, METH_O, "set_memory_limit(bytes): keep at most this many"},
    {"empty_cache", empty_cache, METH_NOARGS, "empty_cache(): give what is kept back to the system"},
    {"reset_peak_memory", reset_peak_memory, METH_NOARGS, "reset_peak_memory(): start the peak anew from what is in use"},
    {"memory_statistics", memory_statistics, METH_NOARGS, "memory_statistics(): a dict of numbers of bytes and blocks"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "base", "The recorded graph, for every CPU.", -1, methods, nullptr, nullptr, nullptr, nullptr,
};

bool add_type(PyObject* module, const char* name, PyTypeObject* type) {
  return PyType_Ready(type) == 0 && PyModule_AddObjectRef(module, name, reinterpret_cast<PyObject*>(type)) == 0;
}

}  // namespace
}  // namespace facula

PyMODINIT_FUNC PyInit_base() {
  using namespace facula;
  if (PyArray_ImportNumPyAPI() < 0 || !learn_names_of_calls() || !learn_names_of_walks()) return nullptr;
  known.float32 = PyArray_DescrFromType(NPY_FLOAT);
  PyObject* module = PyModule_Create(&definition);
  if (module == nullptr) return nullptr;
  const bool whole = add_type(module, "TensorFields", &TensorType) && add_type(module, "NodeFields", &NodeType) &&
                     add_type(module, "Storage", &StorageType) && add_type(module, "Plan", &PlanType) &&
                     add_type(module, "PrimitiveFields", &PrimitiveType) && add_type(module, "Operator", &OperatorType) &&
                     add_type(module, "Watch", &WatchType) && add_type(module, "Modes", &ModesType);
  if (!whole) {
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}
