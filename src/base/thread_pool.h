#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace unmar {

/// A few threads that share loops of independent chunks with the thread that calls run().
///
/// A loop ends when its chunks are done, not when every worker has arrived: where other programs
/// keep a core busy, the chunks simply go to the threads that run. Nothing is allocated by run().
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  ///< in all, the caller included; 0: one per core
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(chunk, thread) once for each chunk in [0, chunks), 0 <= thread < threads().
  /// Which thread takes which chunk varies, so a result must not depend on it: sums over chunks are
  /// kept per chunk and added in order afterwards. body must not throw. One loop at a time.
  template <class Body>
  void run(int chunks, const Body& body) {
    if (workers_.empty() || chunks <= 1) {
      for (int chunk = 0; chunk < chunks && !cancel_.stop_requested(); ++chunk) body(chunk, 0);
      return;
    }
    start(&call<Body>, &body, chunks);
  }

  /// From here on run() leaves out chunks once this is requested: what they were to write is then
  /// not written, and who asked for it throws everything away. An empty token: it leaves out none.
  void cancel_with(std::stop_token cancel) { cancel_ = std::move(cancel); }

 private:
  using Call = void (*)(const void* body, int chunk, int thread);
  template <class Body>
  static void call(const void* body, int chunk, int thread) {
    (*static_cast<const Body*>(body))(chunk, thread);
  }

  void start(Call call, const void* body, int chunks);
  void work(std::uint32_t loop, int thread);
  void worker(int thread);

  // The loop's number in the upper half, its next chunk in the lower: a chunk is claimed by
  // counting up, which fails for a worker that is late and still thinks of an earlier loop.
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<Call> call_{nullptr};
  std::atomic<const void*> body_{nullptr};
  std::atomic<std::uint32_t> chunks_{0}, done_{0};
  std::atomic<bool> quit_{false};
  std::stop_token cancel_;  ///< changes between loops; read for chunks that are claimed
  std::vector<std::thread> workers_;
};

}  // namespace unmar
