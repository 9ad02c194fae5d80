#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace unmar::cli_test {

// Exit codes of unmar.
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;

struct Outcome {
  int code = -1;  ///< exit code; -1 if a signal ended it
  std::string out, err;
};

/// A running unmar whose output goes to files in `folder`, which is also its working directory.
class Process {
 public:
  /// in_child runs between fork and exec, e.g. to set limits.
  Process(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
          const std::function<void()>& in_child = {});
  ~Process();  ///< ends it if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal);
  /// Waits until `text` is on stderr; false if it ended or 60 s passed before.
  bool wait_for(const std::string& text);
  Outcome wait();
  bool ended();

 private:
  std::filesystem::path out_, err_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool reaped_ = false;
};

std::string contents(const std::filesystem::path& path);

}  // namespace unmar::cli_test
