// A matrix with any strides, and what becomes of the sums of a product.
#pragma once

#include "array.h"

namespace facula {
namespace gemm {

// A matrix in memory: element (i, j) is at data[i * row + j * column].
template <class T>
struct MatrixOf {
  const T* data;
  Index row;
  Index column;
  const T* at(Index i, Index j) const { return data + i * row + j * column; }
  MatrixOf from(Index i, Index j) const { return {at(i, j), row, column}; }
};
using Matrix = MatrixOf<float>;

// What becomes of the sums: added to what is there, or stored; then a number a column or a row, or a function.
template <class T>
struct FinishOf {
  bool add = false;
  const T* of_column = nullptr;
  const T* of_row = nullptr;
  bool relu = false;
  bool only_stores() const { return !add && of_column == nullptr && of_row == nullptr && !relu; }
};
using Finish = FinishOf<float>;

}  // namespace gemm
}  // namespace facula
