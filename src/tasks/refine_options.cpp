#include <charconv>

#include "base/fail.h"
#include "unmar/tasks/refine.h"

namespace unmar {
namespace {

using F = RefineOptions;

/// "auto" or a timestep.
std::optional<int> parse_start(const std::string& text) {
  if (text == "auto") return std::nullopt;
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0)
    fail(ErrorCode::bad_argument, "refine: `start` must be auto or a timestep, got '{}'", text);
  return value;
}

Option<F> start_option() {
  Option<F> row;
  row.kind = OptionInfo::Kind::text;
  row.name = "start";
  row.choices = {"auto", "T0"};
  row.help =
      "timestep t0 at which the prior enters the chain; auto: where the noise drowns the prior's "
      "estimated error";
  row.get = [](const F& o) -> std::optional<OptionValue> {
    return o.start ? std::to_string(*o.start) : std::string("auto");
  };
  row.put = [](F& o, const OptionValue& value) {
    o.start = parse_start(std::get<std::string>(value));
  };
  return row;
}

std::vector<Option<F>> refine_table() {
  std::vector<Option<F>> table;
  add_group(
      table, "Chain",
      {basic(choice(
           "prior", &F::from,
           {{"dip", StartFrom::prior}, {"input", StartFrom::input}, {"none", StartFrom::noise}},
           "what the chain starts from; dip: the fit; input: IN itself, which takes no "
           "time, enlarged by bicubic, missing pixels black; none: noise alone")),
       start_option(),
       number("entry-factor", &F::entry_factor, 0.01, 100,
              "with --start auto: how many times the prior's error the noise is (default 2, "
              "denoise 1)"),
       one_of_names("sampler", &F::sampler, {"ddpm", "ddim", "dpm-solver++"},
                    "how the chain steps; ddpm draws fresh noise, ddim as much as --eta says, "
                    "dpm-solver++ none"),
       basic(
           integer("steps", &F::steps, 1, 1'000'000, "calls of the model between t0 and the end")),
       number("eta", &F::eta, 0, 1,
              "fresh noise of ddim, 1 for as much as ddpm (default 0.85; with --consistency none "
              "0)"),
       choice("consistency", &F::consistency, consistency_names(),
              "what ties each step to IN; ddnm: the part that the damage lets through is IN's, as "
              "far as noise allows; repaint: known pixels are pasted; dps: the gradient of the "
              "distance to IN, three times as slow (default ddnm, to denoise none)"),
       number("dps-scale", &F::dps_scale, 0, 1000, "length of the steps of dps"),
       integer("overlap", &F::overlap, 0, 4096,
               "of the windows that a picture larger than the model's is cut into, at least (px, "
               "default a quarter of the window)"),
       number("prior-weight", &F::prior_weight, 0, 1,
              "for comparison only: start from W times the prior plus 1 - W times noise at the "
              "noisiest timestep, which no model was trained for")});
  return table;
}

}  // namespace

const EnumNames<Consistency>& consistency_names() {
  static const EnumNames<Consistency> names = {{"none", Consistency::none},
                                               {"ddnm", Consistency::ddnm},
                                               {"repaint", Consistency::repaint},
                                               {"dps", Consistency::dps}};
  return names;
}

std::string to_string(Consistency consistency) { return name_of(consistency, consistency_names()); }

const std::vector<Option<RefineOptions>>& refine_options() {
  static const std::vector<Option<F>> table = refine_table();
  return table;
}

}  // namespace unmar
