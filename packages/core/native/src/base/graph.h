// The fields of tensors, storages, nodes and primitives as structs, which the Python classes inherit from.
//
// `facula.tensor_base`, `facula.graph.node`, `facula.primitive` and `facula.recording` say what each field means, and
// hold the same classes in Python, used where this module was not built.
#pragma once

#include "../array.h"

#include <cstdint>

namespace facula {

struct Storage {
  PyObject_HEAD
  long version;
  long rewrites;
};

struct Tensor {
  PyObject_HEAD
  PyObject* array;
  PyObject* node;
  PyObject* base;
  PyObject* storage;
  PyObject* grad;
};

struct Node {
  PyObject_HEAD
  PyObject* edges;
  PyObject* shape;
  PyObject* dtype;
  PyObject* primitive;
  PyObject* plan;
  PyObject* saved;
  long long number;
  char hooked;
};

// What to save of a call, and what to run backward, when a given set of inputs needs gradients.
struct Plan {
  PyObject_HEAD
  PyObject* save;
  PyObject* pairs;
  PyObject* run;
  PyObject* inputs;
};

struct Primitive {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* compute;
  // The plans by which inputs need a gradient, as bits; for calls of more inputs Python keeps them.
  static constexpr int kMasks = 16;
  Plan* plans[kMasks];
  char view;
  char is_variadic;
  // Which inputs are brought to a common type, as bits; those beyond the last named one follow it.
  unsigned promoted;
};

extern PyTypeObject StorageType, TensorType, NodeType, PlanType, PrimitiveType, OperatorType, WatchType, ModesType;

// What a saved value is; the numbers of `facula.recording`. Those of variadic inputs are Python's to save.
enum Saved { kInput, kShape, kOut, kOption };

// What Python told this module: the classes to make instances of, and functions for what is rare.
struct Known {
  PyObject* tensor_class;
  PyObject* recorded_call;
  PyObject* accumulate_grad;
  PyArray_Descr* float32;
  PyObject* refresh;
  PyObject* sum_to_size;
  PyObject* cast;
  PyObject* run_tensor_hooks;
  PyObject* run_pre_hooks;
  PyObject* run_hooks;
  PyObject* differentiate;
  PyObject* capture;
};
extern Known known;

extern thread_local bool grad_enabled;
extern int watched;

// A reference that is given back at the end of its scope.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  static Ref borrow(PyObject* object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  Ref(Ref&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Ref& operator=(Ref&& other) noexcept {
    PyObject* old = object_;
    object_ = other.object_;
    other.object_ = nullptr;
    Py_XDECREF(old);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  PyObject* release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  PyObject* object_ = nullptr;
};

inline bool is_tensor(PyObject* object) { return PyObject_TypeCheck(object, &TensorType); }
inline Tensor* as_tensor(PyObject* object) { return reinterpret_cast<Tensor*>(object); }
inline Node* as_node(PyObject* object) { return reinterpret_cast<Node*>(object); }
inline bool is_none(PyObject* field) { return field == nullptr || field == Py_None; }

// Whether an object is a plain NumPy array; the arrays of tensors that override operations are of a subclass.
inline bool is_plain(PyObject* array) { return array != nullptr && Py_TYPE(array) == &PyArray_Type; }
inline PyArray_Descr* descriptor_of(PyObject* array) {
  return PyArray_DESCR(reinterpret_cast<PyArrayObject*>(array));
}

// A new tensor on `array`, whose reference it takes; null with an error set where memory is short.
PyObject* make_tensor(PyObject* array);

// The storage of a tensor, made on first use; borrowed.
Storage* storage_of(Tensor* tensor);

// A tuple of an array's shape.
PyObject* shape_of(PyObject* array);

// The functions of `engine.cpp`.
PyObject* walk(PyObject* module, PyObject* const* args, Py_ssize_t count);

// The functions of `allocator.cpp`.
PyObject* use_allocator(PyObject* module, PyObject* on);
PyObject* set_memory_limit(PyObject* module, PyObject* bytes);
PyObject* empty_cache(PyObject* module, PyObject*);
PyObject* reset_peak_memory(PyObject* module, PyObject*);
PyObject* memory_statistics(PyObject* module, PyObject*);

bool learn_names_of_calls();
bool learn_names_of_walks();

long long next_number();

}  // namespace facula
