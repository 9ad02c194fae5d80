#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "cli/support.h"

namespace unmar::cli_test {
namespace small_disk_test {

/// In the child: no file may grow beyond `bytes`, and writing more is an error as on a full disk.
std::function<void()> limit_files_to(rlim_t bytes) {
  return [bytes] {
    signal(SIGXFSZ, SIG_IGN);
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
    EXPECT_THAT(outcome.err, testing::StartsWith("error: "));
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

TEST_F(SmallDisk, AHistoryThatDoesNotFitIsAnErrorAndLeavesNoPartOfIt) {
  put("noisy.png", test_picture(2, 2));  // its result does fit
  EXPECT_THAT(refused({"--history", "h.csv", "--iterations", "200"}),
              testing::HasSubstr("--history"));
  EXPECT_FALSE(std::filesystem::exists(in("h.csv")));
}

}  // namespace small_disk_test
}  // namespace unmar::cli_test
