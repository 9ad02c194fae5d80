#include "interrupt.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <unmar/base/files.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace unmar::cli {
namespace {

/// Shells and supervisors often send a second signal right behind the first, and people press
/// Ctrl-C twice: that is the same wish.
constexpr std::int64_t kSoon = 3'000'000'000;  // ns

// Handlers can reach nothing but globals, and only write: a thread waits and does the rest.
std::atomic<std::int64_t> first_signal{0};  ///< when, ns; 0: there was none
static_assert(std::atomic<std::int64_t>::is_always_lock_free);
int event = -1;

/// The user's two are what batch systems send before time is up.
constexpr std::array kEndings = {SIGHUP,  SIGINT,  SIGTERM, SIGXCPU,
                                 SIGUSR1, SIGUSR2, SIGALRM, SIGQUIT};

void set_handler(int signal, void (*handler)(int), int flags = SA_RESTART) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

/// nohup and the like: who started the program wants it to live on.
bool is_ignored(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

std::int64_t now() {
  timespec time = {};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(event, &one, sizeof one);
}

/// Ends the program as the signal would have done.
void on_ending(int signal) {
  remove_unfinished_files();
  raise(signal);  // the handler is gone (SA_RESETHAND)
}

void on_request(int signal) {
  const int error = errno;
  const std::int64_t first = first_signal;
  if (first == 0) {
    first_signal = now();
    wake();
  } else if (signal == SIGINT && now() - first > kSoon) {
    remove_unfinished_files();
    _exit(130);
  }
  errno = error;
}

/// Ctrl-\ is left as it is: it ends what no longer answers.
bool asks_to_end(int signal) { return signal != SIGQUIT; }

/// In a script's background a Ctrl-C is ignored, but `kill -INT` is meant.
bool is_meant(int signal) {
  return asks_to_end(signal) && (signal != SIGHUP || !is_ignored(SIGHUP));
}

}  // namespace

void guard_endings() {
  set_handler(SIGPIPE, SIG_IGN);
  set_handler(SIGXFSZ, SIG_IGN);
  for (const int signal : kEndings)
    if (!is_ignored(signal)) set_handler(signal, on_ending, SA_RESETHAND | SA_NODEFER);
}

Interrupt::Interrupt() {
  first_signal = 0;
  event = eventfd(0, EFD_CLOEXEC);
  waiting_ = std::thread([this] {
    std::uint64_t count = 0;
    while (read(event, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (first_signal != 0) source_.request_stop();
  });
  for (std::size_t i = 0; i < kEndings.size(); ++i) {
    sigaction(kEndings[i], nullptr, &before_.at(i));
    if (is_meant(kEndings[i])) set_handler(kEndings[i], on_request);
  }
}

void Interrupt::hold_off() {
  for (const int signal : kEndings)
    if (asks_to_end(signal)) set_handler(signal, SIG_IGN);
}

Interrupt::~Interrupt() {
  // Once it was asked to end, the program does; to ask again must not spoil its exit code.
  for (std::size_t i = 0; i < kEndings.size() && first_signal == 0; ++i)
    sigaction(kEndings[i], &before_.at(i), nullptr);
  wake();
  waiting_.join();
  close(event);
  event = -1;
}

}  // namespace unmar::cli
