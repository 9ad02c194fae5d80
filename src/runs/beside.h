#pragma once

#include <fmt/format.h>

#include <exception>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace unmar::runs {

/// Does what stands beside the result of a run. If that fails, a full disk say, it costs what could
/// not be written and not the run: a warning, once for each kind of file.
class Beside {
 public:
  explicit Beside(std::function<void(const std::string&)> warn) : warn_(std::move(warn)) {}

  template <class Write>
  void operator()(std::string_view kind, Write write) {
    try {
      write();
    } catch (const std::exception& error) {
      if (failed_.emplace(kind).second)
        warn_(fmt::format("{}; the {}", error.what(),
                          written_ ? "result is written" : "work goes on"));
    }
  }

  /// From here on warnings say so.
  void result_is_written() { written_ = true; }

 private:
  std::function<void(const std::string&)> warn_;
  std::set<std::string, std::less<>> failed_;
  bool written_ = false;
};

}  // namespace unmar::runs
