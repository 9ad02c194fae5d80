#pragma once

#include <signal.h>

#include <stop_token>
#include <thread>

namespace unmar::cli {

/// While it lives, the first Ctrl-C (or SIGTERM) only requests a stop of token(), at once and on a
/// thread of its own, so that work can end cleanly; the second ends the program with exit code 130.
/// One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  /// From here to the end of its life signals are ignored: files are being written, which is short,
  /// and must not leave a temporary file behind.
  void hold_off();

 private:
  std::stop_source source_;
  struct sigaction old_int_, old_term_;
  std::thread waiting_;
};

}  // namespace unmar::cli
