#include "engine/cuda/device.h"

#include <bit>
#include <iterator>
#include <utility>

#include "base/fail.h"
#include "engine/cuda/ptx.h"

namespace unmar::cuda {
namespace {

enum class ModuleOf { base, others, values, fp32, tf32, bf16 };
constexpr const char* (*kPtx[])() = {ptx_base, ptx_others, ptx_values,
                                     ptx_fp32, ptx_tf32,   ptx_bf16};

struct KernelRow {
  const char* name;
  ModuleOf module;
  unsigned shared;
};
constexpr KernelRow kKernels[] = {
#define UNMAR_CUDA_ROW(name, module, Args, threads, shared) {#name, ModuleOf::module, shared},
    UNMAR_CUDA_KERNELS(UNMAR_CUDA_ROW)
#undef UNMAR_CUDA_ROW
};

Address address_of(const void* p) { return std::bit_cast<std::uintptr_t>(p); }

}  // namespace

CardInUse::CardInUse(const Card& card)
    : driver_(*machine().driver),
      card_(card),
      modules_(std::size(kPtx)),
      functions_(std::size(kKernels)) {
  call<&Driver::context_retain>("start", &context_, card_.device);
}

CardInUse::~CardInUse() {
  driver_.context_current(context_);
  for (const Module module : modules_)
    if (module) driver_.module_unload(module);
  driver_.context_release(card_.device);
}

void CardInUse::load(Kernel kernel) const {
  const std::lock_guard lock(mutex_);
  const auto& [name, of, shared] = kKernels[static_cast<std::size_t>(kernel)];
  Function& function = functions_[static_cast<std::size_t>(kernel)];
  if (function) return;
  make_current();
  Module& module = modules_[static_cast<std::size_t>(of)];
  if (!module)
    call<&Driver::module_load>("compile its kernels", &module, kPtx[static_cast<std::size_t>(of)](),
                               0u, nullptr, nullptr);
  Function found = nullptr;
  call<&Driver::module_function>(name, &found, module, name);
  constexpr int kMostDynamicShared = 8;
  if (shared > 0)
    call<&Driver::function_attribute>(name, found, kMostDynamicShared, static_cast<int>(shared));
  function = found;
}

void CardInUse::make_current() const { call<&Driver::context_current>("be used", context_); }

void CardInUse::release(Address address) const noexcept {
  driver_.context_current(context_);
  driver_.release(address);
}

std::size_t CardInUse::memory_free() const {
  std::size_t free = 0, total = 0;
  make_current();
  call<&Driver::memory_info>("tell its memory", &free, &total);
  return free;
}

void CardInUse::launch(const Launch& launch, Stream stream) const {
  void* arguments[] = {const_cast<std::byte*>(launch.args.data())};
  const auto kernel = static_cast<std::size_t>(launch.kernel);
  if (!functions_[kernel]) load(launch.kernel);
  call<&Driver::launch>(kKernels[kernel].name, functions_[kernel], launch.grid.x, launch.grid.y,
                        launch.grid.z, launch.threads, 1u, 1u, kKernels[kernel].shared, stream,
                        static_cast<void**>(arguments), nullptr);
}

DeviceMemory::DeviceMemory(std::shared_ptr<CardInUse> card, std::size_t floats) : floats_(floats) {
  if (floats == 0) return;
  Address address = 0;
  const std::size_t bytes = floats * sizeof(float);
  card->make_current();
  card->call<&Driver::allocate>(fmt::format("hold {} MiB", bytes >> 20).c_str(), &address, bytes);
  memory_ = {std::bit_cast<void*>(static_cast<std::uintptr_t>(address)),
             [card](void* p) { card->release(address_of(p)); }};
}

HostMemory::HostMemory(std::shared_ptr<CardInUse> card, std::size_t bytes) {
  void* memory = nullptr;
  card->make_current();
  card->call<&Driver::allocate_host>("reach the host's memory", &memory, bytes, 0u);
  memory_ = {memory, [card](void* p) { machine().driver->release_host(p); }};
}

Queue::Queue(std::shared_ptr<CardInUse> card) : card_(std::move(card)) {
  constexpr unsigned kNonBlocking = 1, kWithoutTime = 2;
  card_->make_current();
  for (Stream* stream : {&stream_, &aside_})
    card_->call<&Driver::stream_create>("make a queue", stream, kNonBlocking);
  for (Event* event : {&forked_, &joined_})
    card_->call<&Driver::event_create>("make a queue", event, kWithoutTime);
}
Queue::~Queue() {
  const Driver& driver = *machine().driver;
  driver.stream_wait(stream_);
  for (const Event event : {forked_, joined_}) driver.event_destroy(event);
  for (const Stream stream : {stream_, aside_}) driver.stream_destroy(stream);
}
void Queue::follow(Stream from, Stream to, Event event) {
  card_->call<&Driver::event_record>("order its work", event, from);
  card_->call<&Driver::stream_wait_event>("order its work", to, event, 0u);
}
void Queue::launch(std::span<const Launch> launches) {
  bool forked = false;
  for (const Launch& l : launches) {
    if (l.joins && std::exchange(forked, false)) follow(aside_, stream_, joined_);
    if (l.aside && !std::exchange(forked, true)) follow(stream_, aside_, forked_);
    card_->launch(l, l.aside ? aside_ : stream_);
  }
  if (forked) follow(aside_, stream_, joined_);
}
void Queue::upload(const void* src, void* dst, std::size_t bytes) {
  if (bytes > 0) card_->call<&Driver::upload>("take data", address_of(dst), src, bytes, stream_);
}
void Queue::download(const void* src, void* dst, std::size_t bytes) {
  if (bytes > 0) card_->call<&Driver::download>("give data", dst, address_of(src), bytes, stream_);
}
void Queue::copy(const DeviceMemory& src, const DeviceMemory& dst) {
  if (src.floats() > 0)
    card_->call<&Driver::copy>("copy data", address_of(dst.data()), address_of(src.data()),
                               src.floats() * sizeof(float), stream_);
}
void Queue::fill(float* dst, std::size_t floats, float value) {
  if (floats > 0)
    card_->call<&Driver::set_words>("fill memory", address_of(dst), std::bit_cast<unsigned>(value),
                                    floats, stream_);
}
void Queue::wait() { card_->call<&Driver::stream_wait>("compute", stream_); }

Marks::Marks(std::shared_ptr<CardInUse> card, std::size_t count) : card_(std::move(card)) {
  card_->make_current();
  while (events_.size() < count) {
    Event event = nullptr;
    card_->call<&Driver::event_create>("measure time", &event, 0u);
    events_.push_back(event);
  }
}
Marks::~Marks() {
  for (const Event event : events_) machine().driver->event_destroy(event);
}
void Marks::set(Queue& queue, std::size_t i) {
  card_->call<&Driver::event_record>("measure time", events_[i], queue.stream());
}
double Marks::seconds(std::size_t i, std::size_t j) const {
  float milliseconds = 0;
  card_->call<&Driver::event_elapsed>("measure time", &milliseconds, events_[i], events_[j]);
  return 1e-3 * double{milliseconds};
}

void Recording::begin(const CardInUse& card, Queue& queue) {
  constexpr int kThreadLocal = 1;
  card.call<&Driver::begin_capture>("record a step", queue.stream(), kThreadLocal);
}
void Recording::end(const std::shared_ptr<CardInUse>& card, Queue& queue) {
  CapturedGraph graph = nullptr;
  GraphExec exec = nullptr;
  card->call<&Driver::end_capture>("record a step", queue.stream(), &graph);
  const Result made = machine().driver->graph_instantiate(&exec, graph, nullptr, nullptr, 0);
  machine().driver->graph_destroy(graph);
  check(made, "record a step", card->card());
  exec_ = {exec, [card](GraphExec e) { machine().driver->graph_exec_destroy(e); }};
}
void Recording::play(const CardInUse& card, Queue& queue) const {
  card.call<&Driver::graph_launch>("start a step", exec_.get(), queue.stream());
}

}  // namespace unmar::cuda
