// The module of one CPU level: every function the other files registered.
#define FACULA_IMPORTS_NUMPY
#include <vector>

#include "array.h"

namespace facula {

int bfloat16_number = -1;

namespace {

std::vector<PyMethodDef>& methods() {
  static auto* table = new std::vector<PyMethodDef>();
  return *table;
}

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "facula._native", "Kernels for the CPU.", -1, nullptr, nullptr, nullptr, nullptr, nullptr,
};

// Learn how NumPy knows ml_dtypes' bfloat16; kernels decline it where that package is absent.
bool learn_bfloat16() {
  PyObject* package = PyImport_ImportModule("ml_dtypes");
  if (package == nullptr) {
    PyErr_Clear();
    return true;
  }
  PyObject* type = PyObject_GetAttrString(package, "bfloat16");
  Py_DECREF(package);
  PyArray_Descr* descriptor = nullptr;
  const bool known = type != nullptr && PyArray_DescrConverter(type, &descriptor) == NPY_SUCCEED;
  Py_XDECREF(type);
  if (!known) return false;
  bfloat16_number = descriptor->type_num;
  Py_DECREF(descriptor);
  return true;
}

}  // namespace

Registration::Registration(const char* name, PyCFunction function, const char* doc) {
  methods().push_back({name, function, METH_FASTCALL, doc});
}

}  // namespace facula

#define JOINED(a, b) a##b
#define INIT(name) JOINED(PyInit_, name)

PyMODINIT_FUNC INIT(FACULA_MODULE)() {
  if (PyArray_ImportNumPyAPI() < 0 || !facula::learn_bfloat16()) return nullptr;
  PyObject* module = PyModule_Create(&facula::definition);
  if (module == nullptr) return nullptr;
  auto& methods = facula::methods();
  if (methods.empty() || methods.back().ml_name != nullptr) methods.push_back({nullptr, nullptr, 0, nullptr});
  if (PyModule_AddFunctions(module, methods.data()) < 0) {
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}
