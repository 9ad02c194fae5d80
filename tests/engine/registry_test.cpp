#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/auto_engine.h"
#include "error_text.h"
#include "unmar/base/error.h"
#include "unmar/engine/engine.h"

namespace unmar {
namespace registry_test {

TEST(Registry, has_the_reference_engine_last) {
  ASSERT_FALSE(engine_names().empty());
  EXPECT_EQ(engine_names().back(), "ref");
}

TEST(Registry, makes_each_engine_by_the_name_it_tells) {
  for (const std::string& name : engine_names()) {
    const EngineInfo info = make_engine(name)->info();
    EXPECT_EQ(info.name, name);
    EXPECT_FALSE(info.description.empty()) << name;
  }
}

TEST(Registry, each_engine_has_a_device_and_refuses_others_by_name) {
  Graph graph;
  graph.keep(graph.add(Input{{1, 1, 2, 2}}, {}, "x"));
  for (const std::string& name : engine_names()) {
    const auto engine = make_engine(name);
    ASSERT_FALSE(engine->devices().empty()) << name;
    const DeviceInfo device = engine->devices()[0];
    EXPECT_FALSE(device.name.empty() || device.description.empty()) << name;
    EXPECT_NE(engine->compile(graph, {.device = device.name}), nullptr);
    EXPECT_THAT(test::error_text([&] { engine->compile(graph, {.device = "gpu7"}); }),
                ::testing::HasSubstr("one of " + device.name + ", got 'gpu7'"));
  }
}

/// Has the ops and the devices that it is told.
class Told final : public Engine {
 public:
  Told(std::string name, std::vector<std::string> lacks, bool here = true)
      : name_(std::move(name)), lacks_(std::move(lacks)), here_(here) {}
  EngineInfo info() const override { return {name_, "told"}; }
  std::vector<DeviceInfo> devices() const override {
    if (!here_) return {};
    return {{name_ + ":0", "told", 7, 1}};
  }
  std::vector<std::string> missing(const Graph&) const override { return lacks_; }
  std::size_t memory_needed(const Graph&, const CompileOptions&) const override {
    return name_.size();
  }
  std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) override {
    require_support(*this, graph, options.device);
    return nullptr;
  }

 private:
  std::string name_;
  std::vector<std::string> lacks_;
  bool here_;
};

template <class... Engines>
std::unique_ptr<Engine> auto_of(Engines... engines) {
  std::vector<std::unique_ptr<Engine>> list;
  (list.push_back(std::make_unique<Told>(engines)), ...);
  return make_auto_engine(std::move(list));
}

TEST(AutoEngine, takes_the_best_that_lacks_no_op) {
  const Graph graph;
  EXPECT_EQ(auto_of(Told("a", {}), Told("bb", {}))->chosen_for(graph).info().name, "a");
  const auto second = auto_of(Told("a", {"up"}), Told("bb", {}), Told("ccc", {}));
  EXPECT_EQ(second->chosen_for(graph).info().name, "bb");
  EXPECT_EQ(second->memory_needed(graph, {}), 2u);
  EXPECT_TRUE(second->missing(graph).empty());
  EXPECT_EQ(second->info().name, "a") << "until it compiles";
  second->compile(graph, {});
  EXPECT_EQ(second->info().name, "bb");
  EXPECT_EQ(second->devices()[0].name, "bb:0");
}

TEST(AutoEngine, says_what_speaks_against_faster_ones) {
  Graph graph;
  graph.add(Input{{1, 1, 2, 2}}, {}, "x");
  const auto info = [&](Told a, Told b, Told c) {
    return auto_of(std::move(a), std::move(b), std::move(c))->info_for(graph);
  };
  const EngineInfo third = info(Told("a", {"x"}), Told("too large", {}), Told("ref", {}));
  EXPECT_EQ(third.name, "ref");
  EXPECT_EQ(third.choice, "a cannot do 1 of its 1 steps; too large has 1 MiB free, not 1 MiB")
      << "7 and 9 bytes";
  EXPECT_EQ(info(Told("a", {}), Told("b", {}), Told("c", {})).choice, "");
  EXPECT_EQ(Told("a", {}).info_for(graph).choice, "") << "it was named";
}

TEST(AutoEngine, names_what_the_best_lacks_if_none_can) {
  Graph graph;
  const NodeId x = graph.add(Input{{1, 1, 2, 2}}, {}, "x");
  graph.add(Linear::enlarge(graph.shape(x), 2), {x}, "up");
  const auto engine = auto_of(Told("a", {"x", "up"}), Told("b", {"x"}));
  const std::string text =
      test::error_text([&] { engine->compile(graph, {}); }, ErrorCode::unsupported);
  EXPECT_EQ(text, "engine 'a': it cannot run 'x' (input), 'up' (linear); use another engine");
}

TEST(RequireSupport, says_that_an_engine_has_no_device) {
  EXPECT_THAT(test::error_text([] { require_support(Told("a", {}, false), Graph()); },
                               ErrorCode::unsupported),
              ::testing::HasSubstr("engine 'a': it finds no device"));
}

TEST(Registry, auto_is_the_best_one) {
  EXPECT_EQ(make_engine("auto")->info().name, engine_names().front());
  EXPECT_EQ(make_engine()->info().name, engine_names().front());
}

TEST(Registry, an_unknown_name_is_told_the_known_ones) {
  try {
    make_engine("gpu");
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_argument);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'gpu'"));
    for (const std::string& name : engine_names())
      EXPECT_THAT(error.what(), ::testing::HasSubstr(name));
  }
}

}  // namespace registry_test
}  // namespace unmar
