#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "cli/support.h"

namespace unmar::cli_test {
namespace resume_test {

using Json = nlohmann::json;
namespace fs = std::filesystem;
using testing::HasSubstr;

class Resuming : public CliTest {
 protected:
  Resuming() {
    put("in.png", test_picture(24, 32));
    put("clean.png", test_picture(24, 32));
  }

  /// Long enough to be killed several times, with all that a run remembers.
  Words denoise(const std::string& name, const Words& more = {}) const {
    const Words stop = {"--stop", "wmv", "--window", "20", "--patience", "400"};
    return Words{"denoise", "in.png", "-o", name + ".png", "--run", name + ".run"} + kTiny + stop +
           Words{"--iterations", "250", "--seed", "3", "--reference", "clean.png"} +
           Words{"--snapshots", name + "_film.gif", "--every", "50"} +
           Words{"--report", name + ".html", "--checkpoint-every", "0", "--min-start", "10"} + more;
  }
  std::string of_run(const std::string& name, const std::string& file) const {
    return contents(in(name + ".run") / file);
  }
  /// Without what depends on the clock, the memory and the name.
  Json facts(const std::string& name) const {
    Json manifest = Json::parse(of_run(name, "manifest.json"), nullptr, false);
    EXPECT_TRUE(manifest.is_object());
    manifest.erase("started");
    for (const char* key :
         {"seconds", "stopper_seconds", "total_seconds", "peak_memory_mib", "output"})
      manifest["result"].erase(key);
    for (Json& candidate : manifest["result"]["candidates"]) candidate.erase("seconds");
    return manifest;
  }
  void expect_same_run(const std::string& a, const std::string& b) const {
    EXPECT_EQ(contents(in(a + ".png")), contents(in(b + ".png")));
    EXPECT_EQ(contents(in(a + "_film.gif")), contents(in(b + "_film.gif")));
    EXPECT_EQ(of_run(a, "history.csv"), of_run(b, "history.csv"));
    EXPECT_EQ(facts(a), facts(b));
    EXPECT_EQ(frames(a), frames(b));
    EXPECT_EQ(run_files(a), run_files(b));
    for (const std::string& file : run_files(a))
      if (file.ends_with(".tif")) {
        EXPECT_EQ(of_run(a, file), of_run(b, file)) << file;
      }
  }
  /// The pictures of the report.
  Json frames(const std::string& name) const {
    const Json report = Json::parse(of_run(name, "report.json"), nullptr, false);
    EXPECT_TRUE(report.is_object());
    EXPECT_TRUE(fs::exists(in(name + ".html")));
    return report["frames"];
  }
  std::set<std::string> run_files(const std::string& name) const {
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(in(name + ".run")))
      if (entry.is_regular_file())
        files.insert(fs::relative(entry.path(), in(name + ".run")).string());
    return files;
  }
  /// Ends `process` without mercy when it has written up to a dozen checkpoints, one an iteration,
  /// and some more microseconds have passed. Checkpoints, not time, are what is waited for: a run
  /// of 250 iterations is not over by then, however fast the machine.
  void kill_somewhere(Process& process, const std::string& name, std::mt19937& random) const {
    const fs::path checkpoint = in(name + ".run") / "checkpoint.bin";
    const auto written = [&] {
      std::error_code none_yet;
      return fs::last_write_time(checkpoint, none_yet);
    };
    int wanted = std::uniform_int_distribution(1, 12)(random);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (auto last = written(); wanted > 0 && !process.ended();) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "no checkpoints";
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      const auto now = written();
      if (now != last) --wanted;
      last = now;
    }
    if (process.ended()) return;
    const int more = std::uniform_int_distribution(0, 3000)(random);
    std::this_thread::sleep_for(std::chrono::microseconds(more));
    process.send(SIGKILL);
    process.wait();
  }
  void put_bytes(const fs::path& path, const std::string& bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  /// A run that Ctrl-C ended, so that it has a checkpoint.
  void interrupt(const std::string& name) const {
    Process process(folder(), denoise(name, {"--iterations", "1000000"}));
    ASSERT_TRUE(process.wait_for("denoise 1/1000000"));
    process.send(SIGINT);
    ASSERT_EQ(process.wait().code, 0);
    ASSERT_TRUE(fs::exists(in(name + ".run") / "checkpoint.bin"));
  }
};

TEST_F(Resuming, AfterKillsAtRandomMomentsGivesTheSameBytes) {
  std::mt19937 random(20261125);
  int kills = 0;
  for (const int runs : {1, 2}) {
    const Words several = {"--runs", std::to_string(runs), "--iterations",
                           std::to_string(250 / runs)};
    const std::string whole = "whole" + std::to_string(runs);
    const std::string name = "killed" + std::to_string(runs);
    ASSERT_EQ(run(denoise(whole, several)).code, 0);
    {
      Process process(folder(), denoise(name, several));
      // Before run.json is there, nothing was begun that could be resumed.
      const auto begun = [&] { return fs::exists(in(name + ".run") / "run.json"); };
      for (int i = 0; i < 6000 && !begun(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      ASSERT_TRUE(begun());
      kill_somewhere(process, name, random);
    }
    for (int i = 0; i < 6 && !fs::exists(in(name + ".run") / "manifest.json"); ++i, ++kills) {
      Process process(folder(), {"resume", name + ".run"});
      kill_somewhere(process, name, random);
    }
    const Outcome last = run({"resume", name + ".run"});
    EXPECT_TRUE(last.code == 0 || last.err.find("is finished") != std::string::npos) << last.err;
    expect_same_run(whole, name);
  }
  EXPECT_GT(kills, 3);
}

TEST_F(Resuming, AfterCtrlCGivesTheBestSoFarAndThenTheSameBytes) {
  ASSERT_EQ(run(denoise("whole")).code, 0);
  Process process(folder(), denoise("stopped"));
  ASSERT_TRUE(process.wait_for("denoise 25/250"));
  process.send(SIGINT);
  const Outcome stopped = process.wait();
  EXPECT_EQ(stopped.code, 0) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("'unmar resume stopped.run' goes on from here"));
  EXPECT_EQ(get("stopped.png").width(), 32);
  EXPECT_EQ(facts("stopped")["result"]["stopped_by"], "cancelled");
  fs::remove(in("stopped.png"));
  const int best = facts("stopped")["result"]["best_iteration"];

  const Outcome resumed = run({"resume", "stopped.run", "--json", "--threads", "0"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(Json::parse(resumed.out, nullptr, false)["iterations"], 250);
  EXPECT_EQ(contents(in("stopped.png")), contents(in("whole.png")));
  EXPECT_EQ(of_run("stopped", "history.csv"), of_run("whole", "history.csv"));
  EXPECT_FALSE(fs::exists(in("stopped.run/checkpoint.bin")));
  // The best so far was kept; it is an iteration like others.
  EXPECT_THAT(run({"pick", "stopped.run", "--list"}).out, HasSubstr(std::to_string(best)));
}

TEST_F(Resuming, WorksFromAnotherFolder) {
  interrupt("a");
  const Outcome outcome =
      Process(fs::temp_directory_path(), {"resume", in("a.run").string(), "--threads", "9999"})
          .wait();
  EXPECT_EQ(outcome.code, kUsage) << outcome.err;
  fs::create_directory(in("below"));
  Process process(in("below"), {"resume", "../a.run"});
  ASSERT_TRUE(process.wait_for("/1000000"));
  process.send(SIGINT);
  EXPECT_EQ(process.wait().code, 0);
  EXPECT_THAT(run_files("a"), testing::Contains("checkpoint.bin"));
}

TEST_F(Resuming, IsRefusedIfAPictureChangedOrIsGone) {
  interrupt("a");
  put("clean.png", test_picture(24, 31));
  expect_refusal({"resume", "a.run"}, kFailure, {"the reference '", "clean.png'", "not the one"});
  put("clean.png", test_picture(24, 32));
  fs::rename(in("in.png"), in("elsewhere.png"));
  expect_refusal({"resume", "a.run"}, kFailure, {"the input '", "in.png'", "put it back"});
  fs::rename(in("elsewhere.png"), in("in.png"));
}

TEST_F(Resuming, IsRefusedInOneLineIfTheCheckpointIsDamaged) {
  interrupt("a");
  const fs::path file = in("a.run") / "checkpoint.bin";
  const std::string good = contents(file);
  const Words resume = {"resume", "a.run"};
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{10}, std::size_t{40}, good.size() / 2, good.size() - 1}) {
    put_bytes(file, good.substr(0, size));
    expect_refusal(resume, kFailure, {"checkpoint.bin' is "});
  }
  for (const std::size_t at : {std::size_t{100}, good.size() / 2, good.size() - 3}) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    put_bytes(file, changed);
    expect_refusal(resume, kFailure, {"checksum does not fit"});
  }
  std::string other = good;
  other[16] = 99;
  put_bytes(file, other);
  expect_refusal(resume, kFailure, {"format 99"});
  put_bytes(file, "Dear Sir or Madam, this is not a checkpoint, however long it may become.");
  expect_refusal(resume, kFailure, {"is damaged or no checkpoint"});
  put_bytes(file, good + "x");
  expect_refusal(resume, kFailure, {"cut short"});
}

TEST_F(Resuming, IsRefusedIfTheRecordIsOfAnotherRunVersionOrDamaged) {
  interrupt("a");
  interrupt("b");
  const fs::path file = in("a.run") / "run.json";
  const std::string good = contents(file);
  const Words resume = {"resume", "a.run"};

  Json other = Json::parse(good);
  other["unmar"] = "0.0.1";
  put_bytes(file, other.dump());
  expect_refusal(resume, kFailure, {"begun by unmar 0.0.1"});
  other["format"] = 99;
  put_bytes(file, other.dump());
  expect_refusal(resume, kFailure, {"format 99"});
  put_bytes(file, contents(in("b.run") / "run.json"));
  expect_refusal(resume, kFailure, {"belongs to another run.json"});
  put_bytes(file, good.substr(0, good.size() / 2));
  expect_refusal(resume, kFailure, {"run.json' is damaged"});
  for (const char* key : {"request", "sha256", "resolved", "network", "engine"}) {
    Json broken = Json::parse(good);
    broken[key] = Json::array({1, 2});
    put_bytes(file, broken.dump());
    expect_refusal(resume, kFailure, {"resume: "});
    broken.erase(key);
    put_bytes(file, broken.dump());
    expect_refusal(resume, kFailure, {"run.json' is damaged", key});
  }
}

TEST_F(Resuming, MisuseIsAnError) {
  expect_refusal({"resume", "nowhere"}, kFailure, {"nowhere' is not a folder"});
  expect_refusal({"resume", "."}, kFailure, {"holds no run"});
  expect_refusal({"resume"}, kUsage, {"RUN"});
  ASSERT_EQ(run(denoise("a", {"--iterations", "3"})).code, 0);
  expect_refusal({"resume", "a.run"}, kUsage, {"is finished", "unmar pick"});
  expect_refusal(denoise("a"), kUsage, {"holds a run already", "unmar resume"});
  const Words plain = Words{"denoise", "in.png", "-o", "b.png"} + kTiny;
  expect_refusal(plain + Words{"--checkpoint-every", "5"}, kUsage, {"--checkpoint-every", "--run"});
  expect_refusal(plain + Words{"--keep-every", "5"}, kUsage, {"--keep-every", "--run"});
  expect_refusal(plain + Words{"--run", "b.run", "--keep-every", "0"}, kUsage, {"got 0"});
  expect_refusal(plain + Words{"--run", "in.png"}, kFailure, {"--run", "not a folder"});
  expect_refusal(Words{"denoise", "in.png", "-o", "./in.png", "--run", "b.run"} + kTiny, kUsage,
                 {"replace './in.png'"});
}

TEST_F(Resuming, CheckpointIsAnotherNameOfRun) {
  const Words plain = Words{"denoise", "in.png", "-o", "b.png"} + kTiny;
  EXPECT_EQ(run(plain + Words{"--checkpoint", "b.run", "--checkpoint-every", "0.5"}).code, 0);
  EXPECT_TRUE(fs::exists(in("b.run/run.json")));
}

TEST_F(Resuming, OfARunThatAnotherProcessHasIsRefused) {
  Process process(folder(), denoise("a", {"--iterations", "1000000"}));
  ASSERT_TRUE(process.wait_for("denoise 1/1000000"));
  const Outcome second = run({"resume", "a.run"});
  EXPECT_EQ(second.code, kFailure);
  EXPECT_THAT(second.err, HasSubstr("another unmar works in"));
}

TEST_F(Resuming, FailsIfATileDoesAsTheRunDid) {
  put("large.png", test_picture(60, 110));
  fs::create_directories(in("a.run/tiles"));
  fs::create_symlink(in("nowhere/1.tile"), in("a.run/tiles/1.tile"));  // cannot be written
  const Words resume = {"resume", "a.run"};
  for (const Words& words :
       {Words{"denoise", "large.png", "-o", "a.png", "--run", "a.run", "--method", "dip"} + kTiny +
            Words{"--tile", "64"},
        resume}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, kFailure) << words.front();
    EXPECT_THAT(outcome.err, HasSubstr("the tiles that failed stay as they came"));
  }
  fs::remove(in("a.run/tiles/1.tile"));
  EXPECT_EQ(run(resume).code, 0);
}

TEST_F(Resuming, ADiskThatFillsUpCostsTheCheckpointNotTheFit) {
  ASSERT_EQ(run(denoise("whole")).code, 0);
  // The first checkpoints are written, then the folder is gone for new files.
  const auto files_of_4_kib = [] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{40'000, 40'000};
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  const Words plain = Words{"denoise", "in.png", "-o", "b.png", "--run", "b.run"} + kTiny +
                      Words{"--checkpoint-every", "0", "--channels", "16"};
  const Outcome outcome = Process(folder(), plain, files_of_4_kib).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("warning: --run: "));
  EXPECT_EQ(get("b.png").width(), 32);
  for (const std::string& file : run_files("b")) EXPECT_THAT(file, testing::Not(HasSubstr("tmp")));
}

}  // namespace resume_test
}  // namespace unmar::cli_test
