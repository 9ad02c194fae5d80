#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace report_test {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kMostBytes = 5'000'000;

class ReportPage : public CliTest {
 protected:
  std::string page(const Words& arguments) const {
    const Outcome outcome = run(arguments + Words{"--report", "r.html"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return contents(in("r.html"));
  }
  Words denoise(const std::string& name, const Words& more = {}) const {
    return Words{"denoise", name, "-o", "out.png", "--quiet"} + kTiny + more;
  }
  /// What the page draws.
  static Json report(const std::string& page) {
    const std::string opening = "id=\"data\">";
    const std::size_t begin = page.find(opening) + opening.size();
    const Json json =
        Json::parse(page.substr(begin, page.find("</script>", begin) - begin), nullptr, false);
    EXPECT_TRUE(json.is_object());
    return json;
  }
  static std::size_t count(const std::string& page, const std::string& text) {
    std::size_t n = 0;
    for (std::size_t at = page.find(text); at != page.npos; at = page.find(text, at + 1)) ++n;
    return n;
  }
};

TEST_F(ReportPage, HasEveryPartAndNeedsNoNetwork) {
  put("in.png", test_picture(24, 32));
  put("clean.png", test_picture(24, 32));
  const std::string html = page(denoise(
      "in.png", {"--reference", "clean.png", "--stop", "emv", "--min-start", "0", "--seed", "5"}));
  EXPECT_THAT(html, testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(html, Not(HasSubstr("{{")));
  // The name space of SVG is a name, not an address.
  EXPECT_EQ(count(html, "://"), count(html, "http://www.w3.org/2000/svg"));
  for (const char* forbidden : {"url(", "@import", "<link", "src=\"/"})
    EXPECT_THAT(html, Not(HasSubstr(forbidden)));
  EXPECT_THAT(html, HasSubstr("default-src 'none'; img-src data:"));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  const Json json = report(html);
  EXPECT_EQ(json["input"], "in.png");
  EXPECT_EQ(json["task"], "denoise");
  EXPECT_TRUE(json["pictures"]["reference"].is_string());
  EXPECT_EQ(json["manifest"]["options"]["seed"], 5);
  for (const char* column : {"loss", "signal", "psnr", "psnr_average"})
    EXPECT_EQ(json["history"][column].size(), 6u) << column;
}

TEST_F(ReportPage, ShowsFramesFromTheFirstIterationToTheLast) {
  put("in.png", test_picture(24, 32));
  const Json json = report(page(denoise("in.png", {"--iterations", "300", "--stop", "none"})));
  const Json& list = json["frames"];
  EXPECT_EQ(list.front()["iteration"], 0);
  EXPECT_EQ(list.back()["iteration"], 299);
  EXPECT_GT(list.size(), 20u);
  EXPECT_LT(list.size(), 34u);
  EXPECT_EQ(json["manifest"]["result"]["best_iteration"], 299);
  EXPECT_TRUE(list.front()["update"].is_null());
  for (std::size_t i = 0; i < list.size(); ++i)
    for (const char* panel : {"output", "misfit", "update", "result"}) {
      if (i == 0 && std::string(panel) == "update") continue;
      ASSERT_TRUE(list[i][panel].is_string()) << panel << " of " << i;
      EXPECT_THAT(list[i][panel].get<std::string>(),
                  testing::StartsWith("data:image/webp;base64,"));
    }
}

TEST_F(ReportPage, TheCommandItShowsRepeatsTheRun) {
  const std::string name = "it's <b>my & \"cat\"</b>.png";
  put("a.png", test_picture(16, 16));
  std::filesystem::create_directories(in(name).parent_path());
  put(name, test_picture(16, 16));
  const std::string html = page(denoise(name, {"--reg-noise-std", "0.0123456789", "--no-average"}));
  EXPECT_THAT(html, Not(HasSubstr("<b>my")));
  const std::string command = report(html)["command"];
  ASSERT_THAT(command, testing::StartsWith("unmar "));
  const std::string first = contents(in("out.png"));
  std::filesystem::remove(in("out.png"));
  const std::string shell = "cd '" + folder().string() + "' && '" + UNMAR_BINARY + "' " +
                            command.substr(6) + " >/dev/null 2>&1";
  ASSERT_EQ(std::system(shell.c_str()), 0) << command;
  EXPECT_EQ(contents(in("out.png")), first);
}

TEST_F(ReportPage, OfALargeNoisyPictureStaysBelow5Megabytes) {
  Image noise(3, 600, 700);
  std::uint32_t state = 1;
  for (float& v : noise.pixels()) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / 16777216.f;
  }
  put("in.png", noise);
  put("clean.png", noise);
  // The filter takes minutes over such a picture, and its own are small.
  const Words tiny = {"--scales",         "1",  "--channels",   "1",  "--skip",      "0",
                      "--input-channels", "1",  "--iterations", "24", "--reference", "clean.png",
                      "--method",         "dip"};
  const std::string html = page(Words{"denoise", "in.png", "-o", "out.png", "--quiet"} + tiny);
  EXPECT_LT(html.size(), kMostBytes);
  EXPECT_EQ(report(html)["frames"].size(), 18u);
}

TEST_F(ReportPage, OfTheOtherTasksHasWhatItsSentencesNeed) {
  put("in.png", test_picture(16, 16, 1));
  Image mask(1, 16, 16, 1.f);
  mask.at(0, 3, 4) = 0.f;
  put("mask.png", mask);
  const Json holes = report(
      page(Words{"inpaint", "in.png", "--mask", "mask.png", "-o", "o.png", "--quiet"} + kTiny));
  EXPECT_EQ(holes["task"], "inpaint");
  EXPECT_THAT(holes["command"].get<std::string>(), HasSubstr("--mask mask.png"));
  const Json large = report(page(Words{"upscale", "in.png", "--factor", "2", "-o", "o.png",
                                       "--quiet", "--no-average", "--input", "meshgrid"} +
                                 kTiny));
  EXPECT_EQ(large["task"], "upscale");
  EXPECT_EQ(large["width"], 32);
  EXPECT_EQ(large["manifest"]["options"]["input"], "meshgrid");
  EXPECT_TRUE(large["frames"][0]["result"].is_null());
}

TEST_F(ReportPage, MisuseIsAnError) {
  put("in.png", test_picture(16, 16));
  expect_refusal(denoise("in.png", {"--report", "nowhere/r.html"}), 1, {"--report", "nowhere"});
  expect_refusal(denoise("in.png", {"--report", "."}), 1, {"--report", "folder"});
}

/// Whether it is there and can show anything.
bool has_chromium() { return std::system("chromium --version >/dev/null 2>&1") == 0; }

TEST_F(ReportPage, ABrowserShowsItOnScreenAndPhone) {
  if (!has_chromium()) GTEST_SKIP() << "chromium is not installed";
  put("in.png", test_picture(48, 64));
  put("clean.png", test_picture(48, 64));
  page(denoise("in.png", {"--iterations", "60", "--stop", "none", "--reference", "clean.png"}));
  for (const int width : {1200, 400}) {
    const std::string shot = in("shot.png").string(), dom = in("dom.html").string();
    const std::string flags =
        "timeout 120 chromium --headless --no-sandbox --disable-gpu "
        "--disable-background-networking --hide-scrollbars --user-data-dir='" +
        in("profile" + std::to_string(width)).string() +
        "' --window-size=" + std::to_string(width) + ",2400 ";
    const std::string page = " 'file://" + in("r.html").string() + "'";
    const auto call = [&](const std::string& rest) { return std::system((flags + rest).c_str()); };
    ASSERT_EQ(call("--screenshot='" + shot + "'" + page + " >/dev/null 2>&1"), 0);
    const Image picture = get("shot.png");
    EXPECT_EQ(picture.width(), width);
    // Not an empty page: text, pictures and curves make many different rows.
    std::set<std::vector<float>> rows;
    for (int y = 0; y < picture.height(); y += 3) {
      const auto row =
          picture.plane(0).subspan(static_cast<std::size_t>(y) * static_cast<std::size_t>(width),
                                   static_cast<std::size_t>(width));
      rows.emplace(row.begin(), row.end());
    }
    EXPECT_GT(rows.size(), 200u);
    // The script ran: it shows the chosen iteration and has set the sliders.
    ASSERT_EQ(call("--dump-dom" + page + " 2>/dev/null >'" + dom + "'"), 0);
    const std::string after = contents(dom);
    EXPECT_THAT(after, HasSubstr("<b>59</b>"));
    EXPECT_THAT(after, HasSubstr("aria-valuetext=\"iteration 59\""));
    EXPECT_THAT(after, HasSubstr("--at: 50%"));
    for (const char* part :
         {"<h3>Loss</h3>", "<h3>PSNR, dB</h3>", "chosen: 59", "data-left=\"before\"",
          "data-left=\"reference\"", "<dt>Chosen iteration</dt>",
          "f(z) differs from the given picture", "reg-noise-std"})
      EXPECT_THAT(after, HasSubstr(part));
  }
}

class Snapshots : public ReportPage {};

TEST_F(Snapshots, AFilmStripHoldsEverySnapshotAndTheResult) {
  put("in.png", test_picture(24, 32));
  ASSERT_EQ(run(denoise("in.png", {"--snapshots", "strip.png", "--every", "2"})).code, 0);
  const Image strip = get("strip.png");
  EXPECT_GT(strip.width(), 4 * 224 * 32 / 24);  // after 2, 4, 6, and the result
  EXPECT_LT(strip.width(), 5 * 224 * 32 / 24);
  EXPECT_EQ(files().count("strip.png"), 1u);
}

TEST_F(Snapshots, AnAnimationIsOneFile) {
  put("in.png", test_picture(24, 32));
  for (const std::string name : {"a.gif", "a.webp"}) {
    ASSERT_EQ(run(denoise("in.png", {"--snapshots", name, "--every", "1"})).code, 0);
    EXPECT_THAT(contents(in(name)), HasSubstr(name == "a.gif" ? "NETSCAPE2.0" : "ANIM"));
  }
}

TEST_F(Snapshots, AFilmOfManyIterationsIsThinned) {
  put("in.png", test_picture(8, 8));
  ASSERT_EQ(
      run(denoise("in.png", {"--snapshots", "a.gif", "--every", "1", "--iterations", "450"})).code,
      0);
  EXPECT_LE(count(contents(in("a.gif")), std::string("\x21\xF9\x04", 3)), 101u);
  EXPECT_GE(count(contents(in("a.gif")), std::string("\x21\xF9\x04", 3)), 50u);
}

TEST_F(Snapshots, AnExistingFolderIsAFolderWhateverItsName) {
  put("in.png", test_picture(16, 16));
  std::filesystem::create_directory(in("a.gif"));
  ASSERT_EQ(run(denoise("in.png", {"--snapshots", "a.gif", "--every", "3"})).code, 0);
  EXPECT_TRUE(std::filesystem::exists(in("a.gif/iteration_000003.png")));
}

}  // namespace report_test
}  // namespace unmar::cli_test
