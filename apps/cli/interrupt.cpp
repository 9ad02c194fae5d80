#include "interrupt.h"

#include <unistd.h>

namespace unmar::cli {
namespace {

volatile sig_atomic_t signals_seen = 0;  // handlers can reach nothing but globals

void on_signal(int) {
  if (signals_seen) _exit(130);
  signals_seen = 1;
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
  install(on_signal, &old_int_, &old_term_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

bool Interrupt::noted() const { return signals_seen != 0; }

void Interrupt::poll() {
  if (noted()) source_.request_stop();
}

void Interrupt::hold_off() { install(SIG_IGN, nullptr, nullptr); }

}  // namespace unmar::cli
