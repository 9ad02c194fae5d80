#include "unmar/tensor/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "error_text.h"

namespace unmar {
namespace {

template <class Action>
std::string refusal(Action action) {
  return test::error_text(action, ErrorCode::bad_input);
}

struct Inner {
  int a = 0;
  std::vector<double> b;
  void serialize(Archive& archive) { archive(a, b); }
  bool operator==(const Inner&) const = default;
};

struct Everything {
  bool on = false;
  int whole = 0;
  std::int64_t large = 0;
  std::uint64_t larger = 0;
  float real = 0;
  double fine = 0;
  std::string text;
  std::vector<float> list;
  std::vector<Inner> inners;
  std::optional<double> here, missing = 4.0;
  Tensor tensor, empty;

  void serialize(Archive& archive) {
    archive(on, whole, large, larger, real, fine, text, list, inners, here, missing, tensor, empty);
  }
};

Everything sample() {
  Everything e;
  e.on = true;
  e.whole = -7;
  e.large = std::numeric_limits<std::int64_t>::min();
  e.larger = std::numeric_limits<std::uint64_t>::max();
  e.real = 0.1f;
  e.fine = -0.0;
  e.text = std::string("a\0b", 3);
  e.list = {std::numeric_limits<float>::denorm_min(), 3.f};
  e.inners = {{1, {2.5}}, {3, {}}};
  e.here = 1e-300;
  e.missing = std::nullopt;
  e.tensor = Tensor({1, 2, 1, 3}, 0.25f);
  return e;
}

std::string saved(Everything e) {
  Archive archive;
  archive(e);
  return archive.take();
}

Everything read(std::string_view bytes) {
  Archive archive(bytes, "the test's row");
  Everything e;
  archive(e);
  archive.expect_end();
  return e;
}

TEST(Archive, GivesBackToTheBitWhatItWasGiven) {
  const Everything e = read(saved(sample()));
  EXPECT_TRUE(e.on);
  EXPECT_EQ(e.whole, -7);
  EXPECT_EQ(e.large, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(e.larger, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(e.real, 0.1f);
  EXPECT_TRUE(std::signbit(e.fine));
  EXPECT_EQ(e.text, sample().text);
  EXPECT_EQ(e.list, sample().list);
  EXPECT_EQ(e.inners, sample().inners);
  EXPECT_EQ(e.here, 1e-300);
  EXPECT_EQ(e.missing, std::nullopt);
  ASSERT_EQ(e.tensor.shape(), (Shape{1, 2, 1, 3}));
  EXPECT_THAT(e.tensor.values(), testing::Each(0.25f));
  EXPECT_TRUE(e.empty.empty());
}

TEST(Archive, CutAnywhereIsAnErrorThatNamesIt) {
  const std::string bytes = saved(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THAT(refusal([&] { read(std::string_view(bytes).substr(0, size)); }),
                testing::StartsWith("the test's row is damaged: "))
        << size;
  EXPECT_THAT(refusal([&] { read(bytes + "x"); }), testing::HasSubstr("more than is due"));
}

// It may be read as another sample; it must neither crash nor ask for memory that is not there.
TEST(Archive, AnyChangedByteIsReadOrRefused) {
  const std::string bytes = saved(sample());
  int refused = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (const int bit : {0x01, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ bit);
      refused += refusal([&] { read(changed); }) == "(no error)" ? 0 : 1;
    }
  EXPECT_GT(refused, static_cast<int>(bytes.size()));
}

TEST(Archive, AnotherTypeThanIsDueIsRefused) {
  Archive out;
  float real = 1.f;
  out(real);
  const std::string bytes = out.take();
  Archive in(bytes, "it");
  int whole = 0;
  EXPECT_THAT(refusal([&] { in(whole); }), testing::HasSubstr("another kind of value"));
}

}  // namespace
}  // namespace unmar
