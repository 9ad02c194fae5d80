#pragma once

#include "unmar/base/option.h"
#include "unmar/engine/engine.h"

namespace unmar {

/// The option of all that can compute on a graphics card.
template <class O, class M>
Option<O> precision_choice(M O::*member) {
  return choice(
      "precision", member,
      {{"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"bf16", Precision::bf16}},
      "of the factors of products on a graphics card, where fewer bits are faster; bf16 also "
      "stores pictures between layers in half of the memory; sums "
      "are fp32");
}

}  // namespace unmar
