#include "engine/cuda/cuda_engine.h"

#include <limits>
#include <map>
#include <mutex>

#include "base/fail.h"
#include "engine/cuda/program.h"

namespace unmar {
namespace {

using cuda::Card;
using cuda::CardInUse;

/// A card is started once, however many engines use it: its kernels take a while to load.
std::shared_ptr<CardInUse> start(const Card& card) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<CardInUse>> started;
  const std::lock_guard lock(mutex);
  std::weak_ptr<CardInUse>& entry = started[card.name];
  std::shared_ptr<CardInUse> in_use = entry.lock();
  if (!in_use) entry = in_use = std::make_shared<CardInUse>(card);
  return in_use;
}

class CudaEngine final : public Engine {
 public:
  EngineInfo info() const override {
    const auto& cards = cuda::machine().cards;
    return {"cuda", cards.empty() ? "NVIDIA cards" : cards[0].description};
  }
  std::vector<DeviceInfo> devices() const override {
    std::vector<DeviceInfo> devices;
    for (const Card& card : cuda::machine().cards)
      devices.push_back({card.name, card.description, memory_free(card), 1000});
    return devices;
  }
  std::string why_no_device() const override { return cuda::machine().problem; }

  /// What has too many values for 32 bits or for shared memory; every op has its kernels.
  std::vector<std::string> missing(const Graph& graph) const override {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes()) {
      constexpr int kMostChannels = 1024;
      const auto* attention = std::get_if<Attention>(&node.op);
      if (node.shape.count() > std::numeric_limits<std::int32_t>::max() ||
          (attention && node.shape.c / attention->heads > kMostChannels))
        names.push_back(node.name);
    }
    return names;
  }
  std::size_t memory_needed(const Graph& graph, const CompileOptions& options) const override {
    return cuda::program_bytes(graph, options);
  }
  /// The first use of a card takes seconds: not for what the CPU has done by then.
  bool is_worth(const Graph& graph) const override {
    constexpr std::uint64_t kLeastMacs = 100'000'000;  // a fit of 1000 iterations takes 5 s there
    return count_macs(graph) >= kLeastMacs;
  }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    require_support(*this, graph, options.device);
    return cuda::make_program(graph, options, use(options.device));
  }

 private:
  std::size_t memory_free(const Card& card) const {
    // Asking a card costs a start of it. Until it is in use, what others hold is not known.
    const auto in_use = find(card.name);
    return in_use ? in_use->memory_free() : card.memory;
  }
  std::shared_ptr<CardInUse> find(const std::string& name) const {
    for (const auto& card : in_use_)
      if (card->card().name == name) return card;
    return nullptr;
  }
  std::shared_ptr<CardInUse> use(const std::string& device) {
    const auto& cards = cuda::machine().cards;
    const std::string name = device.empty() ? cards[0].name : device;
    if (auto card = find(name)) return card;
    for (const Card& card : cards)
      if (card.name == name) return in_use_.emplace_back(start(card));
    return nullptr;
  }

  std::vector<std::shared_ptr<CardInUse>> in_use_;
};

}  // namespace

std::unique_ptr<Engine> make_cuda_engine() { return std::make_unique<CudaEngine>(); }

}  // namespace unmar
