#include <signal.h>

#include "cli/support.h"

namespace unmar::cli_test {
namespace deblur_test {

using testing::HasSubstr;

class DeblurCommand : public CliTest {
 protected:
  DeblurCommand() {
    put("in.png", test_picture(24, 32));
    Image kernel(1, 3, 5, 0.f);
    for (int x = 0; x < 5; ++x) kernel.at(0, 1, x) = 1.f;
    put("kernel.png", kernel);
  }
  Words deblur(const std::string& blur, const std::string& output, const Words& more = {}) const {
    return Words{"deblur", "in.png", "--blur", blur, "-o", output} + kTiny + more;
  }
};

TEST_F(DeblurCommand, TakesABlurInWordsOrTheKernelInAPicture) {
  ASSERT_EQ(run(deblur("motion:5,0", "words.png")).code, 0);
  ASSERT_EQ(run(deblur("kernel.png", "drawn.png", {"--manifest", "m.json"})).code, 0);
  ASSERT_EQ(run(deblur("gauss:1", "other.png")).code, 0);
  EXPECT_EQ(get("words.png").width(), 32);
  EXPECT_NE(contents(in("other.png")), contents(in("drawn.png")));
  const auto manifest = nlohmann::json::parse(contents(in("m.json")), nullptr, false);
  EXPECT_EQ(manifest["blur_kernel"], "kernel.png");
  EXPECT_FALSE(manifest["options"].contains("blur"));
}

TEST_F(DeblurCommand, ARunIsResumedAndPickedWithItsBlur) {
  for (const std::string blur : {"gauss:1", "kernel.png"}) {
    const std::string name = blur.substr(0, 3);
    const Words length = {"--iterations", "250", "--checkpoint-every", "0"};
    ASSERT_EQ(run(deblur(blur, name + ".png", length + Words{"--run", name + ".whole"})).code, 0);
    Process process(folder(), deblur(blur, name + "2.png", length + Words{"--run", name + ".run"}));
    ASSERT_TRUE(process.wait_for("deblur 25/250"));
    process.send(SIGINT);
    ASSERT_EQ(process.wait().code, 0);
    const Outcome resumed = run({"resume", name + ".run"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(contents(in(name + "2.png")), contents(in(name + ".png")));
    const Outcome picked = run({"pick", name + ".run", "--iteration", "249", "-o", name + "3.png"});
    ASSERT_EQ(picked.code, 0) << picked.err;
    EXPECT_EQ(contents(in(name + "3.png")), contents(in(name + ".png")));
  }
}

TEST_F(DeblurCommand, ResumingRefusesAnotherKernel) {
  Process process(folder(),
                  deblur("kernel.png", "out.png", {"--iterations", "1000000", "--run", "a.run"}));
  ASSERT_TRUE(process.wait_for("deblur 1/1000000"));
  process.send(SIGINT);
  ASSERT_EQ(process.wait().code, 0);
  put("kernel.png", Image(1, 3, 3, 1.f));
  expect_refusal({"resume", "a.run"}, kFailure, {"the blur", "kernel.png"});
}

TEST_F(DeblurCommand, RefusesWhatItCannotWorkWith) {
  expect_refusal({"deblur", "in.png", "-o", "out.png"}, kUsage, {"--blur", "required"});
  expect_refusal(deblur("gauss", "out.png"), kUsage, {"deblur: blur 'gauss'", "gauss:SIGMA"});
  expect_refusal(deblur("no.png", "out.png"), kUsage, {"nor is there a file of that name"});
  expect_refusal(deblur("gauss:20", "out.png"), kUsage, {"reaches 80x80 pixels", "32x24"});
  for (const std::string method : {"patches", "auto", "dip"})
    expect_refusal(deblur("gauss:1", "out.png", {"--method", method}), kUsage, {"--method"});
  EXPECT_THAT(run({"deblur", "--help-all"}).out, testing::Not(testing::HasSubstr("--method")));
  expect_refusal({"refine", "in.png", "-o", "out.png", "--task", "deblur", "--model", "x"}, kUsage,
                 {"--task must be one of denoise, inpaint, upscale, got deblur"});
}

}  // namespace deblur_test
}  // namespace unmar::cli_test
