#include "cli/support.h"

namespace unmar::cli_test {
namespace compare_priors_test {

using testing::HasSubstr;

class ComparePriorsCommand : public CliTest {
 protected:
  ComparePriorsCommand() { put("a.png", test_picture(24, 24, 1)); }
};

TEST_F(ComparePriorsCommand, WritesOnePage) {
  const Outcome outcome = run({"compare-priors", "a.png", "--damage", "noise:25", "-o", "p.html",
                               "--iterations", "3", "--preset", "quick", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("GAN: "));
  EXPECT_THAT(outcome.err, HasSubstr("wrote p.html"));
  EXPECT_THAT(outcome.out, HasSubstr("\"name\":\"DDPM\""));
  const std::string page = contents(in("p.html"));
  EXPECT_THAT(page, HasSubstr("\"priors\":[{\"name\":\"DIP\""));
  EXPECT_THAT(page, HasSubstr("unmar compare-priors a.png --damage noise:25 -o p.html"));
}

TEST_F(ComparePriorsCommand, RefusesBeforeItWorks) {
  const auto error = [&](const std::string& damage, const std::string& page,
                         const std::string& model) {
    const Outcome outcome = run({"compare-priors", "a.png", "--damage", damage, "-o", page,
                                 "--ddpm", model, "--gan", "none"});
    EXPECT_NE(outcome.code, 0);
    EXPECT_FALSE(files().contains("p.html"));
    return outcome.err;
  };
  EXPECT_THAT(error("rain:1", "p.html", "none"), HasSubstr("--damage: 'rain:1'"));
  EXPECT_THAT(error("noise:25", "no/p.html", "none"), HasSubstr("no"));
  EXPECT_THAT(error("noise:25", "p.html", "nobody"), HasSubstr("fashion-mnist"));
}

}  // namespace compare_priors_test
}  // namespace unmar::cli_test
