#include "engine/auto_engine.h"

#include <fmt/format.h>

#include <utility>

#include "base/limits.h"

namespace unmar {
namespace {

class AutoEngine final : public Engine {
 public:
  explicit AutoEngine(std::vector<std::unique_ptr<Engine>> best_first)
      : engines_(std::move(best_first)), last_(engines_.front().get()) {}

  EngineInfo info() const override { return last_->info(); }
  std::vector<DeviceInfo> devices() const override { return last_->devices(); }
  const Engine& chosen_for(const Graph& graph) const override { return choose(graph); }
  EngineInfo info_for(const Graph& graph) const override {
    const Engine& chosen = choose(graph);
    EngineInfo info = chosen.info();
    for (const auto& engine : engines_) {
      if (engine.get() == &chosen) break;
      info.choice += fmt::format("{}{} {}", info.choice.empty() ? "" : "; ", engine->info().name,
                                 why_not(*engine, graph));
    }
    return info;
  }
  std::vector<std::string> missing(const Graph& graph) const override {
    return choose(graph).missing(graph);
  }
  std::size_t memory_needed(const Graph& graph, const CompileOptions& options) const override {
    return choose(graph).memory_needed(graph, options);
  }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    last_ = &choose(graph);
    return last_->compile(graph, options);
  }

 private:
  /// The last one need not be worth it, nor have the memory: it says itself what it lacks.
  Engine& choose(const Graph& graph) const {
    Engine* able = nullptr;
    for (const auto& engine : engines_) {
      if (!engine->missing(graph).empty()) continue;
      able = engine.get();
      if (engine == engines_.back() || (engine->is_worth(graph) && has_memory(*engine, graph)))
        return *engine;
    }
    return able ? *able : *engines_.front();
  }
  static bool has_memory(const Engine& engine, const Graph& graph) {
    const std::size_t free = engine.devices()[0].memory_free;
    return free == 0 || engine.memory_needed(graph, {}) <= free;
  }

  static std::string why_not(const Engine& engine, const Graph& graph) {
    const std::vector<std::string> missing = engine.missing(graph);
    if (!missing.empty())
      return fmt::format("cannot do {} of its {} steps", missing.size(), graph.nodes().size());
    if (!engine.is_worth(graph)) return "would take longer to start than this fit is worth";
    return fmt::format("has {} free, not {}", bytes_in_words(engine.devices()[0].memory_free),
                       bytes_in_words(engine.memory_needed(graph, {})));
  }

  std::vector<std::unique_ptr<Engine>> engines_;
  Engine* last_;
};

}  // namespace

std::unique_ptr<Engine> make_auto_engine(std::vector<std::unique_ptr<Engine>> best_first) {
  return std::make_unique<AutoEngine>(std::move(best_first));
}

}  // namespace unmar
