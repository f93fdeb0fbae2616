// A float32 matrix with any strides, and what becomes of the sums of a product.
#pragma once

#include "array.h"

namespace facula {
namespace gemm {

// A matrix in memory: element (i, j) is at data[i * row + j * column].
struct Matrix {
  const float* data;
  Index row;
  Index column;
  const float* at(Index i, Index j) const { return data + i * row + j * column; }
  Matrix from(Index i, Index j) const { return {at(i, j), row, column}; }
};

// What becomes of the sums: added to what is there, or stored; then a number a column or a row, or a function.
struct Finish {
  bool add = false;
  const float* of_column = nullptr;
  const float* of_row = nullptr;
  bool relu = false;
  bool only_stores() const { return !add && of_column == nullptr && of_row == nullptr && !relu; }
};

}  // namespace gemm
}  // namespace facula
