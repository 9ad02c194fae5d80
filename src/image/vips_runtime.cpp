#include "image/vips_runtime.h"

#include <cctype>
#include <mutex>
#include <string_view>

#include <vips/vips8>

#include "base/fail.h"

namespace unmar::image {
namespace {

constexpr std::size_t kLongestText = 160;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) {
    text.remove_suffix(1);
  }
  return text;
}

/// Each library behind libvips has its own words for it. Not "failed to allocate": libtiff says
/// so of damaged files.
bool is_of_memory(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* words : {"out of memory", "insufficient memory", "not enough memory",
                            "cannot allocate memory", "memory allocation failed"})
    if (text.find(words) != text.npos) return true;
  return false;
}

void ignore_message(const gchar*, GLogLevelFlags, const gchar*, gpointer) {}

}  // namespace

void start_vips() {
  static std::once_flag once;
  std::call_once(once, [] {
    // A warning is either repeated as an error, which we report, or of no use to who reads the
    // terminal. Pango warns about fonts; captions are optional.
    for (const char* domain : {"VIPS", "Pango"}) {
      g_log_set_handler(
          domain,
          static_cast<GLogLevelFlags>(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG),
          ignore_message, nullptr);
    }
    if (VIPS_INIT("unmar") != 0) {
      fail(ErrorCode::unsupported, "image: libvips does not start: {}", take_vips_error());
    }
    vips_concurrency_set(1);  // its threads would compete with those of a running fit
    vips_cache_set_max(0);    // a file that is written again must be read again
  });
  vips_error_clear();  // what was said of an earlier file, if nobody took it
}

std::string take_vips_error() {
  const std::string all = vips_error_buffer();
  vips_error_clear();
  if (is_of_memory(all))  // says nothing of the file
    fail(ErrorCode::too_large,
         "image: there is not enough memory for the picture; free some, or take a smaller one");
  std::string line;
  for (std::string_view rest = all; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view part = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty() || line.find(part) != std::string::npos) continue;
    if (!line.empty()) line += "; ";
    line += part;
  }
  if (line.size() > kLongestText) line = line.substr(0, kLongestText - 3) + "...";
  return line.empty() ? "no reason given" : line;
}

}  // namespace unmar::image
