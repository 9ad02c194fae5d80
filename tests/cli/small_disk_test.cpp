#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "cli/support.h"

namespace unmar::cli_test {
namespace small_disk_test {

/// In the child: no file may grow beyond `bytes`. Writing more is an error as on a full disk, or,
/// if the program leaves it so, its end by SIGXFSZ.
std::function<void()> limit_files_to(rlim_t bytes) {
  return [bytes] {
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
  };
}

class SmallDisk : public CliTest {
 protected:
  SmallDisk() { put("noisy.png", test_picture(64, 64)); }
  /// Runs into the limit and returns what was said.
  std::string refused(const Words& more) const {
    const auto before = files();
    Process process(folder(),
                    Words{"denoise", "noisy.png", "-o", "out.png", "--quiet"} + kTiny + more,
                    limit_files_to(2000));
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, testing::HasSubstr("error: "));
    for (const std::string& name : files())
      EXPECT_TRUE(before.count(name) || name == "out.png") << name << " was left behind";
    return outcome.err;
  }
};

TEST_F(SmallDisk, AResultThatDoesNotFitIsAnErrorAndLeavesNoFile) {
  EXPECT_THAT(refused({}), testing::HasSubstr("out.png"));
  EXPECT_FALSE(std::filesystem::exists(in("out.png")));
}

TEST_F(SmallDisk, AFullStandardOutputIsAnError) {
  Process process(folder(), {"compare", "noisy.png", "noisy.png"}, [] {
    const int full = open("/dev/full", O_WRONLY);
    if (full < 0 || dup2(full, STDOUT_FILENO) < 0) _exit(126);
  });
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, testing::StartsWith("error: standard output"));
}

TEST_F(SmallDisk, AnOlderResultSurvives) {
  put("out.png", test_picture(8, 8));
  const std::string before = contents(in("out.png"));
  refused({});
  EXPECT_EQ(contents(in("out.png")), before);
}

/// What stands beside the result and cannot be written costs nothing else.
class SideOutput : public CliTest {
 protected:
  SideOutput() { put("noisy.png", test_picture(2, 2)); }  // its result fits on the small disk
  /// The warnings, after a run that must write its picture.
  std::string warnings(const Words& more, const std::function<void()>& in_child = {}) const {
    Process process(
        folder(),
        Words{"denoise", "noisy.png", "-o", "out.png", "--quiet", "--method", "dip"} + kTiny + more,
        in_child);
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(get("out.png").width(), 2);
    return outcome.err;
  }
};

TEST_F(SideOutput, AHistoryThatDoesNotFitIsAWarningAndLeavesNoPartOfIt) {
  EXPECT_THAT(warnings({"--history", "h.csv", "--iterations", "200"}, limit_files_to(2000)),
              testing::HasSubstr("warning: --history"));
  EXPECT_EQ(files(), (std::set<std::string>{"noisy.png", "out.png"}));
}

TEST_F(SideOutput, AManifestAndAReportThatDoNotFitAreWarnings) {
  const std::string said =
      warnings({"--manifest", "m.json", "--report", "r.html"}, limit_files_to(500));
  EXPECT_THAT(said, testing::HasSubstr("warning: --manifest"));
  EXPECT_THAT(said, testing::HasSubstr("warning: --report"));
  EXPECT_EQ(files(), (std::set<std::string>{"noisy.png", "out.png"}));
}

TEST_F(SideOutput, AFilmThatDoesNotFitIsAWarning) {
  EXPECT_THAT(warnings({"--snapshots", "film.png", "--every", "1"}, limit_files_to(500)),
              testing::HasSubstr("warning: "));
  EXPECT_EQ(files(), (std::set<std::string>{"noisy.png", "out.png"}));
}

TEST_F(SideOutput, SnapshotsWhoseFolderGoesAwayAreOneWarning) {
  Process process(
      folder(), Words{"denoise", "noisy.png", "-o", "out.png", "--snapshots", "S", "--every", "1"} +
                    kTiny + Words{"--iterations", "1000000"});
  ASSERT_TRUE(process.wait_for("denoise 1/1000000"));
  std::error_code error;
  while (std::filesystem::exists(in("S"))) std::filesystem::remove_all(in("S"), error);
  ASSERT_TRUE(process.wait_for("warning: "));
  process.send(SIGTERM);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err.find("warning: "), outcome.err.rfind("warning: "));
  EXPECT_EQ(get("out.png").width(), 2);
}

TEST_F(SideOutput, ANameThatIsNotUtf8IsNoReasonToFail) {
  std::filesystem::rename(in("noisy.png"), in("n\xff.png"));
  const Outcome outcome = run(Words{"denoise", "n\xff.png", "-o", "o\xfe.png", "--manifest",
                                    "m.json", "--report", "r.html", "--json"} +
                              kTiny);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(get("o\xfe.png").width(), 2);
  EXPECT_TRUE(nlohmann::json::accept(contents(in("m.json"))));
  EXPECT_TRUE(nlohmann::json::accept(outcome.out));
}

TEST_F(SmallDisk, ALinkThatLeadsToNoFileYetIsFollowed) {
  std::filesystem::create_directory(in("there"));
  std::filesystem::create_symlink("there/real.png", in("link.png"));
  std::filesystem::create_symlink("there/real.json", in("link.json"));
  const Outcome outcome =
      run(Words{"denoise", "noisy.png", "-o", "link.png", "--manifest", "link.json"} + kTiny);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::is_symlink(in("link.png")));
  EXPECT_TRUE(std::filesystem::is_symlink(in("link.json")));
  EXPECT_EQ(get("there/real.png").width(), 64);
  EXPECT_TRUE(nlohmann::json::accept(contents(in("there/real.json"))));
}

TEST_F(SmallDisk, ASeedOneAboveTheGreatestIsRefused) {
  for (const Words& words : {Words{"denoise", "noisy.png", "-o", "o.png"},
                             Words{"degrade", "noisy.png", "-o", "o.png", "--noise", "5"}}) {
    expect_refusal(words + Words{"--seed", "9007199254740993"}, 2, {"9007199254740992"});
  }
}

}  // namespace small_disk_test
}  // namespace unmar::cli_test
