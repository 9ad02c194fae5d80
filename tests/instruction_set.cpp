// Lets the environment choose the instruction set that a test program's kernels run with:
// UNMAR_INSTRUCTION_SET is a name of Highway's, as SSE4 or AVX2. Without it they take the best.

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace unmar::test {
namespace {

class InstructionSet : public testing::Environment {
 public:
  void SetUp() override {
    const char* name = std::getenv("UNMAR_INSTRUCTION_SET");
    if (!name) return;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      if (std::string_view(hwy::TargetName(target)) != name) continue;
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(hwy::SupportedTargets());
      return;
    }
    for (int bit = 0; bit < 63; ++bit) {
      const std::int64_t target = std::int64_t{1} << bit;
      if (!(HWY_TARGETS & target) || std::string_view(hwy::TargetName(target)) != name) continue;
      std::printf("this machine has no %s\n", name);
      GTEST_SKIP();
    }
    GTEST_FAIL() << "nothing is compiled for UNMAR_INSTRUCTION_SET='" << name << "'";
  }
};

const auto* const environment = testing::AddGlobalTestEnvironment(new InstructionSet);

}  // namespace
}  // namespace unmar::test
