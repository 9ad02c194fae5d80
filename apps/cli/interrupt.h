#pragma once

#include <signal.h>

#include <array>
#include <stop_token>
#include <thread>

namespace unmar::cli {

/// At the start of the program. From here on, what writes into a pipe that nobody reads, or beyond
/// the greatest size of a file, gets an error and not a signal; and a signal that ends the program
/// removes what is half-written first.
void guard_endings();

/// While it lives, whatever asks the program to end (Ctrl-C, SIGTERM, a terminal that is closed,
/// the limit of CPU time) only requests a stop of token(), at once and on a thread of its own, so
/// that work can end cleanly. So does the same again soon after; a Ctrl-C later than that ends the
/// program with exit code 130. One at a time.
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
  std::array<struct sigaction, 8> before_;
  std::thread waiting_;
};

}  // namespace unmar::cli
