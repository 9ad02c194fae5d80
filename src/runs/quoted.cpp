#include "runs/quoted.h"

#include <glib.h>

#include <memory>
#include <string_view>

namespace unmar::runs {

std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=+:@%,-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  const std::unique_ptr<char, void (*)(void*)> text(g_shell_quote(word.c_str()), &g_free);
  return text.get();
}

std::string quoted(const std::filesystem::path& path) {
  return quoted(path.string().starts_with('-') ? "./" + path.string() : path.string());
}

}  // namespace unmar::runs
