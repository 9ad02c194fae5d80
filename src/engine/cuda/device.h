#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/cuda/driver.h"
#include "engine/cuda/emitter.h"

/// A card in use: its context and the kernels, and what is allocated there.
namespace unmar::cuda {

class CardInUse {
 public:
  /// throws Error, as all here, if the card refuses.
  explicit CardInUse(const Card& card);
  ~CardInUse();
  CardInUse(const CardInUse&) = delete;
  CardInUse& operator=(const CardInUse&) = delete;

  const Card& card() const { return card_; }
  /// Calls of this thread go to this card from here on.
  void make_current() const;
  std::size_t memory_free() const;
  void release(Address address) const noexcept;

  /// call<&Driver::launch>("launch a kernel", arguments...)
  template <auto kMember, class... Arguments>
  void call(const char* what, Arguments... arguments) const {
    check((driver_.*kMember)(arguments...), what, card_);
  }
  /// Compiles the module of a kernel, unless it is loaded, or the driver has it from an earlier
  /// run. Not while a queue is recorded.
  void load(Kernel kernel) const;
  void launch(const Launch& launch, Stream stream) const;

 private:
  const Driver& driver_;
  Card card_;
  Context context_ = nullptr;
  mutable std::mutex mutex_;  ///< of what load() changes
  mutable std::vector<Module> modules_;
  mutable std::vector<Function> functions_;  ///< by Kernel
};

/// Memory of the card, or memory of the host that the card copies to and from by itself.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(std::shared_ptr<CardInUse> card, std::size_t floats);
  float* data() const { return reinterpret_cast<float*>(memory_.get()); }
  std::size_t floats() const { return floats_; }

 private:
  std::shared_ptr<void> memory_;
  std::size_t floats_ = 0;
};
class HostMemory {
 public:
  HostMemory() = default;
  HostMemory(std::shared_ptr<CardInUse> card, std::size_t bytes);
  void* data() const { return memory_.get(); }

 private:
  std::shared_ptr<void> memory_;
};

/// Does what it is given in order, while the host does something else.
class Queue {
 public:
  explicit Queue(std::shared_ptr<CardInUse> card);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  Stream stream() const { return stream_; }
  /// What may run aside has a stream of its own; at the end all is in this one again.
  void launch(std::span<const Launch> launches);
  void upload(const void* src, void* dst, std::size_t bytes);
  void download(const void* src, void* dst, std::size_t bytes);
  void copy(const DeviceMemory& src, const DeviceMemory& dst);
  void fill(float* dst, std::size_t floats, float value);
  void wait();

 private:
  /// `to` goes on when `from` has done what it was given so far.
  void follow(Stream from, Stream to, Event event);

  std::shared_ptr<CardInUse> card_;
  Stream stream_ = nullptr, aside_ = nullptr;
  Event forked_ = nullptr, joined_ = nullptr;
};

/// Points in what a queue was given, and the times between them.
class Marks {
 public:
  Marks(std::shared_ptr<CardInUse> card, std::size_t count);
  ~Marks();
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;

  /// The queue is here when all is done that it was given before.
  void set(Queue& queue, std::size_t i);
  /// From mark i to mark j; the queue must be done with both.
  double seconds(std::size_t i, std::size_t j) const;

 private:
  std::shared_ptr<CardInUse> card_;
  std::vector<Event> events_;
};

/// What a queue was given once, to be given to it again in one call.
class Recording {
 public:
  Recording() = default;
  template <class Body>
  Recording(const std::shared_ptr<CardInUse>& card, Queue& queue, const Body& body) {
    begin(*card, queue);
    body();
    end(card, queue);
  }
  explicit operator bool() const { return static_cast<bool>(exec_); }
  void play(const CardInUse& card, Queue& queue) const;

 private:
  static void begin(const CardInUse& card, Queue& queue);
  void end(const std::shared_ptr<CardInUse>& card, Queue& queue);
  std::shared_ptr<GraphExecHandle> exec_;
};

}  // namespace unmar::cuda
