#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace interrupt_test {

class Interrupting : public CliTest {
 protected:
  Interrupting() { put("noisy.png", test_picture(32, 32)); }
  /// A fit that would take hours.
  Words endless() const {
    return Words{"denoise", "noisy.png", "-o", "out.png", "--json"} + kTiny +
           Words{"--history", "h.csv", "--iterations", "1000000"};
  }
};

TEST_F(Interrupting, WhateverAsksForTheEndWritesTheBestSoFar) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1, SIGALRM}) {
    Process process(folder(), endless());
    ASSERT_TRUE(process.wait_for("denoise 1/1000000"));
    process.send(signal);
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto result = nlohmann::json::parse(outcome.out, nullptr, false);
    ASSERT_TRUE(result.is_object()) << outcome.out;
    EXPECT_EQ(result["stopped_by"], "cancelled");
    EXPECT_LT(result["iterations"], 1000000);
    EXPECT_EQ(get("out.png").width(), 32);
    EXPECT_EQ(files(), (std::set<std::string>{"h.csv", "noisy.png", "out.png"}));
    std::filesystem::remove(in("out.png"));
  }
}

TEST_F(Interrupting, ASecondSignalSoonAfterIsTheSameWish) {
  for (const int second : {SIGINT, SIGTERM, SIGHUP}) {
    Process process(folder(), endless());
    ASSERT_TRUE(process.wait_for("denoise 1/1000000"));
    process.send(SIGTERM);
    process.send(second);
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(files(), (std::set<std::string>{"h.csv", "noisy.png", "out.png"}));
    std::filesystem::remove(in("out.png"));
  }
}

TEST_F(Interrupting, WhoIsToldToIgnoreTheEndOfTheTerminalDoes) {
  Process process(folder(), endless(), [] { signal(SIGHUP, SIG_IGN); });  // nohup
  ASSERT_TRUE(process.wait_for("denoise 1/1000000"));
  process.send(SIGHUP);
  process.send(SIGTERM);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(get("out.png").width(), 32);
}

class Speechless : public Interrupting {
 protected:
  /// Runs 6 iterations with the streams as `in_child` makes them.
  Outcome quick(const std::function<void()>& in_child, const Words& more = {}) {
    return Process(folder(), Words{"denoise", "noisy.png", "-o", "out.png"} + kTiny + more,
                   in_child)
        .wait();
  }
};

void lead_to(const char* device, int stream) {
  const int file = open(device, O_WRONLY);
  if (file < 0 || dup2(file, stream) < 0) _exit(126);
}

TEST_F(Speechless, AFitWhoseMessagesCannotBeWrittenGivesItsPicture) {
  const auto closed = [] { close(STDERR_FILENO); };
  const auto all_closed = [] {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(stream);
  };
  const auto full = [] { lead_to("/dev/full", STDERR_FILENO); };
  const auto nobody_reads = [] {
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0 || dup2(ends[1], STDOUT_FILENO) < 0)
      _exit(126);
    close(ends[0]);
  };
  ASSERT_EQ(quick({}).code, 0);
  const std::string picture = contents(in("out.png"));
  for (const std::function<void()>& broken :
       std::vector<std::function<void()>>{closed, all_closed, full, nobody_reads}) {
    std::filesystem::remove(in("out.png"));
    EXPECT_EQ(quick(broken).code, 0);
    EXPECT_EQ(contents(in("out.png")), picture);  // and what was said did not go into it
  }
}

TEST_F(Speechless, AnErrorKeepsItsExitCode) {
  const auto closed = [] { close(STDERR_FILENO); };
  EXPECT_EQ(Process(folder(), {"info", "missing.png"}, closed).wait().code, 1);
  EXPECT_EQ(Process(folder(), {"no-command"}, closed).wait().code, 2);
}

TEST_F(Speechless, OutputThatIsAskedForAndLostIsAnErrorOnceThePictureIsWritten) {
  const Outcome outcome = quick([] { lead_to("/dev/full", STDOUT_FILENO); }, {"--json", "--quiet"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, testing::StartsWith("error: standard output"));
  EXPECT_EQ(get("out.png").width(), 32);
}

}  // namespace interrupt_test
}  // namespace unmar::cli_test
