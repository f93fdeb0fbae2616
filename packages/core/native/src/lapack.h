// LAPACK and BLAS functions of the OpenBLAS that NumPy has loaded, called on one thread each: threads of its own beside
// those of our pool wait for each other wherever cores are short.
//
// Matrices of LAPACK lie by columns. Nothing is linked: the functions are found in the process when they are first needed,
// and where there are none of these names (NumPy on other libraries), `functions` is null and kernels decline.
#pragma once

#include <cstdint>

namespace facula {
namespace lapack {

using Integer = int64_t;

// The functions of one type, under LAPACK's names, which say what the arguments are. Lengths of strings, which Fortran
// passes last, are not read for single letters.
template <class T>
struct Functions {
  void (*potrf)(const char* uplo, const Integer* n, T* a, const Integer* lda, Integer* info);
  void (*geqrf)(const Integer* m, const Integer* n, T* a, const Integer* lda, T* tau, T* work, const Integer* lwork, Integer* info);
  void (*orgqr)(const Integer* m, const Integer* n, const Integer* k, T* a, const Integer* lda, const T* tau, T* work,
                const Integer* lwork, Integer* info);
  void (*syevd)(const char* jobz, const char* uplo, const Integer* n, T* a, const Integer* lda, T* w, T* work,
                const Integer* lwork, Integer* iwork, const Integer* liwork, Integer* info);
  void (*sytrd)(const char* uplo, const Integer* n, T* a, const Integer* lda, T* d, T* e, T* tau, T* work, const Integer* lwork,
                Integer* info);
  void (*stedc)(const char* compz, const Integer* n, T* d, T* e, T* z, const Integer* ldz, T* work, const Integer* lwork,
                Integer* iwork, const Integer* liwork, Integer* info);
  void (*ormtr)(const char* side, const char* uplo, const char* trans, const Integer* m, const Integer* n, const T* a,
                const Integer* lda, const T* tau, T* c, const Integer* ldc, T* work, const Integer* lwork, Integer* info);
  void (*gesdd)(const char* jobz, const Integer* m, const Integer* n, T* a, const Integer* lda, T* s, T* u, const Integer* ldu,
                T* vt, const Integer* ldvt, T* work, const Integer* lwork, Integer* iwork, Integer* info);
  void (*gebrd)(const Integer* m, const Integer* n, T* a, const Integer* lda, T* d, T* e, T* tauq, T* taup, T* work,
                const Integer* lwork, Integer* info);
  void (*bdsdc)(const char* uplo, const char* compq, const Integer* n, T* d, T* e, T* u, const Integer* ldu, T* vt,
                const Integer* ldvt, T* q, Integer* iq, T* work, Integer* iwork, Integer* info);
  void (*ormbr)(const char* vect, const char* side, const char* trans, const Integer* m, const Integer* n, const Integer* k,
                const T* a, const Integer* lda, const T* tau, T* c, const Integer* ldc, T* work, const Integer* lwork,
                Integer* info);
};

// The functions, or null.
template <class T>
const Functions<T>* functions();

// While one of these is there, the library uses the calling thread alone.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
};

}  // namespace lapack
}  // namespace facula
