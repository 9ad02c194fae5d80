#include <signal.h>

#include <nlohmann/json.hpp>

#include "cli/support.h"
#include "unmar/image/pages.h"

namespace unmar::cli_test {
namespace pages_test {

using testing::HasSubstr;

constexpr int kFailure = 1;
constexpr int kUsage = 2;

class PagesCommand : public CliTest {
 protected:
  /// 16-bit gray pages, each with its own values.
  void put_stack(const std::string& name, int count) const {
    std::vector<Image> pages;
    for (int i = 0; i < count; ++i) {
      Image page = test_picture(16, 20, 1);
      for (float& value : page.pixels()) value = 0.1f * static_cast<float>(i) + 0.5f * value;
      page.source.format = SampleFormat::u16;
      page.source.range = {0, 65535};
      pages.push_back(std::move(page));
    }
    put("like.tif", pages.front());
    write_pages(in(name), pages, in("like.tif"));
    std::filesystem::remove(in("like.tif"));
  }
  Image page(const std::string& name, int number) const {
    return read_image(in(name), {.page = number, .range = RangeMode::full});
  }
  bool same(const std::string& a, int page_a, const std::string& b, int page_b) const {
    const Image x = page(a, page_a), y = page(b, page_b);
    return x.same_size(y) && std::ranges::equal(x.pixels(), y.pixels());
  }
  Words denoise(const std::string& from, const std::string& to, const Words& more = {}) const {
    return Words{"denoise", from, "-o", to, "--method", "dip"} + kTiny + more;
  }
};

TEST_F(PagesCommand, AreListedByInfo) {
  put_stack("s.tif", 5);
  EXPECT_THAT(run({"info", "s.tif"}).out,
              HasSubstr("s.tif: 5 pages\n  pages 1..5: 20x16 px, gray, 16 bit, tiff\n"));
}

TEST_F(PagesCommand, WithoutAChoiceAStackIsRefused) {
  put_stack("s.tif", 3);
  put("mask.png", Image(1, 16, 20, 1.f));
  for (const Words& command : {denoise("s.tif", "o.tif"), Words{"compare", "s.tif", "s.tif"},
                               Words{"degrade", "s.tif", "-o", "o.tif", "--noise", "9"}})
    expect_refusal(command, kUsage, {"s.tif' holds 3 pages", "--page N", "all"});
  for (const auto& [choice, part] : {std::pair{"4", "pages 1 to 3"},
                                     {"2..4", "pages 1 to 3"},
                                     {"3..2", "--page 3..2"},
                                     {"0", "got '0'"},
                                     {"one", "got 'one'"},
                                     {"1..", "got '1..'"}})
    expect_refusal(denoise("s.tif", "o.tif", {"--page", choice}), kUsage, {part});
  expect_refusal(denoise("s.tif", "o.png", {"--page", "all"}), kUsage, {"o.png", "use .tif"});
  expect_refusal(denoise("s.tif", "o.tif", {"--page", "all", "--report", "r.html"}), kUsage,
                 {"--report"});
  expect_refusal(denoise("s.tif", "o.tif", {"--page", "all", "--run", "r"}), kUsage, {"--run"});
}

TEST_F(PagesCommand, AllAreRestoredAsEachAlone) {
  put_stack("s.tif", 3);
  const Outcome all = run(denoise("s.tif", "o.tif", {"--page", "all"}));
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.err, HasSubstr("denoise page 3/3"));
  EXPECT_THAT(all.err, HasSubstr("% of all"));
  EXPECT_THAT(all.err, HasSubstr("wrote o.tif (3 pages, 3 restored)"));
  ASSERT_EQ(count_pages(in("o.tif")), 3);
  for (int p = 1; p <= 3; ++p) {
    const Outcome one = run(denoise("s.tif", "one.tif", {"--page", std::to_string(p)}));
    ASSERT_EQ(one.code, 0) << one.err;
    EXPECT_TRUE(same("o.tif", p, "one.tif", 1)) << p;
    EXPECT_FALSE(same("o.tif", p, "s.tif", p)) << p;
  }
  ASSERT_EQ(run(denoise("s.tif", "some.tif", {"--page", "2..3", "--quiet"})).code, 0);
  ASSERT_EQ(count_pages(in("some.tif")), 2);
  EXPECT_TRUE(same("some.tif", 1, "o.tif", 2));
  EXPECT_TRUE(same("some.tif", 2, "o.tif", 3));
}

TEST_F(PagesCommand, TheMaskMayHaveOnePageOrAsMany) {
  put_stack("s.tif", 2);
  Image left(1, 16, 20, 1.f), right = left;
  left.at(0, 8, 3) = right.at(0, 8, 16) = 0.f;
  put("one.png", left);
  write_pages(in("two.tif"), {left, right}, in("one.png"));
  const Words inpaint = Words{"inpaint", "s.tif", "--page", "all", "--quiet"} + kTiny;
  ASSERT_EQ(run(inpaint + Words{"--mask", "one.png", "-o", "a.tif"}).code, 0);
  ASSERT_EQ(run(inpaint + Words{"--mask", "two.tif", "-o", "b.tif"}).code, 0);
  const auto filled = [&](const std::string& name, int number, int x) {
    return page(name, number).at(0, 8, x) != page("s.tif", number).at(0, 8, x);
  };
  EXPECT_TRUE(filled("a.tif", 1, 3) && filled("a.tif", 2, 3));
  EXPECT_TRUE(filled("b.tif", 1, 3) && filled("b.tif", 2, 16));
  EXPECT_FALSE(filled("a.tif", 2, 16) || filled("b.tif", 2, 3));
}

TEST_F(PagesCommand, OfAMaskWithMoreThanThePictureNoneIsTakenInSilence) {
  put("in.png", test_picture(16, 20, 1));
  Image left(1, 16, 20, 1.f), right = left;
  left.at(0, 8, 3) = right.at(0, 8, 16) = 0.f;
  write_pages(in("two.tif"), {left, right}, in("in.png"));
  expect_refusal(Words{"inpaint", "in.png", "--mask", "two.tif", "-o", "o.png"} + kTiny, 2,
                 {"'two.tif' holds 2 pages", "one page for all, or as many"});
  expect_refusal({"degrade", "in.png", "--mask", "two.tif", "-o", "o.png"}, 2,
                 {"'two.tif' holds 2 pages", "--page"});
}

TEST_F(PagesCommand, AfterCtrlCTheOthersStayAsTheyCame) {
  put_stack("s.tif", 3);
  Process process(
      folder(),
      denoise("s.tif", "o.tif", {"--page", "all", "--method", "dip", "--iterations", "1000000"}));
  ASSERT_TRUE(process.wait_for("denoise page 1/3"));
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("page 2, 3 are as they came"));
  ASSERT_EQ(count_pages(in("o.tif")), 3);
  EXPECT_FALSE(same("o.tif", 1, "s.tif", 1));
  EXPECT_TRUE(same("o.tif", 2, "s.tif", 2));
  EXPECT_TRUE(same("o.tif", 3, "s.tif", 3));
}

TEST_F(PagesCommand, OneThatFailsStaysAsItIsAndIsSaid) {
  Image good = test_picture(16, 20, 1);
  put("like.png", good);
  write_pages(in("s.tif"), {good, test_picture(8, 8, 1), good}, in("like.png"));
  Image mask(1, 16, 20, 1.f);
  mask.at(0, 8, 3) = 0.f;
  put("mask.png", mask);
  const Outcome outcome =
      run(Words{"inpaint", "s.tif", "--page", "all", "--mask", "mask.png", "-o", "o.tif"} + kTiny);
  EXPECT_EQ(outcome.code, kFailure);
  EXPECT_THAT(outcome.err, HasSubstr("warning: page 2 stays as it is: "));
  ASSERT_EQ(count_pages(in("o.tif")), 3);
  EXPECT_TRUE(same("o.tif", 2, "s.tif", 2));
  EXPECT_FALSE(same("o.tif", 3, "s.tif", 3));
}

TEST_F(PagesCommand, OfARunThePageIsRememberedByPickAndResume) {
  put_stack("s.tif", 3);
  ASSERT_EQ(run(denoise("s.tif", "o.tif", {"--page", "2", "--run", "r"})).code, 0);
  ASSERT_EQ(run({"pick", "r", "--iteration", "5", "-o", "p.tif"}).code, 0);
  EXPECT_EQ(contents(in("p.tif")), contents(in("o.tif")));
}

TEST_F(PagesCommand, UpscaledPagesAreAllLarger) {
  put_stack("s.tif", 2);
  ASSERT_EQ(
      run(Words{"upscale", "s.tif", "--factor", "2", "--page", "all", "-o", "o.tif", "--quiet"} +
          kTiny)
          .code,
      0);
  for (const PageInfo& info : list_pages(in("o.tif"))) EXPECT_EQ(info.image.width, 40);
}

}  // namespace pages_test
}  // namespace unmar::cli_test
