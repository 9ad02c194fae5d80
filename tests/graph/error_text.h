#pragma once

#include <gtest/gtest.h>

#include <string>

#include "unmar/error.h"

namespace unmar::test {

/// The text of the Error{bad_argument} that `action` throws.
template <class Action>
std::string error_text(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_argument);
    return error.what();
  }
  return "(no error)";
}

}  // namespace unmar::test
