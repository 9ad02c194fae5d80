/// A libcuda.so.1 for tests: the calls that the engine makes, on memory of the host. Nasty on
/// purpose: memory is full of NaN at first, and ends at a page that must not be touched; nothing
/// runs, no copy lands before somebody waits for it.
///
/// UNMAR_FAKE_CUDA_CARDS       how many there are (1)
/// UNMAR_FAKE_CUDA_CAPABILITY  80
/// UNMAR_FAKE_CUDA_VERSION     12020
/// UNMAR_FAKE_CUDA_MEMORY      bytes of a card (4 GiB)
/// UNMAR_FAKE_CUDA_LOST_AFTER  so many launches, then every call fails
/// UNMAR_FAKE_CUDA_COUNT       a file that gets the number of launches of each kernel at the end
#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/fake_cuda/kernels.h"

namespace {

using unmar::fake_cuda::find_kernel;
using unmar::fake_cuda::NamedKernel;
using unmar::fake_cuda::run_grid;

enum Result { ok = 0, invalid_value = 1, out_of_memory = 2, not_found = 500, launch_failed = 719 };
using Address = unsigned long long;
/// False: what it waits for is not done yet.
using Task = std::function<bool()>;

long long setting(const char* name, long long standard) {
  const char* text = std::getenv(name);
  return text && *text ? std::atoll(text) : standard;
}

[[noreturn]] void die(const char* text) {
  std::fprintf(stderr, "fake libcuda: %s\n", text);
  std::abort();
}

struct FakeStream {
  std::deque<Task> waiting;
  std::vector<Task>* recording = nullptr;  ///< perhaps that of a stream that this one follows
  bool joined = true;                      ///< what it recorded for another one is waited for there
};
struct FakeEvent {
  bool timed = true;
  int records = 0, done = 0;  ///< asked for, reached
  FakeStream* recording = nullptr;
  std::chrono::steady_clock::time_point at;
};
struct FakeGraph {
  std::vector<Task> tasks;
};
struct FakeModule {
  std::string ptx;
};

std::mutex mutex;  // one card, one thing at a time
std::size_t memory_used = 0;
std::map<Address, std::size_t> allocations;  // address, bytes
long long launches = 0;
std::map<std::string, long long> launches_of;
std::map<std::string, unsigned> shared_allowed;  // bytes at launch, by kernel

std::size_t memory_size() {
  return static_cast<std::size_t>(setting("UNMAR_FAKE_CUDA_MEMORY", 4ll << 30));
}
bool lost() {
  static const long long after = setting("UNMAR_FAKE_CUDA_LOST_AFTER", -1);
  return after >= 0 && launches >= after;
}
void require_allocated(Address address, std::size_t bytes) {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin()) die("a copy from or to memory that nobody allocated");
  const auto& [begin, size] = *--after;
  if (address + bytes > begin + size) die("a copy beyond the end of its memory");
}

std::size_t pages_of(std::size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

std::vector<FakeStream*> streams;

void add_task(FakeStream* stream, Task task) {
  if (stream->recording) {
    stream->recording->push_back(std::move(task));
    stream->joined = false;
  } else {
    stream->waiting.push_back(std::move(task));
  }
}
void add(FakeStream* stream, std::function<void()> work) {
  add_task(stream, [work = std::move(work)] {
    work();
    return true;
  });
}
/// As far as it comes; whether it came anywhere.
bool advance(FakeStream* stream) {
  bool moved = false;
  while (!stream->waiting.empty() && stream->waiting.front()()) {
    stream->waiting.pop_front();
    moved = true;
  }
  return moved;
}
/// Every other time what other streams have goes first, else only where this one waits for it.
void run(FakeStream* stream) {
  static bool others_first = false;
  others_first = !others_first;
  const auto advance_others = [&] {
    bool moved = false;
    for (FakeStream* other : streams)
      if (other != stream && !other->recording) moved |= advance(other);
    return moved;
  };
  if (others_first) advance_others();
  while (!stream->waiting.empty())
    if (!advance(stream) && !advance_others()) die("streams wait for each other");
}

struct AtExit {
  ~AtExit() {
    const char* path = std::getenv("UNMAR_FAKE_CUDA_COUNT");
    if (!path) return;
    if (std::FILE* file = std::fopen(path, "w")) {
      for (const auto& [name, count] : launches_of)
        std::fprintf(file, "%s %lld\n", name.c_str(), count);
      std::fclose(file);
    }
  }
} at_exit;

}  // namespace

extern "C" {

int cuInit(unsigned) { return setting("UNMAR_FAKE_CUDA_CARDS", 1) > 0 ? 0 : 100; }
int cuDriverGetVersion(int* version) {
  *version = static_cast<int>(setting("UNMAR_FAKE_CUDA_VERSION", 12020));
  return ok;
}
int cuGetErrorName(int result, const char** name) {
  *name = result == out_of_memory   ? "CUDA_ERROR_OUT_OF_MEMORY"
          : result == launch_failed ? "CUDA_ERROR_LAUNCH_FAILED"
                                    : "CUDA_ERROR_UNKNOWN";
  return ok;
}
int cuDeviceGetCount(int* count) {
  *count = static_cast<int>(setting("UNMAR_FAKE_CUDA_CARDS", 1));
  return ok;
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  return ok;
}
int cuDeviceGetName(char* name, int size, int) {
  std::snprintf(name, static_cast<std::size_t>(size), "Fake card");
  return ok;
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  *bytes = memory_size();
  return ok;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  const auto capability = static_cast<int>(setting("UNMAR_FAKE_CUDA_CAPABILITY", 80));
  if (attribute != 75 && attribute != 76) return invalid_value;
  *value = attribute == 75 ? capability / 10 : capability % 10;
  return ok;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
  static int one;
  *context = &one;
  return ok;
}
int cuDevicePrimaryCtxRelease_v2(int) { return ok; }
int cuCtxSetCurrent(void*) { return lost() ? launch_failed : ok; }
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(mutex);
  *total = memory_size();
  *free = *total - memory_used;
  return ok;
}

/// Right-aligned to 256 bytes before a page that must not be touched.
int cuMemAlloc_v2(Address* address, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  if (memory_used + bytes > memory_size()) return out_of_memory;
  const std::size_t rounded = (bytes + 255) / 256 * 256, pages = pages_of(rounded);
  void* memory =
      mmap(nullptr, pages + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return out_of_memory;
  char* begin = static_cast<char*>(memory);
  mprotect(begin + pages, 4096, PROT_NONE);
  begin += pages - rounded;
  std::memset(begin, 0xFF, rounded);
  *address = reinterpret_cast<Address>(begin);
  allocations[*address] = bytes;
  memory_used += bytes;
  return ok;
}
int cuMemFree_v2(Address address) {
  const std::lock_guard lock(mutex);
  const auto found = allocations.find(address);
  if (found == allocations.end()) die("what is freed was not allocated");
  const std::size_t rounded = (found->second + 255) / 256 * 256, pages = pages_of(rounded);
  munmap(reinterpret_cast<char*>(address) - (pages - rounded), pages + 4096);
  memory_used -= found->second;
  allocations.erase(found);
  return ok;
}
int cuMemHostAlloc(void** memory, std::size_t bytes, unsigned) {
  *memory = std::malloc(bytes);
  std::memset(*memory, 0xFF, bytes);
  return ok;
}
int cuMemFreeHost(void* memory) {
  std::free(memory);
  return ok;
}

int cuMemcpyHtoDAsync_v2(Address dst, const void* src, std::size_t bytes, FakeStream* stream) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  require_allocated(dst, bytes);
  add(stream, [=] { std::memcpy(reinterpret_cast<void*>(dst), src, bytes); });
  return ok;
}
int cuMemcpyDtoHAsync_v2(void* dst, Address src, std::size_t bytes, FakeStream* stream) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  require_allocated(src, bytes);
  add(stream, [=] { std::memcpy(dst, reinterpret_cast<const void*>(src), bytes); });
  return ok;
}
int cuMemcpyDtoDAsync_v2(Address dst, Address src, std::size_t bytes, FakeStream* stream) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  require_allocated(dst, bytes);
  require_allocated(src, bytes);
  add(stream, [=] {
    std::memcpy(reinterpret_cast<void*>(dst), reinterpret_cast<const void*>(src), bytes);
  });
  return ok;
}
int cuMemsetD32Async(Address dst, unsigned word, std::size_t count, FakeStream* stream) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  require_allocated(dst, 4 * count);
  add(stream, [=] {
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(reinterpret_cast<char*>(dst) + 4 * i, &word, 4);
  });
  return ok;
}

int cuStreamCreate(FakeStream** stream, unsigned) {
  if (lost()) return launch_failed;
  streams.push_back(*stream = new FakeStream);
  return ok;
}
int cuStreamDestroy_v2(FakeStream* stream) {
  const std::lock_guard lock(mutex);
  std::erase(streams, stream);
  delete stream;
  return ok;
}
int cuStreamSynchronize(FakeStream* stream) {
  const std::lock_guard lock(mutex);
  if (stream->recording) die("a stream that is recorded is waited for");
  if (lost()) return launch_failed;
  run(stream);
  return lost() ? launch_failed : ok;
}

int cuEventCreate(FakeEvent** event, unsigned flags) {
  constexpr unsigned kWithoutTime = 2;
  *event = new FakeEvent;
  (*event)->timed = (flags & kWithoutTime) == 0;
  return ok;
}
int cuEventDestroy_v2(FakeEvent* event) {
  delete event;
  return ok;
}
int cuEventRecord(FakeEvent* event, FakeStream* stream) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  if (stream->recording) {
    if (event->timed) die("an event of a recorded stream cannot be timed");
    event->recording = stream;
    return ok;
  }
  event->recording = nullptr;
  ++event->records;
  add(stream, [=] {
    ++event->done;
    event->at = std::chrono::steady_clock::now();
  });
  return ok;
}
/// A recording knows no order but that of its tasks, so what follows is put behind.
int cuStreamWaitEvent(FakeStream* stream, FakeEvent* event, unsigned) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  if (event->recording) {
    if (stream->recording && stream->recording != event->recording->recording)
      die("two recordings are mixed");
    event->recording->joined = true;
    if (!stream->recording) stream->recording = event->recording->recording;
    return ok;
  }
  add_task(stream, [=, until = event->records] { return event->done >= until; });
  return ok;
}
int cuEventElapsedTime(float* milliseconds, FakeEvent* from, FakeEvent* to) {
  if (from->done == 0 || from->done != from->records || to->done != to->records)
    return invalid_value;
  *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
  return ok;
}

int cuStreamBeginCapture_v2(FakeStream* stream, int) {
  if (lost()) return launch_failed;
  stream->recording = new std::vector<Task>;
  return ok;
}
int cuStreamEndCapture(FakeStream* stream, FakeGraph** graph) {
  const std::lock_guard lock(mutex);
  const std::unique_ptr<std::vector<Task>> recorded(stream->recording);
  for (FakeStream* other : streams) {
    if (other->recording != recorded.get()) continue;
    if (other != stream && !other->joined) die("a recording ends while another stream is in it");
    other->recording = nullptr;
  }
  *graph = new FakeGraph{std::move(*recorded)};
  return ok;
}
int cuGraphDestroy(FakeGraph* graph) {
  delete graph;
  return ok;
}
int cuGraphInstantiate_v2(FakeGraph** exec, FakeGraph* graph, void*, char*, std::size_t) {
  *exec = new FakeGraph(*graph);
  return ok;
}
int cuGraphLaunch(FakeGraph* exec, FakeStream* stream) {
  if (lost()) return launch_failed;
  const std::lock_guard lock(mutex);
  for (const Task& task : exec->tasks) add_task(stream, task);
  return ok;
}
int cuGraphExecDestroy(FakeGraph* exec) {
  delete exec;
  return ok;
}

int cuModuleLoadDataEx(FakeModule** module, const void* image, unsigned, int*, void**) {
  *module = new FakeModule{static_cast<const char*>(image)};
  return ok;
}
int cuModuleUnload(FakeModule* module) {
  delete module;
  return ok;
}
/// What runs is compiled into this library, but it must be in the PTX, too.
int cuModuleGetFunction(const NamedKernel** function, FakeModule* module, const char* name) {
  *function = find_kernel(name);
  if (module->ptx.find(std::string(".entry ") + name + "(") == std::string::npos) return not_found;
  return *function ? ok : not_found;
}
/// More than 48 KiB of shared memory must be asked for first.
int cuFuncSetAttribute(const NamedKernel* function, int attribute, int value) {
  constexpr int kMostDynamicShared = 8;
  if (attribute != kMostDynamicShared || value > 99 << 10) return invalid_value;
  shared_allowed[function->name] = static_cast<unsigned>(value);
  return ok;
}
int cuLaunchKernel(const NamedKernel* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                   FakeStream* stream, void** arguments, void**) {
  if (lost()) return launch_failed;
  if (grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 || grid_z > 65535 ||
      grid_x > 2147483647u || block_x != function->threads || block_y != 1 || block_z != 1 ||
      shared != function->shared || shared > shared_allowed[function->name])
    return invalid_value;
  const std::lock_guard lock(mutex);
  std::vector<char> args(function->args_size);
  std::memcpy(args.data(), arguments[0], args.size());
  add(stream, [=, args = std::move(args)] {
    if (lost()) return;
    ++launches;
    ++launches_of[function->name];
    run_grid({grid_x, grid_y, grid_z}, block_x, function->shared,
             [&] { function->run(args.data()); });
  });
  return ok;
}

}  // extern "C"
