#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "unmar/engine/engine.h"
#include "unmar/models/models.h"
#include "unmar/operators/operators.h"
#include "unmar/tensor/archive.h"

/// Fitting an untrained network to one observation, and knowing when to stop.
namespace unmar {

enum class InputKind {
  uniform,   ///< U(0, 0.1), the paper's usual choice
  normal,    ///< N(0, 0.1^2)
  meshgrid,  ///< two channels: x / (w-1), y / (h-1)
  /// sin and cos of pi f x / (w-1) and pi f y / (h-1), for input_channels / 4 frequencies f spaced
  /// evenly in log f from 1 to 256: Shabtay et al., "PIP: Positional-encoding Image Prior", 2022.
  fourier,
  observed,  ///< the damaged picture itself
  guide,     ///< another picture of the same scene, e.g. one taken with flash
  filtered,  ///< what a filter made of the damaged picture
};
enum class LossKind { mse, l1 };
/// What the fit changes. norms: only gamma and beta of the norms, the convolutions keep their
/// random start (Li et al., "Deep Random Projector", CVPR 2023).
enum class Optimise { weights, weights_and_input, input, norms, norms_and_input };

/// Writes a network over z [n,c,h,w]; returns its output [n,image.c,H,W], H >= image.h, W >=
/// image.w.
using NetworkWriter = std::function<NodeId(Graph& graph, NodeId z, const Shape& image)>;

struct ProblemOptions {
  NetworkOptions network;
  NetworkWriter own_network = {};  ///< instead of `network`; z has the size of the picture
  Tensor own_input = {};           ///< z of own_network, of any shape, instead of `input`; or empty
  InputKind input = InputKind::uniform;
  int input_channels = 32;  ///< of uniform, normal and fourier
  /// observed, guide, filtered: the picture, [n,c,h,w] of the picture to restore, any c. It is
  /// mirrored at the edges or averaged down to the size of the network's input.
  Tensor picture = {};
  Optimise optimise = Optimise::weights;
  float reg_noise_std = 1.f / 30;  ///< sigma of the fresh input jitter of each iteration; 0: off
  LossKind loss = LossKind::mse;
  float tv_weight = 0.f;   ///< of the total variation of the restored image
  std::uint64_t seed = 0;  ///< draws z
  /// Values of y that the loss does not see: 1 hidden, 0 seen, of y's shape (hide_values() draws
  /// one); empty: none.
  Tensor hidden = {};
  bool keep_input = false;              ///< Problem::input, for stoppers that want probes
  bool open_z = false, open_y = false;  ///< Problem::z and Problem::y, for Stages
};

/// z [n,c,h,w] of the size that the network wants for a picture of image.h x image.w.
/// throws Error{bad_argument} for options that do not fit.
Tensor make_input(const Shape& image, const ProblemOptions& options);

/// z -> network -> crop -> A -> loss against y, as one graph.
struct Problem {
  Graph graph;
  NodeId restored;  ///< the network's picture before A, [n,c,h,w]; kept
  /// A(restored), of y's shape, where nothing is hidden yet; kept. It is `restored` itself for
  /// operators that only hide: what they let through is not changed.
  NodeId predicted;
  NodeId fidelity;  ///< Mse or L1 of A(restored) and y, without what is added to the loss; kept
  std::optional<NodeId> input = {};  ///< what the network sees, jitter included; kept; if asked for
  /// Inputs of the program in place of constants, if asked for: what the network starts from, of
  /// make_input()'s shape, and what it is compared with: the known part of an observation.
  std::optional<NodeId> z = {}, y = {};
};

/// x_shape: size of the picture to restore; y: the observation, of shape A.output_shape(x_shape).
/// What A hides in y is hidden from the loss too, which stays a mean over all elements of y.
/// throws Error{bad_argument} if shapes or options do not fit, Error{bad_input} if a known value of
/// y is not finite.
Problem make_problem(const Tensor& y, const Shape& x_shape, const Operator& A,
                     const ProblemOptions& options);

struct FitOptions;
/// Bytes that make_problem() and fit() will hold for a picture of x_shape: the compiled program,
/// the input, and the pictures and snapshots beside them. Only plans: nothing large is allocated.
/// throws what make_problem() throws for options that do not fit. A program whose size the engine
/// does not know counts as nothing.
std::size_t memory_needed(const Shape& x_shape, const Operator& A, const ProblemOptions& problem,
                          const FitOptions& options, const Engine& engine);
/// throws Error{too_large}, opened by `where`, if that is more than `limit` bytes; 0: than the
/// device has free.
void require_memory(std::string_view where, std::size_t limit, const Shape& x_shape,
                    const Operator& A, const ProblemOptions& problem, const FitOptions& options,
                    const Engine& engine);

/// Changes while a fit goes on what the network starts from, or what it is compared with: see
/// stages.h. One object serves one fit.
class Stages {
 public:
  virtual ~Stages() = default;
  virtual std::string name() const = 0;
  /// Opens what it changes.
  virtual void ask(ProblemOptions& options) const = 0;
  /// Called before each iteration. `picture`: the iterate before it; no meaning before the first.
  virtual void prepare(int iteration, const Tensor& picture, const Problem& problem,
                       Program& program) = 0;
  /// Saves or takes up what prepare() changes, as Stopper::serialize.
  virtual void serialize(Archive& archive) = 0;
};

/// What a stopper sees of one iteration; valid during the call. A stopper that compares with the
/// observation looks at Ax, one that asks how the picture changes at x.
struct Iterate {
  int iteration;
  float loss;
  const Tensor& x;   ///< the restored picture
  const Tensor& Ax;  ///< what it predicts of the observation, Problem::predicted; may be x itself
};

/// Watches the fit and says when to end. One object serves one fit.
class Stopper {
 public:
  virtual ~Stopper() = default;
  virtual std::string name() const = 0;
  struct Verdict {
    bool new_best = false;  ///< this iterate is the one to return so far
    bool stop = false;
  };
  /// Called for every iteration that was not rolled back, in order.
  /// throws Error{bad_argument} if the shape of x or Ax changes.
  virtual Verdict observe(const Iterate& iterate) = 0;
  /// What it watches, for the history; empty while there is nothing yet.
  virtual std::optional<double> signal() const { return std::nullopt; }
  /// Whether it wants a probe of this iteration: a second pass, a third of an iteration's time.
  virtual bool wants_probe(int /*iteration*/) const { return false; }
  /// Called before observe(): A x for the x that the same weights make of the input without jitter,
  /// and the input with the jitter that gives the picture which observe() is going to see.
  virtual void probe(const Tensor& /*Ax_without_jitter*/, const Tensor& /*jittered_input*/) {}
  /// The fit went back to its state before `iteration`: the iterates to come do not continue those
  /// seen since. Their numbers keep growing. A choice already made stands: its picture was good.
  virtual void rewind(int iteration) = 0;
  /// Saves or takes up all that observe() and rewind() change, so that a fit can be interrupted;
  /// its options are not part of it. throws Error{unsupported} if it cannot.
  virtual void serialize(Archive& archive);
};

/// Lets the fit run to its last iteration; every iterate is the new best.
std::unique_ptr<Stopper> make_fixed_count();

/// Both watch how much the restored picture moves: it settles on the image, then moves again while
/// the network learns the damage. They choose the iterate at the minimum and stop once `patience`
/// values in a row brought no new one; what comes later cannot change that choice.
struct VarianceOptions {
  int window = 100;                 ///< iterates in the window (windowed)
  float alpha = 0.1f;               ///< forgetting factor (moving)
  int patience = 1000;              ///< values without a new minimum
  int min_start = 100;              ///< minima before this iteration do not count
  std::size_t max_samples = 65536;  ///< values of the picture watched, spread evenly
};
/// ES-WMV and ES-EMV: Wang et al., "Early Stopping for Deep Image Prior", TMLR 2023.
/// Windowed: mean over the samples of their variance in the last `window` iterates; nothing before
/// the window is full. Memory: (window + 4) * samples floats.
/// Moving: d = x - ema; ema += alpha d; emv = (1 - alpha) (emv + alpha |d|^2 / samples), with ema
/// the first iterate at first. Memory: 3 * samples floats.
/// throws Error{bad_argument} for an option out of range.
std::unique_ptr<Stopper> make_windowed_variance(const VarianceOptions& options);
std::unique_ptr<Stopper> make_moving_variance(const VarianceOptions& options);

/// Which picture FitResult::best is.
enum class Keep {
  average,  ///< the running average at the chosen iteration; the iterate if averaging is off
  best,     ///< the chosen iterate itself
  last,     ///< the last iterate that was not rolled back, whatever was chosen
};

/// A stopper that looks on.
struct Watcher {
  std::string name;
  Stopper* stopper = nullptr;  ///< borrowed
};

struct FitOptions {
  int iterations = 3000;
  Adam adam = {};
  std::uint64_t seed = 0;  ///< draws the weights and the jitter
  int threads = 0;         ///< 0: all cores
  /// Decay of the running average of the restored picture: average = decay * average +
  /// (1 - decay) * iterate; the n-th iterate after the first has a decay of n / (n + 5) at most, as
  /// the first are the worst; below 1; 0: off.
  float average = 0.99f;
  /// If PSNR(A out, y) falls by more than this many dB from one iteration to the next, weights,
  /// optimiser and average go back to the last snapshot (taken every rollback_every iterations) and
  /// the fit goes on with other jitter; 0: off. An L1 loss counts as 20 log10(1 / loss).
  /// Memory: three to six times the weights and one picture.
  float rollback_db = 5.f;
  int rollback_every = 50;
  Keep keep = Keep::average;
  /// Parameters to begin with, in the order of Graph::params(), instead of random ones: those of a
  /// fit of another picture by the same network. Adam begins anew. Borrowed; null: random.
  const std::vector<Tensor>* weights = nullptr;
  bool return_state = false;  ///< FitResult::state; three times the weights
  /// What FitProgress::save gave in a fit of the same problem with the same options (`iterations`
  /// and `threads` may differ): goes on behind it, bit for bit as if there had been no break.
  /// Borrowed; empty: begins anew.
  std::string_view resume = {};
  /// FitResult::chosen_state. Costs a copy of three times the weights in each iteration that is
  /// chosen, which under most stoppers is every one until the valley: about 1 % of its time.
  bool return_chosen_state = false;
  /// These see what the stopper in charge sees. Their verdicts are recorded and change nothing.
  std::vector<Watcher> watchers = {};
  std::string device = {};                ///< of the engine: CompileOptions::device
  Precision precision = Precision::tf32;  ///< CompileOptions::precision
  /// Borrowed; null: z and y stay what they are. Roll-back knows nothing of stages and may take the
  /// start of one for a spike.
  Stages* stages = nullptr;
};

/// A watcher after one iteration.
struct WatchedRow {
  std::optional<double> signal;
  int best = -1;         ///< iteration chosen so far; -1: none
  bool stopped = false;  ///< it would have ended the fit here or before; `best` is final
};

struct HistoryRow {
  int iteration = 0;
  float loss = 0.f;
  std::optional<double> psnr;          ///< of the iterate as it is, against the reference, in dB
  std::optional<double> psnr_average;  ///< of the running average
  std::optional<double> signal;        ///< the stopper's
  bool rolled_back = false;            ///< a loss spike was undone here; the iterate is dropped
  int part = 0;                        ///< of fit_phases(): which fit, from 0
  std::vector<WatchedRow> watched;     ///< in the order of FitOptions::watchers
};

/// What a callback may look at; valid during the call.
struct FitProgress {
  const HistoryRow& row;
  int iterations;          ///< upper bound of the fit
  double seconds;          ///< since the first step
  int best_iteration;      ///< chosen so far
  const Tensor& restored;  ///< this iterate
  const Tensor& average;   ///< empty if averaging is off
  /// Writes the fit as it is after this iteration, for FitOptions::resume. Six times the weights,
  /// four pictures, the history and what the stopper holds. throws what Stopper::serialize throws.
  std::function<void(Archive&)> save_to = {};
  /// Of fit_phases(): what this fit is, and which one of how many, from 0; iterations and seconds
  /// are counted through all of them, pictures are what this one tells.
  std::string_view phase = {};
  int part = 0, parts = 1;
  /// The fit ends here because it was cancelled. This iteration has been told before; it is told
  /// again, as the last call, so that the fit can be saved.
  bool cancelled = false;

  std::string save() const;  ///< what save_to() writes
};

/// What a watcher would have done.
struct Watched {
  std::string name;
  int best_iteration = -1;  ///< it would have returned; -1: it chose none
  int stopped_at = -1;      ///< its last iteration; -1: it never stopped
  double seconds = 0;       ///< spent in it; without the passes of probes
};

enum class StoppedBy { iterations, stopper, cancelled };
const char* to_string(StoppedBy reason);

/// One fit of fit_phases().
struct FittedPart {
  std::string phase;       ///< its name
  int iterations = 0;      ///< its own
  int best_iteration = 0;  ///< counted through
  float final_loss = 0;
};

struct FitResult {
  Tensor best;             ///< the picture to use: see Keep
  Tensor last;             ///< the last iterate as it is, even if it was rolled back
  int best_iteration = 0;  ///< that `best` belongs to
  int iterations = 0;      ///< done
  StoppedBy stopped_by = StoppedBy::iterations;
  double seconds = 0;
  float final_loss = 0.f;
  int rollbacks = 0;
  int runs = 1;                   ///< of fit_phases(): fits that `best` is the mean of
  std::vector<FittedPart> parts;  ///< of fit_phases(); the rest is counted through them
  double stopper_seconds = 0;     ///< of `seconds`, spent in the stopper
  std::vector<Watched> watched;
  std::vector<HistoryRow> history;
  std::size_t memory_bytes = 0;  ///< of the compiled program
  /// With return_state: parameters and optimiser after the last iteration, and the names of the
  /// parameters.
  TrainState state;
  std::vector<std::string> param_names;
  /// With return_chosen_state: parameters and optimiser after best_iteration.
  TrainState chosen_state;
};

/// Fits. Ends at options.iterations, when the stopper says so, or when `cancel` is requested, also
/// within an iteration, which then does not count; the best so far is returned.
/// reference: the clean picture if known, only for the PSNR in the history: range 1, all channels,
/// without clamping, as the paper.
/// on_iteration may be empty; what it throws ends the fit.
/// Same seed, engine and machine: same result, bit for bit.
/// Beside the program it holds three pictures, one more with roll-back, and A x if that is not x.
/// throws Error{bad_argument} for options out of range and for weights of another network;
/// Error{unsupported} if the engine lacks an op; Error{bad_input} for a state to resume that
/// is damaged or of another problem, network or stopper; Error{numeric} if the loss is not finite
/// and rolling back did not help or is off; Error{cancelled} if it was stopped before its first
/// iteration had ended, for then there is no picture.
FitResult fit(const Problem& problem, Engine& engine, const FitOptions& options, Stopper& stopper,
              const Tensor* reference = nullptr,
              const std::function<void(const FitProgress&)>& on_iteration = {},
              std::stop_token cancel = {});

}  // namespace unmar
