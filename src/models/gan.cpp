#include "unmar/models/gan.h"

#include <cmath>

#include "base/fail.h"

namespace unmar {
namespace {

constexpr int kCoarsest = 4;  ///< px: an even side is halved down to this

/// The layers of one network.
class GanWriter {
 public:
  GanWriter(Graph& graph, const std::string& prefix) : g_(graph), prefix_(prefix) {}

  NodeId add(Op op, NodeId x, const std::string& name) {
    x = g_.add(std::move(op), {x}, prefix_ + name);
    for (const int param : g_.node(x).params) start(param);
    return x;
  }

 private:
  /// N(0, 0.02) in the paper; biases start at 0.
  void start(int param) {
    static const float kBound = 0.02f * std::sqrt(3.f);
    const std::string& name = g_.params()[static_cast<std::size_t>(param)].name;
    if (name.ends_with(".weight"))
      g_.set_init(param, {Init::Kind::uniform, -kBound, kBound});
    else if (name.ends_with(".bias"))
      g_.set_init(param, {Init::Kind::constant, 0.f});
  }

  Graph& g_;
  const std::string& prefix_;
};

int coarsest_level(int size, int* levels) {
  int side = size, count = 0;
  for (; side % 2 == 0 && side > kCoarsest; side /= 2) ++count;
  if (levels) *levels = count;
  return side;
}

}  // namespace

void check_gan(const GanOptions& o, const std::string& where) {
  const auto require = [&](bool ok, const char* what, const char* range, int value) {
    if (!ok) fail(ErrorCode::bad_argument, "{}: {} must be {}, got {}", where, what, range, value);
  };
  require(o.size % 4 == 0 && o.size >= 8 && o.size <= 512, "size",
          "a multiple of 4 from 8 to 512 px", o.size);
  require(o.channels == 1 || o.channels == 3, "channels", "1 or 3", o.channels);
  require(o.latent >= 1 && o.latent <= 4096, "latent", "from 1 to 4096", o.latent);
  require(o.width >= 1 && o.width <= 1024, "width", "from 1 to 1024", o.width);
  require(o.kernel % 2 == 1 && o.kernel >= 3 && o.kernel <= 9, "kernel", "3, 5, 7 or 9", o.kernel);
}

int gan_levels(const GanOptions& o) {
  int levels = 0;
  coarsest_level(o.size, &levels);
  return levels;
}

int gan_base(const GanOptions& o) { return coarsest_level(o.size, nullptr); }

NodeId write_gan_generator(Graph& graph, NodeId z, const GanOptions& o, NormStatistics statistics,
                           const std::string& prefix) {
  check_gan(o, "generator");
  if (const Shape s = graph.shape(z); s != Shape{s.n, o.latent, 1, 1})
    fail(ErrorCode::bad_argument, "generator: takes {} numbers a picture, [n,{},1,1]; got {}",
         o.latent, o.latent, to_string(s));
  GanWriter w(graph, prefix);
  const auto finished = [&](NodeId x, const std::string& name) {
    x = w.add(Norm{.statistics = statistics}, x, name + ".norm");
    return w.add(Activation{ActivationKind::relu, 0.f}, x, name + ".act");
  };
  int channels = o.width << (gan_levels(o) - 1);
  NodeId x =
      w.add(ConvTranspose2d{.out_c = channels, .stride = 1, .bias = false, .kernel = gan_base(o)},
            z, "base.conv");
  x = finished(x, "base");
  for (int level = gan_levels(o) - 1; level >= 0; --level) {
    const std::string name = "up" + std::to_string(level);
    const bool last = level == 0;
    channels = last ? o.channels : channels / 2;
    x = w.add(ConvTranspose2d{channels, 2, last, 4, 1}, x, name + ".conv");
    if (!last) x = finished(x, name);
  }
  return w.add(Activation{ActivationKind::tanh, 0.f}, x, "tanh");
}

NodeId write_gan_discriminator(Graph& graph, NodeId pictures, const GanOptions& o, GanNorm norm,
                               int parts, const std::string& prefix) {
  check_gan(o, "discriminator");
  if (const Shape s = graph.shape(pictures); s != Shape{s.n, o.channels, o.size, o.size})
    fail(ErrorCode::bad_argument, "discriminator: takes pictures [n,{},{},{}], got {}", o.channels,
         o.size, o.size, to_string(s));
  GanWriter w(graph, prefix);
  NodeId x = pictures;
  for (int level = 0; level < gan_levels(o); ++level) {
    const std::string name = "down" + std::to_string(level);
    const bool normed = norm == GanNorm::batch && level > 0;
    x = w.add(Conv2d{o.width << level, o.kernel, 2, Border::zero, !normed}, x, name + ".conv");
    if (normed) x = w.add(Norm{.parts = parts}, x, name + ".norm");
    x = w.add(Activation{ActivationKind::leaky_relu, 0.2f}, x, name + ".act");
  }
  const int base = gan_base(o);
  Conv2d whole{.out_c = 1, .kernel = base, .stride = base, .pad_end = true};
  return w.add(whole, x, "head.conv");
}

}  // namespace unmar
