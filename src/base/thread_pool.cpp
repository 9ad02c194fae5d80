#include "base/thread_pool.h"
#include "unmar/base/process.h"

#include <algorithm>

namespace unmar {
namespace {

/// Loops follow each other closely while a network runs, so a worker looks this often before it
/// sleeps: some tens of microseconds, about what waking it would cost.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr std::uint32_t kClosed = 0xFFFFFFFFu;  ///< a chunk that no loop has

std::uint32_t loop_of(std::uint64_t ticket) { return static_cast<std::uint32_t>(ticket >> 32); }

}  // namespace

ThreadPool::ThreadPool(int threads) {
  threads = thread_count(threads);
  for (int thread = 1; thread < threads; ++thread)
    workers_.emplace_back([this, thread] { worker(thread); });
}

ThreadPool::~ThreadPool() {
  quit_ = true;
  ticket_.store(std::uint64_t{loop_of(ticket_) + 1} << 32 | kClosed);
  ticket_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::start(Call call, const void* body, int chunks) {
  const std::uint32_t last = loop_of(ticket_.load(std::memory_order_relaxed));
  // Nothing of the last loop can be claimed while its fields are replaced: a worker that is late
  // could else find that a longer loop still has the chunk it was refused. Who reads one of the new
  // fields, with acquire in work(), also sees that the last loop was closed, so cannot claim of it.
  ticket_.store(std::uint64_t{last} << 32 | kClosed, std::memory_order_relaxed);
  call_.store(call, std::memory_order_release);
  body_.store(body, std::memory_order_release);
  chunks_.store(static_cast<std::uint32_t>(chunks), std::memory_order_release);
  done_.store(0, std::memory_order_relaxed);
  const std::uint32_t loop = last + 1;
  ticket_.store(std::uint64_t{loop} << 32);
  ticket_.notify_all();
  work(loop, 0);
  for (int spin = 0; done_.load(std::memory_order_acquire) != static_cast<std::uint32_t>(chunks);
       ++spin)
    spin < kSpins ? pause() : std::this_thread::yield();
}

void ThreadPool::work(std::uint32_t loop, int thread) {
  for (;;) {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    const std::uint32_t chunks = chunks_.load(std::memory_order_acquire);
    const Call call = call_.load(std::memory_order_acquire);
    const void* body = body_.load(std::memory_order_acquire);
    const auto chunk = static_cast<std::uint32_t>(ticket);
    if (loop_of(ticket) != loop || chunk >= chunks) return;
    // Success proves that the loop was still open while its fields were read.
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    if (!cancel_.stop_requested()) call(body, static_cast<int>(chunk), thread);
    done_.fetch_add(1, std::memory_order_release);
  }
}

void ThreadPool::worker(int thread) {
  std::uint32_t seen = 0;
  for (;;) {
    std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
    for (int spin = 0; loop_of(ticket) == seen; ++spin) {
      if (spin < kSpins)
        pause();
      else
        ticket_.wait(ticket, std::memory_order_acquire);
      ticket = ticket_.load(std::memory_order_acquire);
    }
    if (quit_) return;
    seen = loop_of(ticket);
    work(seen, thread);
  }
}

}  // namespace unmar
