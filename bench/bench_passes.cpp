// Runs one element-wise pass of the engine once, for counting its instructions:
//     valgrind --tool=callgrind --toggle-collect=measured_pass bench_passes NAME
// Without a name: lists the passes, each with the numbers it works on.
#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <vector>

#include "engine/cpu/kernels.h"

namespace {

using unmar::cpu::Act;

constexpr int kChannels = 128, kPixels = 256;
constexpr std::size_t kCount = std::size_t{kChannels} * kPixels;

struct Pass {
  const char* name;
  std::size_t values;
  std::function<void()> run;
};

std::vector<float> values(std::size_t count = kCount) {
  std::vector<float> v(count);
  for (std::size_t i = 0; i < count; ++i) v[i] = static_cast<float>(i % 97) * 0.02f - 1.f;
  return v;
}

std::vector<Pass> passes() {
  static std::vector<float> a = values(), b = values(), c = values(), d = values();
  static std::vector<float> s = values(kChannels), t = values(kChannels), u = values(kChannels),
                            v = values(kChannels);
  const Act leaky{Act::Kind::leaky_relu, 0.2f}, sigmoid{Act::Kind::sigmoid};
  return {
      {"scale_add", kCount, [] { unmar::cpu::scale_add(a.data(), b.data(), 0.5f, kCount, true); }},
      {"sigmoid", kCount, [=] { unmar::cpu::activate(sigmoid, a.data(), b.data(), kCount); }},
      {"adam", kCount,
       [] {
         unmar::cpu::adam_update(a.data(), b.data(), c.data(), d.data(), kCount,
                                 unmar::AdamStep({}, 1));
       }},
      {"norm_moments", kCount,
       [] {
         unmar::cpu::channel_moments(a.data(), kChannels, kPixels, kChannels, s.data(), t.data(),
                                     u.data());
       }},
      {"norm_leaky_relu", kCount,
       [=] {
         unmar::cpu::norm_act(leaky, a.data(), kChannels, b.data(), kChannels, kPixels, kChannels,
                              s.data(), t.data());
       }},
      {"norm_leaky_relu_backward_sums", kCount,
       [=] {
         unmar::cpu::norm_act_backward_sums(leaky, a.data(), kChannels, b.data(), kChannels,
                                            kPixels, kChannels, s.data(), t.data(), u.data(),
                                            v.data(), c.data());
       }},
      {"norm_leaky_relu_backward", kCount,
       [=] {
         unmar::cpu::norm_act_backward(leaky, a.data(), kChannels, b.data(), kChannels, c.data(),
                                       kChannels, kPixels, kChannels, s.data(), t.data(), u.data(),
                                       v.data(), false);
       }},
      {"two_rows_combined", kCount,
       [] {
         const float* rows[] = {a.data(), b.data()};
         const float weights[] = {0.25f, 0.75f};
         unmar::cpu::combine_rows(rows, weights, 2, kCount, c.data());
       }},
      {"gaussian_noise", kCount,
       [] {
         for (std::size_t i = 0; i < kCount; i += 4 * unmar::cpu::kNoiseBlocks)
           unmar::cpu::gaussian_noise(7, 3, i / 4, a.data() + i);
       }},
  };
}

}  // namespace

/// What callgrind looks for; the first call of a pass also chooses its instruction set, so it is
/// not this one.
extern "C" [[gnu::noinline]] void measured_pass(const std::function<void()>& pass) { pass(); }

int main(int argc, char** argv) {
  for (const Pass& pass : passes()) {
    if (argc < 2) fmt::print("{} {}\n", pass.name, pass.values);
    if (argc < 2 || std::string_view(argv[1]) != pass.name) continue;
    pass.run();
    measured_pass(pass.run);
    return 0;
  }
  return argc < 2 ? 0 : 1;
}
