#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/support.h"
#include "unmar/models/models.h"

namespace unmar::cli_test {
namespace networks_test {

using testing::HasSubstr;

class Networks : public CliTest {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(in(name)) << text;
  }
  std::string text_of(const std::string& name) const {
    std::ifstream file(in(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  const Words kShort = {"--engine",  "ref", "--iterations",     "2",
                        "--threads", "1",   "--input-channels", "4"};
};

TEST_F(Networks, ListNamesEachWithItsParameters) {
  const Outcome outcome = run({"networks", "--size", "64x48"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string& name : network_names())
    EXPECT_THAT(outcome.out,
                testing::ContainsRegex("\n" + name + " +[0-9]+ +[0-9.]+ G +[0-9]+ MiB"));
}

TEST_F(Networks, ListSaysWhichOneAPictureIsTooSmallFor) {
  const Outcome outcome = run({"networks", "--size", "9x48"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("9x48 is too small for depth 4; use depth 3 or less"));
}

TEST_F(Networks, ShowPrintsTheNodesAndDrawsThem) {
  const Outcome outcome = run({"networks", "show", "unet", "--size", "64x48", "--dot", "u.dot"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("[1,32,48,64]"));
  EXPECT_THAT(outcome.out, HasSubstr("max / 2"));
  EXPECT_THAT(text_of("u.dot"), testing::StartsWith("digraph"));
}

TEST_F(Networks, AFileThatShowPrintsCanBeFitted) {
  put("noisy.png", test_picture(16, 20));
  const Outcome shown = run({"networks", "show", "decoder", "--json"});
  ASSERT_EQ(shown.code, 0);
  write("net.json", shown.out);
  const Outcome fitted = run(Words{"denoise", "noisy.png", "-o", "out.png", "--network-file",
                                   "net.json", "--manifest", "run.json"} +
                             kShort);
  EXPECT_EQ(fitted.code, 0) << fitted.err;
  const auto manifest = nlohmann::json::parse(text_of("run.json"));
  EXPECT_EQ(manifest["network"], nlohmann::json::parse(shown.out));
}

TEST_F(Networks, EveryOneRestoresAnOddPicture) {
  put("noisy.png", test_picture(19, 17));
  for (const std::string& name : network_names()) {
    const Outcome outcome = run(Words{"denoise", "noisy.png", "-o", "out.png", "--network", name,
                                      "--channels", "4", "--scales", "2"} +
                                kShort);
    EXPECT_EQ(outcome.code, 0) << name << ": " << outcome.err;
  }
}

TEST_F(Networks, WrongFilesAndFlagsAreUsageErrorsThatNameThem) {
  put("noisy.png", test_picture(16, 20));
  const Words denoise = Words{"denoise", "noisy.png", "-o", "out.png"} + kShort;
  write("typo.json", R"({"network": "unet", "hiden_size": 8})");
  expect_refusal(denoise + Words{"--network-file", "typo.json"}, 2,
                 {"typo.json", "'hiden_size'", "did you mean 'hidden_size'?"});
  write("type.json", R"({"network": "unet", "depth": "deep"})");
  expect_refusal(denoise + Words{"--network-file", "type.json"}, 2,
                 {"'depth' is \"deep\"", "whole number"});
  write("none.json", "skip");
  expect_refusal(denoise + Words{"--network-file", "none.json"}, 2, {"not a JSON object"});
  expect_refusal(denoise + Words{"--network-file", "nowhere.json"}, 1, {"nowhere.json"});
  write("good.json", R"({"network": "unet", "depth": 2})");
  expect_refusal(denoise + Words{"--network-file", "good.json", "--channels", "4"}, 2,
                 {"--channels is given beside a network file"});
  expect_refusal(denoise + Words{"--network", "resnet", "--skip", "4"}, 2,
                 {"--skip is not an option of network 'resnet'"});
  expect_refusal(denoise + Words{"--network", "unet", "--scales", "5"}, 2,
                 {"20x16 is too small for depth 5; use depth 4 or less"});
}

TEST_F(Networks, StartFromTheObservedPictureOrAGuide) {
  put("noisy.png", test_picture(16, 20));
  put("flash.png", test_picture(16, 20, 1));
  put("other.png", test_picture(16, 21));
  const Words denoise = Words{"denoise", "noisy.png", "-o", "out.png", "--channels", "4"} + kShort;
  EXPECT_EQ(run(denoise + Words{"--input", "observed"}).code, 0);
  EXPECT_EQ(run(denoise + Words{"--guide", "flash.png"}).code, 0);
  expect_refusal({"denoise", "noisy.png", "-o", "new.png", "--input", "guide"}, 2,
                 {"needs a picture", "--guide"});
  expect_refusal({"denoise", "noisy.png", "-o", "new.png", "--guide", "other.png"}, 1,
                 {"21x16 px", "20x16 px"});
}

}  // namespace networks_test
}  // namespace unmar::cli_test
