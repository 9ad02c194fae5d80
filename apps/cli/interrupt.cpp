#include "interrupt.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace unmar::cli {
namespace {

// Handlers can reach nothing but globals, and only write: a thread waits and does the rest.
volatile sig_atomic_t signals_seen = 0;
int event = -1;

void wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(event, &one, sizeof one);
}

void on_signal(int) {
  if (signals_seen) _exit(130);
  signals_seen = 1;
  const int error = errno;
  wake();
  errno = error;
}

void install(void (*handler)(int), struct sigaction* old_int, struct sigaction* old_term) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, old_int);
  sigaction(SIGTERM, &action, old_term);
}

}  // namespace

Interrupt::Interrupt() {
  signals_seen = 0;
  event = eventfd(0, EFD_CLOEXEC);
  waiting_ = std::thread([this] {
    std::uint64_t count = 0;
    while (read(event, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (signals_seen) source_.request_stop();
  });
  install(on_signal, &old_int_, &old_term_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
  wake();
  waiting_.join();
  close(event);
  event = -1;
}

void Interrupt::hold_off() { install(SIG_IGN, nullptr, nullptr); }

}  // namespace unmar::cli
