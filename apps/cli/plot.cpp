#include "plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "html.h"

namespace unmar::cli {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr std::size_t kMostPoints = 900;
constexpr double kLeastSpan = 5;  ///< largest / smallest value from which a logarithm helps
constexpr double kWidth = 1000, kHeight = 300;  ///< of the drawing, in its own units

/// Of every stretch the least and the greatest value, in their order.
Points thinned(const Points& points) {
  if (points.size() <= kMostPoints) return points;
  const std::size_t parts = kMostPoints / 2;
  Points kept;
  for (std::size_t part = 0; part < parts; ++part) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(part * points.size() / parts);
    const auto end =
        points.begin() + static_cast<std::ptrdiff_t>((part + 1) * points.size() / parts);
    auto [low, high] = std::minmax_element(
        begin, end, [](const auto& a, const auto& b) { return a.second < b.second; });
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

/// Maps values to 0 (low) .. 1 (high).
struct Scale {
  double low = 0, high = 1;
  bool logarithmic = false;
  double operator()(double value) const {
    return logarithmic ? std::log(value / low) / std::log(high / low)
                       : (value - low) / (high - low);
  }
};

Scale scale_of(const Plot& plot) {
  Scale scale{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const Series& series : plot.series)
    for (const auto& [x, y] : series.points) {
      scale.low = std::min(scale.low, y);
      scale.high = std::max(scale.high, y);
    }
  scale.logarithmic = plot.logarithmic && scale.low > 0 && scale.high > kLeastSpan * scale.low;
  if (scale.logarithmic) {
    scale.high *= std::pow(scale.high / scale.low, 0.04);
    scale.low /= std::pow(scale.high / scale.low, 0.04);
  } else {
    double room = 0.05 * (scale.high - scale.low);
    if (!(room > 0)) room = std::max(std::abs(scale.high) * 0.1, 1e-6);
    scale.high += room;
    scale.low -= room;
  }
  return scale;
}

std::string path_of(const Points& points, const Scale& y, double last) {
  std::string path;
  for (const auto& [px, py] : thinned(points))
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", kWidth * px / last,
                        kHeight * (1 - y(py)));
  return path;
}

std::string number(double value) { return fmt::format("{:.4g}", value); }

}  // namespace

std::vector<double> ticks(double low, double high, int count, bool logarithmic) {
  std::vector<double> marks;
  if (!(high > low)) return marks;
  if (logarithmic) {
    const bool wide = std::log10(high / low) > 3;
    for (int power = static_cast<int>(std::floor(std::log10(low)));
         power <= static_cast<int>(std::ceil(std::log10(high))); ++power)
      for (const double digit : {1., 2., 5.}) {
        const double value = digit * std::pow(10., power);
        if (value >= low && value <= high && (digit == 1 || !wide)) marks.push_back(value);
      }
    return marks;
  }
  const double raw = (high - low) / count;
  const double power = std::pow(10., std::floor(std::log10(raw)));
  const double ratio = raw / power;
  const double step = power * (ratio < 1.5 ? 1 : ratio < 3 ? 2 : ratio < 7 ? 5 : 10);
  // Counted, so that nothing adds up and zero is zero.
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k)
    marks.push_back(k * step + 0.0);
  return marks;
}

std::string to_html(const Plot& given) {
  Plot plot = given;
  for (Series& series : plot.series)
    std::erase_if(series.points, [](const auto& p) {
      return !std::isfinite(p.first) || !std::isfinite(p.second);
    });
  std::erase_if(plot.series, [](const Series& s) { return s.points.empty(); });
  if (plot.series.empty()) return "";
  const Scale y = scale_of(plot);
  const double last = std::max(plot.last, 1.0);

  std::string grid, labels, curves, legend;
  for (const double value : ticks(y.low, y.high, 4, y.logarithmic)) {
    const double at = 1 - y(value);
    grid += fmt::format("<path d=\"M0 {0:.1f}H{1:.0f}\"/>", kHeight * at, kWidth);
    labels +=
        fmt::format("<span class=\"y\" style=\"top:{:.2f}%\">{}</span>", 100 * at, number(value));
  }
  for (const double value : ticks(0, last, 4, false))
    labels += fmt::format("<span class=\"x\" style=\"left:{:.2f}%\">{}</span>", 100 * value / last,
                          number(value));
  int colour = 0;
  for (const Series& series : plot.series) {
    const std::string style = series.faint ? "faint" : fmt::format("c{}", colour++ % 4);
    curves += fmt::format("<path class=\"{}\" d=\"{}\"/>", style, path_of(series.points, y, last));
    legend += fmt::format("<span class=\"key {}\">{}</span>", style, html_escaped(series.name));
  }
  std::string mark;
  if (plot.chosen >= 0) {
    const double at = 100 * plot.chosen / last;
    mark = fmt::format("<span class=\"chosen{}\" style=\"left:{:.2f}%\"><b>chosen: {}</b></span>",
                       at > 60 ? " flip" : "", at, number(plot.chosen));
  }
  return fmt::format(
      "<figure class=\"plot\"><figcaption><h3>{0}{1}</h3><p>{2}</p><div class=\"legend\">{3}</div>"
      "</figcaption><div class=\"axes\"><div class=\"area\" data-last=\"{9}\">"
      "<svg viewBox=\"0 0 {4:.0f} {5:.0f}\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"{0}{1} over the iterations\"><g class=\"grid\">{6}</g>{7}</svg>{8}"
      "<span class=\"cursor\" hidden></span></div></div></figure>\n",
      html_escaped(plot.title), plot.unit.empty() ? "" : ", " + html_escaped(plot.unit),
      html_escaped(plot.about), legend, kWidth, kHeight, grid, curves, labels + mark, last);
}

}  // namespace unmar::cli
