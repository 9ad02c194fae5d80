#include <cstdio>
#include <random>

#include "fuzz/fuzz.h"

// Feeds a target its seeds and a fixed number of their mutations, the same each time: what every
// compiler can do. `smoke_X --seeds FOLDER` writes the seeds, for libFuzzer to start from.

namespace unmar::fuzz {
namespace {

constexpr int kMutations = 400;

std::size_t below(std::mt19937& random, std::size_t end) { return end == 0 ? 0 : random() % end; }

/// One to eight changes: a bit, a byte, a cut, a piece that is there twice or is gone.
std::string mutated(std::string text, std::mt19937& random) {
  for (std::size_t changes = 1 + below(random, 8); changes > 0; --changes) {
    const std::size_t at = below(random, text.size());
    const std::size_t length = 1 + below(random, 16);
    switch (text.empty() ? 2 : below(random, 6)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ 1 << below(random, 8));
        break;
      case 1:
        text[at] = static_cast<char>(random());
        break;
      case 2:
        text.insert(at, 1, static_cast<char>(random()));
        break;
      case 3:
        text.insert(below(random, text.size()), text.substr(at, length));
        break;
      case 4:
        text.erase(at, length);
        break;
      default:
        if (below(random, 4) == 0) text.resize(at);
    }
  }
  return text;
}

void feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

int run(int argc, char** argv) {
  const std::vector<std::string> all = seeds();
  if (argc == 3 && std::string(argv[1]) == "--seeds") {
    std::filesystem::create_directories(argv[2]);
    for (std::size_t i = 0; i < all.size(); ++i)
      std::ofstream(std::filesystem::path(argv[2]) / std::to_string(i), std::ios::binary) << all[i];
    return 0;
  }
  std::mt19937 random(20261127);
  feed("");
  for (const std::string& seed : all) feed(seed);
  for (int i = 0; i < kMutations; ++i) feed(mutated(all[below(random, all.size())], random));
  std::printf("%d mutations of %zu seeds\n", kMutations, all.size());
  return 0;
}

}  // namespace
}  // namespace unmar::fuzz

int main(int argc, char** argv) { return unmar::fuzz::run(argc, argv); }
