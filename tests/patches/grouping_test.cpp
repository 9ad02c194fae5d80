#include "patches/grouping.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "patches/reference.h"
#include "patches/support.h"

namespace unmar::test {
namespace grouping_test {

using patches::GroupOptions;
using patches::Groups;

/// Values are multiples of 1 / levels with levels at most 256, so that a float holds each squared
/// distance of patches of up to 16 px exactly: there is no tolerance, and there are ties.
Tensor stepped(int height, int width, int levels) {
  Tensor t = uniform({1, 1, height, width}, "stepped");
  for (float& v : t.values())
    v = std::floor(v * static_cast<float>(levels)) / static_cast<float>(levels);
  return t;
}

std::vector<std::vector<Place>> all_members(const Groups& groups, int width) {
  std::vector<std::vector<Place>> all;
  std::vector<std::ptrdiff_t> offsets(static_cast<std::size_t>(groups.count()));
  for (int row = 0; row < groups.rows(); ++row)
    for (int column = 0; column < groups.columns(); ++column) {
      groups.members(row, column, offsets.data());
      auto& members = all.emplace_back();
      for (const auto at : offsets)
        members.push_back({static_cast<int>(at / width), static_cast<int>(at % width)});
    }
  return all;
}

void expect_brute_force(const Tensor& plane, const GroupOptions& options, int threads = 1) {
  const Shape& s = plane.shape();
  SCOPED_TRACE(fmt::format("{}x{}, patches of {}, groups of {}, radius {}, step {}", s.h, s.w,
                           options.size, options.group, options.radius, options.step));
  Groups groups(s.h, s.w, options);
  ThreadPool pool(threads);
  groups.find(plane.data(), pool);
  const Grouping expected =
      group(Picture(plane), options.size, options.group, options.radius, options.step);
  EXPECT_EQ(groups.size(), expected.size);
  const auto found = all_members(groups, s.w);
  ASSERT_EQ(found.size(), expected.groups.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_EQ(found[i], expected.groups[i]) << "group " << i;
}

TEST(Grouping, finds_what_brute_force_finds_on_every_instruction_set) {
  on_every_instruction_set([] {
    for (const GroupOptions& options :
         {GroupOptions{6, 64, 18, 3}, GroupOptions{7, 18, 5, 4}, GroupOptions{1, 9, 2, 1},
          GroupOptions{3, 16, 4, 2}, GroupOptions{16, 20, 30, 16}, GroupOptions{5, 1, 3, 5},
          GroupOptions{2, 256, 100, 2}}) {
      expect_brute_force(stepped(23, 31, 256), options);
      expect_brute_force(stepped(17, 16, 256), options);
    }
  });
}

TEST(Grouping, of_a_row_of_many_groups_is_that_of_each_alone) {
  on_every_instruction_set([] {
    expect_brute_force(stepped(9, 150, 256), {5, 12, 7, 1});  // 146 groups side by side
    expect_brute_force(stepped(150, 9, 256), {5, 12, 7, 1});
  });
}

TEST(Grouping, takes_of_equally_similar_patches_the_first_in_reading_order) {
  expect_brute_force(stepped(20, 24, 2), {2, 16, 4, 1});
  expect_brute_force(Tensor({1, 1, 14, 15}, 0.5f), {4, 7, 3, 2});
  // Seen once by hand: a flat picture, the window clipped at the left.
  const Tensor flat({1, 1, 8, 8}, 0.25f);
  Groups groups(8, 8, {2, 4, 1, 1});
  ThreadPool pool(1);
  groups.find(flat.data(), pool);
  const auto found = all_members(groups, 8);
  EXPECT_EQ(found[3 * 7 + 0], (std::vector<Place>{{2, 0}, {2, 1}, {3, 0}, {3, 1}}));
  EXPECT_EQ(found[3 * 7 + 3], (std::vector<Place>{{2, 2}, {2, 3}, {2, 4}, {3, 3}}));
}

TEST(Grouping, has_the_patch_in_the_middle_as_a_member_even_if_it_comes_last) {
  // All are equal, and the window's first are enough.
  Groups groups(30, 30, {3, 5, 6, 3});
  ThreadPool pool(1);
  groups.find(Tensor({1, 1, 30, 30}, 1.f).data(), pool);
  const auto found = all_members(groups, 30);
  for (int row = 0; row < groups.rows(); ++row)
    for (int column = 0; column < groups.columns(); ++column) {
      const auto& members = found[static_cast<std::size_t>(row * groups.columns() + column)];
      EXPECT_EQ(std::ranges::count(members, Place{groups.y(row), groups.x(column)}), 1);
    }
}

TEST(Grouping, of_pictures_smaller_than_a_patch_has_smaller_patches) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 40}, {40, 1}, {5, 3}, {3, 5}, {6, 20}})
    for (const int step : {1, 3, 4})
      expect_brute_force(stepped(height, width, 256), {7, 18, 20, step});
}

TEST(Grouping, is_the_same_with_any_number_of_threads) {
  for (const int threads : {1, 2, 3})
    expect_brute_force(stepped(40, 90, 16), {4, 24, 6, 1}, threads);
}

TEST(Grouping, begins_and_ends_at_the_borders) {
  const Groups groups(20, 24, {6, 16, 8, 4});
  EXPECT_EQ(groups.rows(), 5);  // 0 4 8 12 14
  EXPECT_EQ(groups.columns(), 6);
  EXPECT_EQ(groups.y(0), 0);
  EXPECT_EQ(groups.y(4), 20 - 6);
  EXPECT_EQ(groups.x(5), 24 - 6);
}

TEST(Grouping, says_that_it_was_cancelled) {
  const Tensor plane = stepped(40, 40, 256);
  ThreadPool pool(2);
  std::stop_source stop;
  Groups groups(40, 40, {});
  EXPECT_TRUE(groups.find(plane.data(), pool, stop.get_token()));
  const auto found = all_members(groups, 40);
  stop.request_stop();
  Groups none(40, 40, {});
  EXPECT_FALSE(none.find(plane.data(), pool, stop.get_token()));
  EXPECT_NE(all_members(none, 40), found) << "it worked on";
}

}  // namespace grouping_test
}  // namespace unmar::test
