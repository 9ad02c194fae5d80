#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "engine/fake_cuda/simt.h"

#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace unmar::fake_cuda {

thread_local Dim thread_index, block_index;

namespace {

[[noreturn]] void die(const char* text) {
  std::fprintf(stderr, "fake libcuda: %s (block %u,%u,%u thread %u)\n", text, block_index.x,
               block_index.y, block_index.z, thread_index.x);
  std::abort();
}

constexpr std::size_t kStack = 64 << 10;

#ifdef __x86_64__
// Saves what a called function must keep, and goes on with another stack.
extern "C" void unmar_fake_cuda_switch(void** save, void* load);
asm(R"(
.text
.globl unmar_fake_cuda_switch
.type unmar_fake_cuda_switch,@function
unmar_fake_cuda_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
)");
struct Saved {
  void* sp = nullptr;
  void start(char* stack, void (*entry)()) {
    auto end = reinterpret_cast<std::uintptr_t>(stack) + kStack;
    void** top = reinterpret_cast<void**>(end & ~std::uintptr_t{15}) - 1;
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    sp = top;
  }
  static void change(Saved& from, Saved& to) { unmar_fake_cuda_switch(&from.sp, to.sp); }
};
#else
struct Saved {
  ucontext_t context;
  void start(char* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack = {.ss_sp = stack, .ss_flags = 0, .ss_size = kStack};
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  static void change(Saved& from, Saved& to) { swapcontext(&from.context, &to.context); }
};
#endif

enum class State : unsigned char { ready, at_block_barrier, at_warp_barrier, done };

struct LateCopy {
  void* to;
  const void* from;
  bool wanted;
};
struct Lane {
  Saved saved;
  std::unique_ptr<char[]> stack;
  State state;
  std::vector<LateCopy> copies;      ///< not made yet
  std::vector<std::size_t> batches;  ///< how many copies each has; those after the last are open
};

/// The one block that runs.
struct Block {
  std::vector<Lane> lanes = std::vector<Lane>(kMostThreads);
  Saved scheduler;
  unsigned threads = 0, current = 0;
  int waiting = 0, done = 0;  ///< at the block's barrier; at the end
  int warp_waiting[kMostThreads / 32] = {};
  WarpShow shows[kMostThreads / 32];
  const std::function<void()>* kernel = nullptr;
  std::unique_ptr<std::byte[]> memory{new (std::align_val_t{128}) std::byte[kMostBytes]};
  std::size_t memory_used = 0;
};
thread_local Block* block = nullptr;

void pause(State state) {
  Lane& lane = block->lanes[block->current];
  lane.state = state;
  Saved::change(lane.saved, block->scheduler);
}
void enter() {
  (*block->kernel)();
  if (!block->lanes[block->current].copies.empty()) die("copies that nobody waited for");
  ++block->done;
  pause(State::done);
}

/// Small and always the same, so that a failure comes again.
struct Dice {
  std::uint32_t state = 12345;
  unsigned below(unsigned n) {
    state = state * 1664525u + 1013904223u;
    return static_cast<unsigned>((std::uint64_t{state >> 8} * n) >> 24);
  }
};
thread_local Dice dice;

/// 0 ... n-1 in some order: steps of a stride without a common factor.
struct Order {
  unsigned n, at, stride;
  explicit Order(unsigned count) : n(count), at(dice.below(count)) {
    constexpr unsigned kPrimes[] = {1, 7919, 104729, 15485863, 32452843, 49979687};
    stride = kPrimes[dice.below(6)] % n;
    if (stride == 0) stride = 1;
    if (dice.below(2)) stride = n - stride;
    unsigned a = stride, b = n;  // primes may still divide n
    while (b != 0) a = std::exchange(b, a % b);
    if (a != 1) stride = 1;
  }
  unsigned next() {
    const unsigned value = at;
    at = static_cast<unsigned>((std::uint64_t{at} + stride) % n);
    return value;
  }
};

void release(unsigned begin, unsigned end, State from) {
  for (unsigned t = begin; t < end; ++t)
    if (block->lanes[t].state == from) block->lanes[t].state = State::ready;
}

/// Each ready thread of these goes on until it waits. False: none is ready.
bool run_ready(unsigned begin, unsigned count) {
  Block& b = *block;
  bool moved = false;
  Order order(count);
  for (unsigned k = 0; k < count; ++k) {
    const unsigned t = begin + order.next();
    if (b.lanes[t].state != State::ready) continue;
    moved = true;
    b.current = t;
    thread_index = {t, 0, 0};
    Saved::change(b.scheduler, b.lanes[t].saved);
  }
  return moved;
}

void run_block() {
  Block& b = *block;
  b.waiting = b.done = 0;
  std::memset(b.memory.get(), 0xFF, b.memory_used);
  for (unsigned t = 0; t < b.threads; ++t) {
    b.lanes[t].saved.start(b.lanes[t].stack.get(), &enter);
    b.lanes[t].state = State::ready;
    b.lanes[t].batches.clear();
  }
  for (int& w : b.warp_waiting) w = 0;
  for (WarpShow& s : b.shows) s.arrived = 0;
  const int threads = static_cast<int>(b.threads);
  while (b.done < threads) {
    // Every other time one warp runs ahead of the others, to the next barrier of the block.
    if (b.threads % 32 == 0 && dice.below(2) == 0) {
      const unsigned warp = dice.below(b.threads / 32);
      while (run_ready(32 * warp, 32)) continue;
    } else if (!run_ready(0, b.threads)) {
      die("threads wait for others that never come to the same barrier");
    }
  }
}

}  // namespace

void run_grid(Dim grid, unsigned threads, std::size_t shared_bytes,
              const std::function<void()>& kernel) {
  static thread_local Block own;
  block = &own;
  if (threads > kMostThreads) die("too many threads in a block");
  own.threads = threads;
  own.kernel = &kernel;
  if (shared_bytes > kMostBytes) die("too much shared memory for some cards");
  own.memory_used = std::max(own.memory_used, shared_bytes);
  for (unsigned t = 0; t < threads; ++t)
    if (!own.lanes[t].stack) own.lanes[t].stack.reset(new char[kStack]);
  const unsigned total = grid.x * grid.y * grid.z;
  Order order(total);
  for (unsigned k = 0; k < total; ++k) {
    const unsigned i = order.next();
    block_index = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    run_block();
  }
}

void block_barrier() {
  Block& b = *block;
  if (++b.waiting < static_cast<int>(b.threads)) return pause(State::at_block_barrier);
  b.waiting = 0;  // the last one releases all, and goes on
  release(0, b.threads, State::at_block_barrier);
}

void warp_barrier() {
  Block& b = *block;
  const unsigned warp = b.current / 32;
  if (++b.warp_waiting[warp] < 32) return pause(State::at_warp_barrier);
  b.warp_waiting[warp] = 0;
  release(32 * warp, 32 * warp + 32, State::at_warp_barrier);
}

void* shared_memory(std::size_t bytes) {
  block->memory_used = std::max(block->memory_used, bytes);
  return block->memory.get();
}

WarpShow& warp_show() { return block->shows[block->current / 32]; }

void copy_later(void* to, const void* from, bool wanted) {
  block->lanes[block->current].copies.push_back({to, from, wanted});
}
void end_batch() {
  Lane& lane = block->lanes[block->current];
  std::size_t in_batches = 0;
  for (const std::size_t n : lane.batches) in_batches += n;
  lane.batches.push_back(lane.copies.size() - in_batches);
}
void wait_for_batches(std::size_t left) {
  Lane& lane = block->lanes[block->current];
  std::size_t made = 0;
  while (lane.batches.size() > left) {
    for (std::size_t n = lane.batches.front(); n > 0; --n, ++made) {
      const LateCopy& copy = lane.copies[made];
      if (copy.wanted)
        std::memcpy(copy.to, copy.from, 16);
      else
        std::memset(copy.to, 0, 16);
    }
    lane.batches.erase(lane.batches.begin());
  }
  lane.copies.erase(lane.copies.begin(), lane.copies.begin() + static_cast<std::ptrdiff_t>(made));
}

}  // namespace unmar::fake_cuda

void unmar::cuda::require_aligned(const void* p, unsigned bytes) {
  if (reinterpret_cast<std::uintptr_t>(p) % bytes != 0)
    fake_cuda::die("an address is no multiple of what is read or written there");
}
