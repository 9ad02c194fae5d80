#include <signal.h>

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

TEST_F(Interrupting, TheFirstCtrlCWritesTheBestSoFar) {
  for (const int signal : {SIGINT, SIGTERM}) {
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

}  // namespace interrupt_test
}  // namespace unmar::cli_test
