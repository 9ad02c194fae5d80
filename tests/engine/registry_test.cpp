#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmar/engine.h"
#include "unmar/error.h"

namespace unmar {
namespace {

TEST(Registry, has_the_reference_engine_last) {
  ASSERT_FALSE(engine_names().empty());
  EXPECT_EQ(engine_names().back(), "ref");
}

TEST(Registry, makes_each_engine_by_the_name_it_tells) {
  for (const std::string& name : engine_names()) {
    const EngineInfo info = make_engine(name)->info();
    EXPECT_EQ(info.name, name);
    EXPECT_FALSE(info.description.empty()) << name;
  }
}

TEST(Registry, auto_is_the_best_one) {
  EXPECT_EQ(make_engine("auto")->info().name, engine_names().front());
  EXPECT_EQ(make_engine()->info().name, engine_names().front());
}

TEST(Registry, an_unknown_name_is_told_the_known_ones) {
  try {
    make_engine("cuda");
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_argument);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'cuda'"));
    for (const std::string& name : engine_names())
      EXPECT_THAT(error.what(), ::testing::HasSubstr(name));
  }
}

}  // namespace
}  // namespace unmar
