#include "report/pictures.h"

#include <glib.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

namespace unmar::report {

nlohmann::ordered_json data_uri(const std::string& webp) {
  if (webp.empty()) return nullptr;
  const std::unique_ptr<char, void (*)(void*)> text(
      g_base64_encode(reinterpret_cast<const guchar*>(webp.data()), webp.size()), &g_free);
  return std::string("data:image/webp;base64,") + text.get();
}

Image difference(const Image& a, const Image& b, float gain) {
  Image map(1, a.height(), a.width());
  for (int c = 0; c < a.channels(); ++c)
    for (std::size_t i = 0; i < map.count(); ++i)
      map.pixels()[i] +=
          gain * std::abs(a.plane(c)[i] - b.plane(c)[i]) / static_cast<float>(a.channels());
  return clamped(map);
}

}  // namespace unmar::report
