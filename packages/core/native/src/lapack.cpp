// Where LAPACK's functions are: in a library that the process has loaded.
#include "lapack.h"

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#endif

#include <cstring>
#include <mutex>
#include <string>

namespace facula {
namespace lapack {
namespace {

#if defined(__linux__)
// NumPy's wheels carry an OpenBLAS with integers of 64 bits, whose names have these ends, and this beginning or none.
struct Library {
  void* handle = nullptr;
  std::string prefix;

  Library() {
    dl_iterate_phdr(
        [](dl_phdr_info* found, size_t, void* self) {
          if (found->dlpi_name == nullptr || std::strstr(found->dlpi_name, "openblas") == nullptr) return 0;
          void* opened = dlopen(found->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
          if (opened == nullptr) return 0;
          for (const char* start : {"scipy_", ""}) {
            if (dlsym(opened, (std::string(start) + "sgesdd_64_").c_str()) == nullptr) continue;
            *static_cast<Library*>(self) = Library(opened, start);
            return 1;
          }
          dlclose(opened);
          return 0;
        },
        this);
  }
  Library(void* opened, const char* start) : handle(opened), prefix(start) {}

  void* find(const std::string& name) const { return handle == nullptr ? nullptr : dlsym(handle, (prefix + name).c_str()); }
};
#else
struct Library {
  void* find(const std::string&) const { return nullptr; }
};
#endif

const Library& library() {
  static const Library found;
  return found;
}

template <class Function>
bool look_up(Function& function, const std::string& name) {
  function = reinterpret_cast<Function>(library().find(name));
  return function != nullptr;
}

using SetThreads = void (*)(int);
using GetThreads = int (*)();
struct Threads {
  SetThreads set = nullptr;
  GetThreads get = nullptr;
  bool known = look_up(set, "openblas_set_num_threads64_") && look_up(get, "openblas_get_num_threads64_");
};
const Threads& library_threads() {
  static const Threads found;
  return found;
}

template <class T>
struct Found {
  Functions<T> table{};
  bool all;
  Found() {
    const std::string letter = sizeof(T) == 4 ? "s" : "d";
    const auto name = [&](const char* rest) { return letter + rest + "_64_"; };
    all = look_up(table.potrf, name("potrf")) && look_up(table.geqrf, name("geqrf")) && look_up(table.orgqr, name("orgqr")) &&
          look_up(table.syevd, name("syevd")) &&
          look_up(table.sytrd, name("sytrd")) && look_up(table.stedc, name("stedc")) && look_up(table.ormtr, name("ormtr")) &&
          look_up(table.gesdd, name("gesdd")) && look_up(table.gebrd, name("gebrd")) &&
          look_up(table.bdsdc, name("bdsdc")) && look_up(table.ormbr, name("ormbr")) && library_threads().known;
  }
};

std::mutex counting;
int uses = 0;
int threads_before = 1;

}  // namespace

template <class T>
const Functions<T>* functions() {
  static const Found<T> found;
  return found.all ? &found.table : nullptr;
}
template const Functions<float>* functions<float>();
template const Functions<double>* functions<double>();

OneThread::OneThread() {
  std::lock_guard<std::mutex> guard(counting);
  if (uses++ == 0 && library_threads().known) {
    threads_before = library_threads().get();
    if (threads_before != 1) library_threads().set(1);
  }
}
OneThread::~OneThread() {
  std::lock_guard<std::mutex> guard(counting);
  if (--uses == 0 && library_threads().known && threads_before != 1) library_threads().set(threads_before);
}

}  // namespace lapack
}  // namespace facula
