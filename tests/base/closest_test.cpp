#include <gtest/gtest.h>

#include "unmar/base/error.h"

namespace unmar {
namespace {

const std::vector<std::string> kNames = {"skip", "unet", "resnet", "hidden_size", "border"};

TEST(Closest, names_the_least_edited_word) {
  EXPECT_EQ(closest("unett", kNames), "'unet'");
  EXPECT_EQ(closest("hiden_size", kNames), "'hidden_size'");
}

TEST(Closest, prefers_a_word_that_was_cut_short) {
  EXPECT_EQ(closest("hidden", kNames), "'hidden_size'");
}

TEST(Closest, names_all_that_are_as_near) {
  EXPECT_EQ(closest("znet", {"unet", "inet"}), "'unet' or 'inet'");
}

}  // namespace
}  // namespace unmar
