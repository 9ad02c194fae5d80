#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/support.h"

namespace unmar::cli_test {
namespace profile_test {

using nlohmann::json;
using testing::HasSubstr;

class Profile : public CliTest {
 protected:
  Outcome profile(const Words& more) const {
    return run(Words{"profile", "--size", "64x48", "--iterations", "2", "--channels", "16",
                     "--scales", "2", "--threads", "1"} +
               more);
  }
  json parsed(const std::string& name) const {
    std::ifstream file(in(name));
    return json::parse(file);
  }
};

TEST_F(Profile, ListsStepsKindsAndTotals) {
  const Outcome outcome = profile({});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part :
       {"skip, 64x48, ", "conv2d 'scale0.up.conv': winograd", "adam 'adam'", "convolution (",
        "all steps", "one iteration", "of which parameters, gradients and Adam"})
    EXPECT_THAT(outcome.out, HasSubstr(part));
}

TEST_F(Profile, TimesOfTheStepsAddUpToTheIteration) {
  ASSERT_EQ(profile({"--json", "p.json"}).code, 0);
  const json p = parsed("p.json");
  double steps = 0, kinds = 0;
  for (const json& row : p["steps"])
    steps += row["forward_seconds"].get<double>() + row["backward_seconds"].get<double>();
  for (const json& row : p["kinds"])
    kinds += row["forward_seconds"].get<double>() + row["backward_seconds"].get<double>();
  EXPECT_NEAR(kinds, steps, 1e-9);
  EXPECT_GT(steps, 0);
  EXPECT_LE(steps, p["seconds"].get<double>() * 1.000001);
  EXPECT_EQ(p["width"], 64);
  EXPECT_EQ(p["height"], 48);
  EXPECT_EQ(p["iterations"], 2);
}

TEST_F(Profile, ConvolutionsCountForwardAndBothGradients) {
  ASSERT_EQ(profile({"--json", "p.json"}).code, 0);
  const json p = parsed("p.json");
  double direct = 0, products = 0;
  for (const json& row : p["steps"]) {
    const bool convolution = row["kind"] == "convolution";
    EXPECT_EQ(row["product_flops"].get<double>() > 0, convolution) << row;
    direct += row["direct_flops"].get<double>();
    products += row["product_flops"].get<double>();
  }
  const double forward = 2 * p["forward_macs"].get<double>();
  EXPECT_GT(direct, 2 * forward) << "those at the input need no gradient of their source";
  EXPECT_LE(direct, 3 * forward);
  EXPECT_LT(products, direct) << "Winograd";
}

TEST_F(Profile, OfAnEngineThatTellsNoStepsHasTotals) {
  const Outcome outcome = profile({"--engine", "ref", "--json", "p.json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Engine 'ref' does not tell"));
  EXPECT_THAT(outcome.out, HasSubstr("one iteration"));
  EXPECT_EQ(parsed("p.json")["steps"], json::array());
}

TEST_F(Profile, RefusesWhatCannotBeMeasured) {
  expect_refusal({"profile", "--size", "64"}, 2, {"--size must be WIDTHxHEIGHT", "'64'"});
  expect_refusal({"profile", "--size", "30000x30000"}, 1,
                 {"a fit of 30000x30000 with this network needs"});
  expect_refusal({"profile", "--iterations", "0"}, 2, {"--iterations"});
  expect_refusal({"profile", "--size", "32x32", "--json", "nowhere/p.json"}, 1, {"nowhere/p.json"});
}

}  // namespace profile_test
}  // namespace unmar::cli_test
