#include "count_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace unmar::test {
namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> calls{0};

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (counting) ++calls;
  // aligned_alloc takes multiples of the alignment.
  void* memory =
      alignment > alignof(std::max_align_t)
          ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
          : std::malloc(bytes > 0 ? bytes : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void start_counting() {
  calls = 0;
  counting = true;
}

std::size_t stop_counting() {
  counting = false;
  return calls;
}

}  // namespace unmar::test

// All other forms of new and delete call these.
void* operator new(std::size_t bytes) { return unmar::test::allocate(bytes, 1); }
void* operator new[](std::size_t bytes) { return unmar::test::allocate(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return unmar::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return unmar::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
