#include "unmar/base/option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"

namespace unmar {
namespace option_test {

using test::error_text;
using testing::HasSubstr;

enum class Shape { round, square };

struct Cake {
  int layers = 2;
  std::optional<double> sugar = {};
  bool candles = false;
  Shape shape = Shape::round;
  std::vector<int> guests = {};
  std::string name = "plain";
};

std::vector<Option<Cake>> table() {
  std::vector<Option<Cake>> rows;
  add_group(
      rows, "Cake",
      {integer("layers", &Cake::layers, 1, 9, "how many; at least one"),
       number("sugar", &Cake::sugar, 0, 1, "fraction"), flag("candles", &Cake::candles, "lit"),
       choice("shape", &Cake::shape, {{"round", Shape::round}, {"square", Shape::square}},
              "seen from above"),
       list("guests", &Cake::guests, "none", "ages"), text("name", &Cake::name, "its name")});
  return rows;
}

void set(Cake& cake, std::string_view name, std::string_view value) {
  const auto rows = table();
  const Option<Cake>& row = find_option(rows, name, "bake");
  row.put(cake, parse_value(row, value, "bake"));
}

std::string get(const Cake& cake, std::string_view name) {
  const auto rows = table();
  const auto value = find_option(rows, name, "bake").get(cake);
  return value ? to_text(*value) : "unset";
}

TEST(OptionTable, EachKindGoesInAndComesOut) {
  Cake cake;
  for (const auto& [name, value] : {std::pair{"layers", "3"},
                                    {"sugar", "0.5"},
                                    {"candles", "true"},
                                    {"shape", "square"},
                                    {"guests", "7,33"},
                                    {"name", "rich"}}) {
    set(cake, name, value);
    EXPECT_EQ(get(cake, name), value);
  }
  EXPECT_EQ(cake.layers, 3);
  EXPECT_EQ(cake.shape, Shape::square);
  EXPECT_THAT(cake.guests, testing::ElementsAre(7, 33));
  set(cake, "guests", "none");
  EXPECT_EQ(get(cake, "guests"), "none");
}

TEST(OptionTable, WhatIsNotSetHasNoValue) {
  EXPECT_EQ(get(Cake{}, "sugar"), "unset");
  EXPECT_EQ(get(Cake{}, "guests"), "unset");
  EXPECT_EQ(get(Cake{}, "layers"), "2");
  const Option<Cake> layers =
      unset_at(std::int64_t{2}, integer("layers", &Cake::layers, 1, 9, "how many"));
  EXPECT_FALSE(layers.get(Cake{}).has_value());
  EXPECT_TRUE(layers.get(Cake{.layers = 3}).has_value());
}

TEST(OptionTable, RefusalsSayTheOptionItsValuesAndWhatWasGiven) {
  Cake cake;
  EXPECT_EQ(error_text([&] { set(cake, "layers", "10"); }),
            "bake: `layers` must be a whole number from 1 to 9, got 10 (how many)");
  EXPECT_THAT(error_text([&] { set(cake, "layers", "2.5"); }), HasSubstr("got '2.5'"));
  EXPECT_THAT(error_text([&] { set(cake, "sugar", "nan"); }),
              HasSubstr("between 0 and 1, got nan"));
  EXPECT_THAT(error_text([&] { set(cake, "candles", "yes"); }), HasSubstr("true or false"));
  EXPECT_THAT(error_text([&] { set(cake, "shape", "oval"); }), HasSubstr("round or square"));
  EXPECT_THAT(error_text([&] { set(cake, "name", ""); }), HasSubstr("an empty text"));
  for (const char* ages : {"7,", ",7", "0", "-3", "7;8", "7,x"})
    EXPECT_THAT(error_text([&] { set(cake, "guests", ages); }), HasSubstr("commas between"))
        << ages;
  EXPECT_THAT(error_text([&] { set(cake, "cream", "1"); }), HasSubstr("no option 'cream'"));
  EXPECT_EQ(cake.layers, 2);
}

TEST(OptionTable, AWholeNumberServesARealOne) {
  const auto rows = table();
  const Option<Cake>& sugar = find_option(rows, "sugar", "bake");
  EXPECT_EQ(std::get<double>(checked_value(sugar, std::int64_t{1}, "bake")), 1.0);
  EXPECT_THAT(error_text([&] { checked_value(sugar, true, "bake"); }), HasSubstr("got true"));
}

}  // namespace option_test
}  // namespace unmar
