#include "tasks/network_flags.h"

#include <algorithm>

#include "base/overloaded.h"

// The common options, as flags name them, and the options of each network: both ways in one place.

namespace unmar {
namespace {

/// Visits (common option, network's own option) for those that mean the same.
template <class N, class F>
void for_common(RestoreOptions& o, N& n, F pair) {
  if constexpr (requires { n.hidden_size; }) {
    pair(o.scales, n.depth);
    pair(o.channels, n.hidden_size);
  }
  if constexpr (requires { n.blocks; }) pair(o.scales, n.blocks);
  if constexpr (requires { n.layers; }) pair(o.scales, n.layers);
  if constexpr (requires { n.channels; }) pair(o.channels, n.channels);
  if constexpr (requires { n.downsample; }) pair(o.downsample, n.downsample);
  if constexpr (requires { n.skip_mode; }) pair(o.skip_mode, n.skip_mode);
  if constexpr (requires { n.border; }) pair(o.border, n.border);
  pair(o.norm, n.norm);
  pair(o.activation, n.activation);
}

void write_flags(RestoreOptions& o, SkipOptions& n) {
  const auto scales = static_cast<std::size_t>(o.scales.value());
  n.down.clear();
  for (int width = o.top_channels.value(); n.down.size() < scales; width *= 2) {
    width = std::min(width, o.channels.value());
    n.down.push_back(width);
  }
  n.up = n.down;
  n.one_by_one_up = o.one_by_one.value();
  n.skip.assign(scales, o.skip.value());
  n.upsample = {o.upsample.value()};
}
void write_flags(RestoreOptions& o, UnetOptions& n) { n.upsample = o.upsample; }
void write_flags(RestoreOptions& o, DecoderOptions& n) { n.upsample = o.upsample.value(); }
void write_flags(RestoreOptions& o, ConvDecoderOptions& n) { n.upsample = o.upsample.value(); }
void write_flags(RestoreOptions&, ResnetOptions&) {}
void write_flags(RestoreOptions&, PlainOptions&) {}

void read_flags(RestoreOptions& o, const SkipOptions& n) {
  if (!o.scales) o.scales = static_cast<int>(n.down.size());
  if (!o.channels) o.channels = n.down[0];
  if (!o.one_by_one) o.one_by_one = n.one_by_one_up;
  if (!o.skip) o.skip = n.skip[0];
  if (!o.upsample) o.upsample = n.upsample[0];
}
void read_flags(RestoreOptions& o, const UnetOptions& n) {
  if (!o.upsample) o.upsample = n.bilinear ? UpsampleMode::bilinear : UpsampleMode::transposed;
}
void read_flags(RestoreOptions& o, const DecoderOptions& n) {
  if (!o.upsample) o.upsample = n.upsample;
}
void read_flags(RestoreOptions& o, const ConvDecoderOptions& n) {
  if (!o.upsample) o.upsample = n.upsample;
}
void read_flags(RestoreOptions&, const ResnetOptions&) {}
void read_flags(RestoreOptions&, const PlainOptions&) {}

}  // namespace

void fill_network_options(RestoreOptions& o) {
  NetworkOptions network = default_network(o.network.value());
  std::visit(
      [&](auto& n) {
        read_flags(o, n);
        for_common(o, n, [](auto& flag, const auto& own) {
          if (!flag) flag = own;
        });
      },
      network);
}

NetworkOptions network_options(const RestoreOptions& resolved) {
  if (resolved.custom_network) return *resolved.custom_network;
  RestoreOptions o = resolved;
  NetworkOptions network = default_network(o.network.value());
  std::visit(
      [&](auto& n) {
        write_flags(o, n);
        for_common(o, n, [](const auto& flag, auto& own) { own = flag.value(); });
      },
      network);
  return network;
}

}  // namespace unmar
