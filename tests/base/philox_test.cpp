#include "base/philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace unmar {
namespace {

using ::testing::ElementsAre;

// The known answers of philox4x32-10 published with Random123.
TEST(Philox, gives_the_known_answers_of_random123) {
  constexpr std::uint32_t ones = 0xFFFFFFFFu;
  EXPECT_THAT(philox({0, 0, 0, 0}, 0),
              ElementsAre(0x6627E8D5u, 0xE169C58Du, 0xBC57AC4Cu, 0x9B00DBD8u));
  EXPECT_THAT(philox({ones, ones, ones, ones}, ~std::uint64_t{0}),
              ElementsAre(0x408F276Du, 0x41C83B0Eu, 0xA20BC7C6u, 0x6D5451FDu));
  // Digits of pi in every word of counter and key: none is taken for another.
  EXPECT_THAT(philox({0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u}, 0x299F31D0A4093822u),
              ElementsAre(0xD16CFE09u, 0x94FDCCEBu, 0x5001E420u, 0x24126EA1u));
}

TEST(ToUnit, stays_below_1_and_keeps_24_bits) {
  EXPECT_EQ(to_unit(0), 0.f);
  EXPECT_EQ(to_unit(0x80000000u), 0.5f);
  EXPECT_EQ(to_unit(0xFFu), 0.f);
  EXPECT_EQ(to_unit(0xFFFFFFFFu), 1.f - 0x1p-24f);
}

// Worked out apart from this code, in double.
TEST(BoxMuller, turns_pairs_of_words_into_normals) {
  const auto v = box_muller({0x35B010D4u, 0xB1D92B3Du, 0xEF95240Du, 0xE00EC6CCu});
  EXPECT_FLOAT_EQ(v[0], -0.2335428f);
  EXPECT_FLOAT_EQ(v[1], -0.645126343f);
  EXPECT_FLOAT_EQ(v[2], 1.65970349f);
  EXPECT_FLOAT_EQ(v[3], -1.65500855f);
}

TEST(BoxMuller, is_finite_for_the_smallest_and_largest_words) {
  for (const std::uint32_t word : {0u, 0xFFFFFFFFu})
    for (const float v : box_muller({word, word, word, word})) {
      EXPECT_TRUE(std::isfinite(v)) << word;
      EXPECT_LT(std::abs(v), 6.f) << word;  // sqrt(-2 ln 2^-24) = 5.77
    }
}

TEST(StreamKey, pins_the_streams_of_all_later_versions) {
  EXPECT_EQ(stream_key(7, std::string_view("jitter")), 0x992765755FC70400u);
}

TEST(StreamKey, depends_on_seed_and_each_letter) {
  const std::uint64_t key = stream_key(7, std::string_view("a.weight"));
  EXPECT_NE(key, stream_key(8, std::string_view("a.weight")));
  EXPECT_NE(key, stream_key(7, std::string_view("b.weight")));
  EXPECT_NE(key, stream_key(7, std::string_view("a.weigh")));
  EXPECT_NE(stream_key(7, std::string_view("ab")), stream_key(7, std::string_view("ba")));
}

}  // namespace
}  // namespace unmar
