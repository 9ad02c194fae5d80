#include <cmath>
#include <limits>

#include "image/compared.h"
#include "unmar/image/image.h"

namespace unmar {

double psnr(const Image& a, const Image& b, const CompareOptions& options) {
  const image::Compared pair("psnr", a, b, options);
  double sum = 0;
  for (int c = 0; c < pair.channels(); ++c) {
    const auto first = pair.first(c), second = pair.second(c);
    for (int y = 0; y < pair.height(); ++y) {
      const float* p = first.row(y);
      const float* q = second.row(y);
      double row_sum = 0;
      for (int x = 0; x < pair.width(); ++x) {
        const double difference = static_cast<double>(p[x]) - static_cast<double>(q[x]);
        row_sum += difference * difference;
      }
      sum += row_sum;
    }
  }
  const double mean = sum / pair.channels() / pair.height() / pair.width();
  return mean == 0 ? std::numeric_limits<double>::infinity() : -10 * std::log10(mean);
}

}  // namespace unmar
