#include "html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "plot.h"

namespace unmar::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Html, EscapesAllThatHasAMeaning) {
  EXPECT_EQ(html_escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
  EXPECT_EQ(html_escaped("prüfung 貓 😀"), "prüfung 貓 😀");
}

TEST(Html, ReplacesBytesThatAreNoText) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(html_escaped(std::string("a\0b\x1b\xff", 5)), "a" + mark + "b" + mark + mark);
  EXPECT_EQ(html_escaped("\xC0\xBC"), mark + mark);             // '<', overlong
  EXPECT_EQ(html_escaped("\xE2\x82"), mark + mark);             // cut short
  EXPECT_EQ(html_escaped("\xED\xA0\x80"), mark + mark + mark);  // a surrogate
}

TEST(Html, Base64IsThatOfRfc4648) {
  for (const auto& [bytes, text] :
       {std::pair{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}})
    EXPECT_EQ(data_uri(bytes, "a/b"), std::string("data:a/b;base64,") + text);
  EXPECT_EQ(data_uri("\xff\xfe", "x"), "data:x;base64,//4=");
}

TEST(Html, TemplatesAreFilledOnce) {
  EXPECT_EQ(filled("a{{x}}b{{y}}{{x}}", {{"x", "{{y}}"}, {"y", "2"}}), "a{{y}}b2{{y}}");
  EXPECT_THROW(filled("{{z}}", {}), std::logic_error);
  EXPECT_EQ(filled("{{open", {}), "{{open");
}

TEST(Shell, QuotesWhatTheShellWouldTakeApart) {
  EXPECT_EQ(shell_quoted("a/b-1.png"), "a/b-1.png");
  EXPECT_EQ(shell_quoted("my cat.png"), "'my cat.png'");
  EXPECT_EQ(shell_quoted("it's $(rm)"), "'it'\\''s $(rm)'");
  EXPECT_EQ(shell_quoted(""), "''");
}

TEST(Plot, TicksAreRoundAndInside) {
  EXPECT_THAT(ticks(0, 500, 4, false), ElementsAre(0, 100, 200, 300, 400, 500));
  EXPECT_THAT(ticks(-1, 1, 4, false), ElementsAre(-1, -0.5, 0, 0.5, 1));
  EXPECT_THAT(ticks(0.015, 0.6, 4, true),
              ElementsAre(testing::DoubleEq(0.02), testing::DoubleEq(0.05), testing::DoubleEq(0.1),
                          testing::DoubleEq(0.2), testing::DoubleEq(0.5)));
  EXPECT_THAT(ticks(2e-5, 2, 4, true).size(), 5u);
  EXPECT_TRUE(ticks(1, 1, 4, false).empty());
}

TEST(Plot, IsEmptyWithoutAFinitePoint) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(to_html({.title = "t", .series = {{"s", {}}, {"n", {{0, nan}}}}}), "");
}

TEST(Plot, DrawsFromCornerToCornerAndMarksTheChosen) {
  const std::string html = to_html({.title = "a<b",
                                    .about = "",
                                    .unit = "dB",
                                    .series = {{"s&t", {{0, 0}, {50, 5}, {100, 10}}}},
                                    .last = 100,
                                    .chosen = 50});
  // A twentieth of room above and below.
  EXPECT_THAT(html, HasSubstr("d=\"M0.0 286.4L500.0 150.0L1000.0 13.6\""));
  EXPECT_THAT(html, HasSubstr("left:50.00%\"><b>chosen: 50</b>"));
  EXPECT_THAT(html, HasSubstr("a&lt;b, dB"));
  EXPECT_THAT(html, HasSubstr("s&amp;t"));
}

TEST(Plot, OfManyPointsKeepsEveryPeak) {
  Series series{"s", {}};
  for (int i = 0; i < 100'000; ++i) series.points.emplace_back(i, i == 77'777 ? 9 : 1);
  const std::string html = to_html({.title = "t", .series = {series}, .last = 99'999});
  EXPECT_LT(html.size(), 30'000u);
  EXPECT_THAT(html, HasSubstr("L777.8 "));
}

TEST(Plot, OfEqualValuesIsALine) {
  const std::string html = to_html({.title = "t", .series = {{"s", {{0, 3}, {1, 3}}}}, .last = 1});
  EXPECT_THAT(html, HasSubstr("M0.0 150.0L1000.0 150.0"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace unmar::cli
