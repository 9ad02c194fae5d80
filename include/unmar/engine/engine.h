#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/graph/graph.h"

namespace unmar {

/// Adam (Kingma and Ba 2015), bias-corrected; the defaults are PyTorch's.
struct Adam {
  float lr = 0.01f;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float eps = 1e-8f;
  /// Above 0: gradients whose L2 norm, over all parameters, is larger are first scaled to it.
  float clip_norm = 0.f;
};

/// Everything that a step changes: restoring it continues exactly from there.
/// The tensors are in the order of Graph::params(); m and v are Adam's moments.
struct TrainState {
  std::vector<Tensor> params, m, v;
  std::int64_t updates = 0;  ///< steps taken, for Adam's bias correction
  /// Of the parameters, if CompileOptions::ema_decay asks for it; else empty, and what is restored
  /// without them starts to average from params.
  std::vector<Tensor> averages = {};
};

class Archive;
void serialize(Archive& archive, TrainState& state);

/// Of the factors of matrix products, where a device has a faster one than fp32; sums are fp32 or
/// better. tf32 keeps 10 bits of mantissa: a gradient is then off by some 1e-3 of its largest. bf16
/// keeps 7: 1e-2. It also stores the pictures between layers, and their gradients, as bf16: about
/// half of the memory. Inputs, kept values, losses and parameters are fp32 in all of them.
enum class Precision { fp32, tf32, bf16 };

struct CompileOptions {
  std::uint64_t seed = 0;  ///< draws the parameters and the jitter
  int threads = 0;         ///< 0: as many as the machine has
  bool poison = false;     ///< for tests: NaN in all memory that holds nothing
  /// Above 0: each step lets average = decay * average + (1 - decay) * parameter, after the first
  /// one average = parameter.
  float ema_decay = 0.f;
  /// Nodes that Program::backward may start from, beside the loss.
  std::vector<NodeId> backward_from = {};
  std::string device = {};                ///< one of Engine::devices(); empty: the first
  Precision precision = Precision::tf32;  ///< at least; "cpu" and "ref" always take fp32
  /// What a convolution on a card makes ready of its pictures at a time. More is done in bands.
  std::size_t band_bytes = std::size_t{256} << 20;
};

/// What one step of a program did while it was profiled. Times are means over the iterations.
struct StepProfile {
  std::string name;  ///< of the node whose value it makes
  std::string op;    ///< "conv2d", "norm + leaky_relu", "adam"
  std::string kind;  ///< what it is counted as: "convolution", "norm", "resampling", ...
  std::vector<std::string> notes;  ///< how: "winograd 6x6", "written into 'concat'"
  double forward_seconds = 0, backward_seconds = 0;
  std::uint64_t direct_macs = 0;    ///< multiplications, forward and backward, if done directly
  std::uint64_t product_macs = 0;   ///< of them all, those that its matrix products really do
  std::uint64_t traffic_bytes = 0;  ///< values and gradients that it reads or writes, each once
  std::size_t kept_bytes = 0;       ///< of its value, from forward to backward
  int launches = 0;                 ///< of kernels on a device, forward and backward
};

/// One compiled graph on one device. Not thread-safe. Steps and reads of the fast engine allocate
/// nothing; read() does if dst has another shape.
class Program {
 public:
  virtual ~Program() = default;

  virtual void set_input(NodeId id, TensorView value) = 0;

  /// Computes all kept nodes and the loss. `iteration` names the jitter; without `jitter` Jitter
  /// and Dropout nodes pass their source on.
  /// False if `cancel` was requested on the way, as in step(): then what was computed means
  /// nothing.
  virtual bool forward(std::int64_t iteration, bool jitter = true,
                       const std::stop_token& cancel = {}) = 0;

  /// Gradients of the loss with respect to all parameters and needs_grad inputs. Needs a forward()
  /// of its own: backward takes the memory of its values.
  virtual void backward() = 0;
  /// The same of the sum of cotangent * values of the node: a vector-Jacobian product. The node is
  /// the loss or one of CompileOptions::backward_from; the cotangent has its shape.
  virtual void backward(NodeId node, TensorView cotangent) = 0;

  /// forward, backward and one Adam update; returns the loss before the update.
  /// If the loss, or a norm to be clipped, is not finite nothing is updated, and that is returned.
  /// Nothing is updated either, and nothing returned, if `cancel` was requested before all
  /// gradients were there; engines look between ops, the fast ones within them too. Kept nodes and
  /// loss() then mean nothing until the next forward or step.
  virtual std::optional<float> step(const Adam& adam, std::int64_t iteration,
                                    const std::stop_token& cancel = {}) = 0;

  /// step() in two halves, for engines that compute while the caller does something else: start
  /// returns at once, finish waits, makes the update and returns what step() does. In between,
  /// loss() and read() still give what the last step or forward() left, and state() has no part of
  /// the update. Other engines do all of it in finish_step().
  virtual bool asynchronous() const { return false; }
  virtual void start_step(const Adam& adam, std::int64_t iteration,
                          const std::stop_token& cancel = {});
  virtual std::optional<float> finish_step();
  /// Instead of finish_step(): it updates nothing.
  virtual void drop_step();

  virtual float loss() const = 0;  ///< of the last forward()
  /// Values of a kept node after the last forward(). dst gets the node's shape.
  virtual void read(NodeId id, Tensor& dst) const = 0;
  /// Gradient of a needs_grad input after backward().
  virtual void read_input_grad(NodeId id, Tensor& dst) const = 0;
  virtual std::vector<Tensor> param_grads() const = 0;  ///< in the order of Graph::params()

  virtual TrainState state() const = 0;
  virtual void restore(const TrainState& state) = 0;
  /// A state that stays where the program computes: on a device, it never comes to the host.
  class Snapshot {
   public:
    virtual ~Snapshot() = default;
  };
  /// Of the state that state() would give. It must not outlive the program.
  virtual std::shared_ptr<const Snapshot> take_snapshot() const;
  /// As restore() with what state_of() gives; `snapshot` is of this program.
  virtual void restore_snapshot(const Snapshot& snapshot);
  virtual TrainState state_of(const Snapshot& snapshot) const;

  virtual std::size_t memory_bytes() const = 0;  ///< held by this program

  /// Times every step from here on. An engine may leave it: profile() is empty then.
  virtual void start_profile() {}
  /// The steps in the order of forward, the optimiser last.
  virtual std::vector<StepProfile> profile() const { return {}; }

 private:
  struct Started {
    Adam adam;
    std::int64_t iteration;
    std::stop_token cancel;
  };
  std::optional<Started> started_;
};

struct EngineInfo {
  std::string name;         ///< "cpu"
  std::string description;  ///< version, instruction set
  std::string choice = {};  ///< of "auto": what speaks against faster ones; empty: nothing
};

/// What an engine can run on.
struct DeviceInfo {
  std::string name;             ///< "cpu", "cuda:0"
  std::string description;      ///< instruction set, model
  std::size_t memory_free = 0;  ///< bytes that a program may take now; 0: not known
  int score = 0;                ///< the higher the faster; 0: "auto" does not take it
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual EngineInfo info() const = 0;
  /// The fastest first. Empty: this machine has none, and compile() throws.
  virtual std::vector<DeviceInfo> devices() const = 0;
  /// Why devices() is empty, as part of a sentence.
  virtual std::string why_no_device() const { return "it finds no device on this machine"; }
  /// Whether a program of this graph is large enough for what its start costs; "auto" asks.
  virtual bool is_worth(const Graph&) const { return true; }
  /// The engine that compiles this graph: this one, unless it stands for several.
  virtual const Engine& chosen_for(const Graph&) const { return *this; }
  /// info() of that engine, and why.
  virtual EngineInfo info_for(const Graph&) const { return info(); }
  /// Ops of the graph that this engine cannot run, by node name. Empty: compile() will do.
  virtual std::vector<std::string> missing(const Graph& graph) const = 0;
  /// What Program::memory_bytes() will be: compile() without taking the memory. 0: not known.
  virtual std::size_t memory_needed(const Graph&, const CompileOptions&) const { return 0; }
  /// throws Error{unsupported} naming what is missing, Error{too_large} if memory does not suffice.
  virtual std::unique_ptr<Program> compile(const Graph& graph, const CompileOptions& options) = 0;
};

/// Bytes that a program of this graph may take on the device; 0: not known.
std::size_t memory_free(const Engine& engine, const Graph& graph, std::string_view device = {});

/// throws Error{unsupported} naming the ops of the graph that the engine lacks, or if it has no
/// device here; Error{bad_argument} if it has no device of this name.
void require_support(const Engine& engine, const Graph& graph, std::string_view device = {});

/// One line per node: what is computed together, in place, or again for backward.
std::string plan_text(const Graph& graph);

std::vector<std::string> engine_names();  ///< of those that have a device here, the best first
/// The name of an engine or of one of its devices, "cuda:1". "auto" takes for each graph the best
/// engine that lacks none of its ops, has the memory for it, and is worth its start.
/// throws Error{bad_argument} naming the known ones, Error{unsupported} if it has no device here.
std::unique_ptr<Engine> make_engine(std::string_view name = "auto");

}  // namespace unmar
