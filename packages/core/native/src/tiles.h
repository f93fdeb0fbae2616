// Products of bfloat16 matrices by the processor's tiles (AMX), where it has them: sums in float32, rounded once.
#pragma once

#include "array.h"

namespace facula {
namespace tiles {

// A matrix in memory: element (i, j) is at data[i * row + j * column].
struct Numbers {
  const uint16_t* data;
  Index row;
  Index column;
};

// Whether the processor has tiles for bfloat16, and the system lets this process use them.
bool are_there();

// C (m x n, in one piece) = A B plus `bias`, a number for each column, or null. False where memory is short.
bool product(Index m, Index n, Index k, const Numbers& a, const Numbers& b, const uint16_t* bias, uint16_t* c);

}  // namespace tiles
}  // namespace facula
