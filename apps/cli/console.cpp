#include "console.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace unmar::cli {
namespace {

int print_error = 0;  ///< the first errno of stdout

void put(std::FILE* to, std::string_view text) noexcept {
  errno = 0;
  const bool whole = std::fwrite(text.data(), 1, text.size(), to) == text.size();
  if (!whole && to == stdout && print_error == 0) print_error = errno;
}

std::string formatted(fmt::string_view text, fmt::format_args values,
                      std::string_view end = "") noexcept {
  try {
    return fmt::vformat(text, values).append(end);
  } catch (const std::exception&) {  // no memory left: better silent than dead
    return {};
  }
}

}  // namespace

void open_console() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    // Files get the lowest free number. Only to be read: to write to it stays an error.
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF) (void)!open("/dev/null", O_RDONLY);
}

std::string with_flags(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '`' ? text.find('`', at + 1) : text.npos;
    const std::string_view name =
        end == text.npos ? std::string_view() : text.substr(at + 1, end - at - 1);
    const bool is_field =
        !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == name.npos;
    if (!is_field) {
      result += text[at++];
      continue;
    }
    std::string flag = name == "output" ? "-o" : "--" + std::string(name);
    std::ranges::replace(flag, '_', '-');
    result += flag;
    at = end + 1;
  }
  return result;
}

void console::say(fmt::string_view text, fmt::format_args values) noexcept {
  try {
    put(stderr, with_flags(formatted(text, values, "\n")));
  } catch (const std::exception&) {  // no memory left
  }
}

void console::print(fmt::string_view text, fmt::format_args values) noexcept {
  put(stdout, formatted(text, values));
}

bool flush_printed() noexcept {
  errno = 0;
  if (std::fflush(stdout) != 0 && print_error == 0) print_error = errno;
  return print_error == 0 || print_error == EPIPE;
}

bool can_redraw() {
  const char* terminal = std::getenv("TERM");
  const std::string_view kind = terminal ? terminal : "";
  return isatty(STDERR_FILENO) == 1 && !kind.empty() && kind != "dumb";
}

void redraw(std::string_view line) noexcept {
  put(stderr, "\r");
  put(stderr, line);
  put(stderr, "\033[K");
}

}  // namespace unmar::cli
