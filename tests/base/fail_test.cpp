#include "base/fail.h"

#include <gtest/gtest.h>

#include <variant>

#include "base/overloaded.h"

namespace unmar {
namespace {

TEST(Fail, throws_an_error_with_its_code_and_the_formatted_text) {
  try {
    fail(ErrorCode::too_large, "read: {} px, above {}", 5, 4);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::too_large);
    EXPECT_STREQ(error.what(), "read: 5 px, above 4");
  }
}

TEST(Overloaded, picks_the_lambda_of_the_alternative_held) {
  const auto pick = [](const std::variant<int, char>& v) {
    return std::visit(Overloaded{[](int) { return "int"; }, [](char) { return "char"; }}, v);
  };
  EXPECT_STREQ(pick(1), "int");
  EXPECT_STREQ(pick('a'), "char");
}

}  // namespace
}  // namespace unmar
