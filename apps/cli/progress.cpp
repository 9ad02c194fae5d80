#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>

#include "console.h"

namespace unmar::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPlainLine = std::chrono::seconds(10);

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 79;
  return size.ws_col - 1u;  // the last column makes some terminals wrap
}

double rate_of(int done, double seconds) { return seconds > 0 ? done / seconds : 0; }
std::string per_second(double rate) {
  return fmt::format("{:.{}f} it/s", rate, rate >= 10 ? 0 : 2);
}

}  // namespace

std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::vector<std::string> progress_parts(const std::string& label, const FitProgress& progress,
                                        bool may_end_sooner, const Place& page) {
  const HistoryRow& row = progress.row;
  const int done = row.iteration + 1;
  std::vector<std::string> parts = {fmt::format("{} {}/{}", label, done, progress.iterations)};
  if (progress.parts > 1)
    parts.push_back(fmt::format("{} {} of {}", progress.phase, progress.part + 1, progress.parts));
  const double rate = rate_of(done, progress.seconds);
  if (page.all > 1) {
    const double share =
        (page.number - 1 + static_cast<double>(done) / progress.iterations) / page.all;
    parts.front() =
        fmt::format("{} page {}/{} {}/{}", label, page.number, page.all, done, progress.iterations);
    parts.push_back(fmt::format("{:.0f} % of all", 100 * share));
    parts.push_back(
        fmt::format("about {} left", duration(seconds_since(page.start) * (1 - share) / share)));
  } else if (rate > 0)
    parts.push_back(fmt::format("{}{} left", may_end_sooner ? "at most " : "",
                                duration((progress.iterations - done) / rate)));
  if (row.psnr_average)
    parts.push_back(fmt::format("PSNR {:.2f} dB", *row.psnr_average));
  else if (row.psnr)
    parts.push_back(fmt::format("PSNR {:.2f} dB", *row.psnr));
  parts.push_back(fmt::format("loss {:.5f}", row.loss));
  if (rate > 0) parts.push_back(per_second(rate));
  if (may_end_sooner) parts.push_back(fmt::format("best {}", progress.best_iteration));
  return parts;
}

std::string fit_line(const std::vector<std::string>& parts, std::size_t width) {
  std::string line = parts.front().substr(0, width);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (line.size() + 2 + parts[i].size() > width) break;
    line += "  " + parts[i];
  }
  return line;
}

Progress::Progress(std::string label, bool may_end_sooner, bool quiet, const Place& page)
    : label_(std::move(label)),
      may_end_sooner_(may_end_sooner),
      quiet_(quiet),
      terminal_(can_redraw()),
      page_(page) {}

bool Progress::due(int done, int all) {
  const auto now = Clock::now();
  const int tenth = static_cast<int>(std::int64_t{done} * 10 / all);
  const bool first = last_ == Clock::time_point{};
  if (terminal_ ? !first && now - last_ < kRedraw
                : tenth == last_tenth_ && !(first || now - last_ >= kPlainLine))
    return false;
  last_ = now;
  last_tenth_ = tenth;
  return true;
}

void Progress::update(const FitProgress& progress) {
  if (quiet_ || !due(progress.row.iteration + 1, progress.iterations)) return;
  draw(progress_parts(label_, progress, may_end_sooner_, page_));
}

void Progress::update_tiles(const TileProgress& progress) {
  constexpr int kParts = 10'000;
  const int done = std::max(1, static_cast<int>(progress.share * kParts));
  if (quiet_ || !due(done, kParts)) return;
  std::vector<std::string> parts = {
      fmt::format("{} tile {}/{}", label_, progress.done, progress.all),
      fmt::format("{:.1f} % of all", 100 * progress.share)};
  if (progress.seconds_left > 0)
    parts.push_back(fmt::format("about {} left", duration(progress.seconds_left)));
  draw(parts);
}

void Progress::update_loss(int iteration, int iterations, double seconds, double loss,
                           const std::vector<std::string>& more) {
  const int done = iteration + 1;
  if (quiet_ || !due(done, iterations)) return;
  std::vector<std::string> parts = {fmt::format("{} {}/{}", label_, done, iterations)};
  const double rate = rate_of(done, seconds);
  if (rate > 0) parts.push_back(fmt::format("{} left", duration((iterations - done) / rate)));
  parts.push_back(fmt::format("loss {:.5f}", loss));
  parts.insert(parts.end(), more.begin(), more.end());
  if (rate > 0) parts.push_back(per_second(rate));
  draw(parts);
}

void Progress::update_count(int done, int all, double seconds) {
  if (quiet_ || !due(done, all)) return;
  draw({fmt::format("{} {}/{}", label_, done, all),
        fmt::format("{} left", duration(seconds * (all - done) / done))});
}

void Progress::update_share(const std::string& part, double share, double seconds) {
  constexpr int kParts = 1000;
  constexpr double kShort = 5;  // seconds
  const int done = static_cast<int>(share * kParts);
  const double left = seconds * (1 - share) / std::max(share, 1e-3);
  if (quiet_ || done == 0 || (!terminal_ && seconds + left < kShort) || !due(done, kParts)) return;
  draw({fmt::format("{} {:.0f} %", part, 100 * share), fmt::format("{} left", duration(left))});
}

void Progress::draw(const std::vector<std::string>& parts) {
  if (terminal_) {
    redraw(fit_line(parts, terminal_width()));
    drawn_ = true;
  } else {
    say("{}", fit_line(parts, 200));
  }
}

void Progress::finish() {
  if (drawn_) redraw("");
  drawn_ = false;
}

}  // namespace unmar::cli
