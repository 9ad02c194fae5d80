#pragma once

#include <unmar/runs/training.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "interrupt.h"
#include "progress.h"

namespace unmar::cli {

/// Shows a training on the terminal and stops it by Ctrl-C.
class TrainingConsole : public TrainingObserver {
 public:
  explicit TrainingConsole(bool quiet) : quiet_(quiet), line_("train", false, quiet) {}

  std::stop_token stop() const { return interrupt_.token(); }
  const std::string& folder() const { return folder_; }

  void started(const TrainingStart& start) override;
  void progressed(const TrainingProgress& progress) override;
  void warned(const std::string& text) override;
  void writing() override;

 private:
  const bool quiet_;
  Interrupt interrupt_;
  Progress line_;
  std::string folder_;
};

/// What the commands that train have in common.
struct TrainingArguments {
  std::filesystem::path resume;
  std::vector<const OptionInfo*> given;
  bool quiet = false, json = false;

  bool is_given(std::string_view name) const;
};

/// Refuses options that resuming takes as they were.
void check_resumed(const TrainingArguments& arguments);

template <class Request>
TrainingChanges changes_of(const TrainingArguments& a, const Request& request) {
  const auto changed = [&a](const char* name, auto value) {
    return a.is_given(name) ? std::optional(value) : std::nullopt;
  };
  return {.iterations = changed("iterations", request.iterations),
          .threads = changed("threads", request.threads),
          .samples = changed("samples", request.samples),
          .checkpoint_every = changed("checkpoint-every", request.checkpoint_every)};
}

/// How it ended, for people and, if wanted, for programs. command: "ddpm train".
void tell_training(const TrainingArguments& arguments, const char* command,
                   const std::string& folder, const TrainingResult& result);

/// IMAGES, -o and --resume, and `more` files behind them; then the options; then --quiet and
/// --json. Either IMAGES and -o or --resume must be given.
struct TrainingFlags {
  const char* command;  ///< "ddpm train"
  std::filesystem::path &images, &output;
  std::function<void(class Declaration&)> declare_files = {};
  std::function<void()> declare_options;
};
void declare_training(CLI::App& command, const TrainingFlags& flags, TrainingArguments& arguments,
                      std::function<void()> chosen);

}  // namespace unmar::cli
