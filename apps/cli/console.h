#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

/// The one place through which the program speaks. Nothing here throws, and nothing here can end
/// the program: who listens may have closed the pipe, the terminal may be gone, the disk that holds
/// the log may be full.
namespace unmar::cli {

/// At the start of the program: standard streams that are closed lead nowhere from here on. Else
/// the next file that is opened would take their number, and what is said would go into it.
void open_console();

namespace console {
void say(fmt::string_view text, fmt::format_args values) noexcept;
void print(fmt::string_view text, fmt::format_args values) noexcept;
}  // namespace console

/// The library's texts speak of fields: "lower `reg_noise_std`". Here they are flags: "lower
/// --reg-noise-std"; `output` is -o.
std::string with_flags(std::string_view text);

/// To people: a line on stderr, with flags for fields.
template <class... T>
void say(fmt::format_string<T...> text, T&&... values) {
  console::say(text, fmt::make_format_args(values...));
}

/// What the command is for: on stdout, as it is.
template <class... T>
void print(fmt::format_string<T...> text, T&&... values) {
  console::print(text, fmt::make_format_args(values...));
}

/// False if something of what was printed could not be written. Not so if the reader of a pipe
/// went away: it has what it wanted.
bool flush_printed() noexcept;

/// Whether stderr is a terminal that can draw a line anew.
bool can_redraw();
/// Draws the line of progress in place of the one before; empty: clears it.
void redraw(std::string_view line) noexcept;

}  // namespace unmar::cli
