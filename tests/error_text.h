#pragma once

#include <gtest/gtest.h>

#include <string>

#include "unmar/base/error.h"

namespace unmar::test {

/// The text of the Error that `action` throws.
template <class Action>
std::string error_text(Action action, ErrorCode code = ErrorCode::bad_argument) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "(no error)";
}

}  // namespace unmar::test
