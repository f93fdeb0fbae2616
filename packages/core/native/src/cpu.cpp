// Which level of kernels this CPU can run. Compiled for every CPU of its kind, a module of its own.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

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

PyMethodDef methods[] = {
    {"level", level, METH_NOARGS, "level(): 4 with AVX-512, 3 with AVX2 and FMA, else 1"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "cpu", "What this CPU can run.", -1, methods, nullptr, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit_cpu() { return PyModule_Create(&definition); }
