#pragma once

#include "tasks/plan.h"

/// Which values of a picture a restoration may look at, and what is handed out for the others.
namespace unmar {

/// 1 where a value is to be used, else 0; [1,c,h,w]. Empty: all are. See SampleUse.
Tensor usable_values(const Image& picture);

/// The plan of a task that looks at all of the picture: y and input with unusable values filled by
/// their neighbours, what is kept pasted, counts. plan.A is not touched.
/// Returns usable_values().
Tensor take_values(Plan& plan, const Image& picture);

/// Adds what is handed out as it was to plan.paste and plan.input, which are `factor` times as
/// large as the picture.
void paste_kept(Plan& plan, const Image& picture, int factor = 1);

/// known: of each pixel, see known_pixels(); null: all are known.
ValueCounts count_values(const Image& picture, const Image* known = nullptr);

}  // namespace unmar
