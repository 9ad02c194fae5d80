#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stop_token>
#include <vector>

#include "unmar/base/process.h"

namespace unmar {
namespace {

class ThreadPoolOf : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolOf, calls_each_chunk_once) {
  ThreadPool pool(GetParam());
  for (const int chunks : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(chunks));
    pool.run(chunks, [&](int chunk, int) { ++calls[static_cast<std::size_t>(chunk)]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1);
  }
}

// Short loops right behind each other: workers arrive late and must not take the next loop's chunks
// for those of the last, which a longer loop behind a shorter one would offer them.
TEST_P(ThreadPoolOf, keeps_loops_apart_that_follow_each_other_closely) {
  ThreadPool pool(GetParam());
  constexpr int kLoops = 100000, kLengths[] = {3, 40};
  std::vector<long> values(40), expected(40);
  for (int loop = 0; loop < kLoops; ++loop) {
    const int chunks = kLengths[loop % 2];
    pool.run(chunks,
             [&values, loop](int chunk, int) { values[static_cast<std::size_t>(chunk)] += loop; });
    for (int chunk = 0; chunk < chunks; ++chunk) expected[static_cast<std::size_t>(chunk)] += loop;
  }
  EXPECT_EQ(values, expected);
}

TEST_P(ThreadPoolOf, numbers_its_threads_within_range_and_never_shares_a_number) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  std::vector<std::atomic<int>> inside(static_cast<std::size_t>(GetParam()));
  std::atomic<bool> shared = false;
  pool.run(500, [&](int, int thread) {
    ASSERT_GE(thread, 0);
    ASSERT_LT(thread, GetParam());
    if (++inside[static_cast<std::size_t>(thread)] != 1) shared = true;
    std::this_thread::yield();
    --inside[static_cast<std::size_t>(thread)];
  });
  EXPECT_FALSE(shared);
}

TEST_P(ThreadPoolOf, leaves_out_chunks_once_it_is_cancelled) {
  ThreadPool pool(GetParam());
  std::stop_source source;
  pool.cancel_with(source.get_token());
  std::atomic<int> calls = 0, late = 0;
  constexpr int kChunks = 100000, kLast = 50;
  const auto body = [&](int, int) {
    if (source.stop_requested()) ++late;
    if (++calls == kLast) source.request_stop();
  };
  pool.run(kChunks, body);
  EXPECT_GE(calls, kLast);
  EXPECT_LT(late, GetParam()) << "each other thread may be about to begin a chunk";
  calls = 0;
  pool.run(kChunks, body);
  EXPECT_EQ(calls, 0);
  pool.cancel_with({});
  pool.run(kChunks, body);
  EXPECT_EQ(calls, kChunks);
}

TEST_P(ThreadPoolOf, ends_without_having_been_used) { ThreadPool pool(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, takes_all_cores_for_zero) { EXPECT_EQ(ThreadPool(0).threads(), core_count()); }

}  // namespace
}  // namespace unmar
