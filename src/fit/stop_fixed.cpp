#include "unmar/fit/fit.h"

namespace unmar {
namespace {

class FixedCount final : public Stopper {
 public:
  std::string name() const override { return "fixed count"; }
  Verdict observe(const Iterate&) override { return {true, false}; }
  void rewind(int) override {}
  void serialize(Archive&) override {}
};

}  // namespace

std::unique_ptr<Stopper> make_fixed_count() { return std::make_unique<FixedCount>(); }

}  // namespace unmar
