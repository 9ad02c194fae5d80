#pragma once

#include <signal.h>

#include <stop_token>

namespace unmar::cli {

/// While it lives, the first Ctrl-C (or SIGTERM) is only noted, so that a fit can end cleanly; the
/// second ends the program at once with exit code 130. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool noted() const;
  /// Passes a noted Ctrl-C on to token(); a signal handler itself must not do that.
  void poll();
  std::stop_token token() const { return source_.get_token(); }
  /// From here to the end of its life signals are ignored: files are being written, which is short,
  /// and must not leave a temporary file behind.
  void hold_off();

 private:
  std::stop_source source_;
  struct sigaction old_int_, old_term_;
};

}  // namespace unmar::cli
