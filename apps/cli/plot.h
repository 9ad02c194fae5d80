#pragma once

#include <string>
#include <utility>
#include <vector>

namespace unmar::cli {

struct Series {
  std::string name;                               ///< for the legend
  std::vector<std::pair<double, double>> points;  ///< x ascending; those not finite are left out
  bool faint = false;                             ///< drawn behind, lightly
};

struct Plot {
  std::string title = {}, about = {};  ///< plain text
  std::string unit = {};               ///< of y; may be empty
  std::vector<Series> series = {};
  double last = 1;           ///< x goes from 0 to it
  double chosen = -1;        ///< x that is marked; below 0: none
  bool logarithmic = false;  ///< y, if all values are above 0 and span enough
};

/// As HTML: curves as inline SVG that stretch with the page, labels as text beside them. Long
/// series are thinned so that every peak stays.
std::string to_html(const Plot& plot);

/// Round numbers within [low, high], about `count` of them; powers and halves of ten if
/// logarithmic.
std::vector<double> ticks(double low, double high, int count, bool logarithmic);

}  // namespace unmar::cli
