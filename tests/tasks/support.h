#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "unmar/base/error.h"
#include "unmar/observe/observe.h"
#include "unmar/tasks/tasks.h"

namespace unmar::tasks_test {

/// Smooth colours and one edge: easy to learn, and not constant in any channel.
inline Image test_picture(int height = 24, int width = 32, int channels = 3) {
  Image image(channels, height, width);
  for (int c = 0; c < channels; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const float wave =
            std::sin(0.3f * static_cast<float>(x + c) + 0.2f * static_cast<float>(y));
        image.at(c, y, x) = 0.5f + 0.25f * wave + (x > width / 2 ? 0.15f : -0.15f);
      }
  return image;
}

/// A network that fits in milliseconds, on the engine that is always there.
inline RestoreOptions tiny(int iterations = 12) {
  return {.iterations = iterations,
          .stop = StopRule::none,
          .scales = 2,
          .channels = 8,
          .skip = 2,
          .input_channels = 4,
          .seed = 3,
          .threads = 1,
          .engine = "ref"};
}

/// The text of the Error that `call` throws; empty if it throws none.
template <class Call>
std::string error_of(const Call& call, ErrorCode code = ErrorCode::bad_argument) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    return error.what();
  }
  return {};
}

}  // namespace unmar::tasks_test
