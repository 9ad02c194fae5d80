#include "diffusion/python_json.h"

namespace unmar::diffusion {

std::string plain_json(std::string_view python) {
  constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string text;
  bool quoted = false;
  for (std::size_t i = 0; i < python.size();) {
    std::size_t length = 1;
    if (python[i] == '"') {
      quoted = !quoted;
    } else if (quoted && python[i] == '\\') {
      length = 2;
    } else if (!quoted) {
      for (const std::string_view word : kWords)
        if (python.substr(i).starts_with(word)) length = word.size();
    }
    const std::string_view part = python.substr(i, length);
    if (!quoted && part.size() > 1)
      text.append("\"").append(part).append("\"");
    else
      text.append(part);
    i += length;
  }
  return text;
}

}  // namespace unmar::diffusion
