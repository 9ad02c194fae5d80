#include "unmar/runs/tile_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "base/fail.h"
#include "unmar/base/files.h"
#include "unmar/runs/store.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

/// Touches the claims of this process.
class Heart {
 public:
  static Heart& instance() {
    static Heart heart;
    return heart;
  }
  void add(const fs::path& file) {
    const std::lock_guard lock(mutex_);
    files_.insert(file);
    if (!thread_.joinable()) thread_ = std::jthread([this](std::stop_token stop) { beat(stop); });
  }
  void remove(const fs::path& file) {
    const std::lock_guard lock(mutex_);
    files_.erase(file);
  }

 private:
  void beat(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      woken_.wait_for(lock, stop, std::chrono::duration<double>(Claim::kTouch),
                      [] { return false; });
      // A claim that another took over stays as it is.
      for (const fs::path& file : files_) (void)::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
    }
  }

  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::set<fs::path> files_;
  std::jthread thread_;
};

double time_of(const struct stat& facts) {
  return static_cast<double>(facts.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(facts.st_mtim.tv_nsec);
}

std::string host_name() {
  char host[256] = "localhost";
  (void)::gethostname(host, sizeof host - 1);
  return host;
}

std::string own_name() {
  static std::atomic<unsigned> count{0};
  return fmt::format("{}-{}-{}", host_name(), ::getpid(), count++);
}

/// Makes the file; false if it is there. throws Error{io}.
bool create(const fs::path& file) {
  const int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (made < 0) {
    if (errno == EEXIST) return false;
    fail(ErrorCode::io, "claim: '{}' cannot be made: {}", file.string(), std::strerror(errno));
  }
  const std::string owner = fmt::format("{} {}\n", ::getpid(), host_name());
  (void)!::write(made, owner.data(), owner.size());
  ::close(made);
  return true;
}

/// Whether the process that made the file was one of this machine and is gone.
bool is_orphan(const fs::path& file) {
  std::ifstream claim(file);
  pid_t process = 0;
  std::string host;
  if (!(claim >> process >> host) || host != host_name()) return false;
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

/// Whether the file was not touched for long, by the clock of the file system that has it.
bool is_untouched(const fs::path& file) {
  struct stat claim {
  }, now{};
  if (::stat(file.c_str(), &claim) != 0) return false;
  const fs::path clock = file.parent_path() / (".clock-" + own_name());
  if (!create(clock)) return false;
  const bool known = ::stat(clock.c_str(), &now) == 0;
  ::unlink(clock.c_str());
  return known && time_of(now) - time_of(claim) > Claim::kStale;
}

bool is_stale(const fs::path& file) { return is_orphan(file) || is_untouched(file); }

void serialize(Archive& archive, TileFacts& facts) {
  auto& [tile, had_work, iterations, best_iteration, stopped, seconds] = facts;
  archive(tile, had_work, iterations, best_iteration, stopped, seconds);
}

void serialize(Archive& archive, TileResult& result) {
  serialize(archive, result.facts);
  archive(result.picture, result.alpha);
}

template <class T>
T read(const fs::path& file, const std::string& where) {
  const Checkpoint stored(file, where);
  Archive archive(stored.payload(), fmt::format("{}: '{}'", where, file.string()));
  T value;
  serialize(archive, value);
  archive.expect_end();
  return value;
}

}  // namespace

Claim::Claim(fs::path file) : file_(std::move(file)) { Heart::instance().add(file_); }

Claim::~Claim() {
  Heart::instance().remove(file_);
  ::unlink(file_.c_str());
}

std::unique_ptr<Claim> Claim::take(const fs::path& file) {
  if (!create(file)) {
    if (!is_stale(file)) return nullptr;
    // Of those that see it is stale, one renames it.
    const fs::path aside = file.parent_path() / (".stale-" + own_name());
    if (::rename(file.c_str(), aside.c_str()) != 0) return nullptr;
    ::unlink(aside.c_str());
    if (!create(file)) return nullptr;
  }
  return std::unique_ptr<Claim>(new Claim(file));
}

bool Claim::is_abandoned(const fs::path& file) {
  try {
    return is_orphan(file) && is_untouched(file);
  } catch (const Error&) {  // no file can be made beside it to tell the time: it may be gone
    return false;
  }
}

TileStore::TileStore(fs::path folder, std::string where)
    : folder_(std::move(folder)), where_(std::move(where)) {
  prepare_folder(folder_, where_);
}

fs::path TileStore::tile_file(int tile) const { return folder_ / fmt::format("{}.tile", tile); }

bool TileStore::has_start() const {
  std::error_code error;
  return fs::exists(start_file(), error);
}

bool TileStore::has(int tile) const {
  std::error_code error;
  return fs::exists(tile_file(tile), error);
}

int TileStore::count_done(int tiles) const {
  int done = 0;
  for (int tile = 0; tile < tiles; ++tile) done += has(tile) ? 1 : 0;
  return done;
}

std::unique_ptr<Claim> TileStore::claim_start() const {
  return Claim::take(folder_ / "start.claim");
}

std::unique_ptr<Claim> TileStore::claim(int tile) const {
  return Claim::take(folder_ / fmt::format("{}.claim", tile));
}

void TileStore::save(TileStart start) const {
  write_checkpoint(start_file(), where_, [&](Archive& archive) { serialize(archive, start); });
}

void TileStore::save(int tile, TileResult result) const {
  write_checkpoint(tile_file(tile), where_, [&](Archive& archive) { serialize(archive, result); });
}

TileStart TileStore::start() const { return read<TileStart>(start_file(), where_); }

TileResult TileStore::tile(int tile) const { return read<TileResult>(tile_file(tile), where_); }

TileFacts TileStore::facts(int tile) const {
  const Checkpoint stored(tile_file(tile), where_);
  Archive archive(stored.payload(), fmt::format("{}: '{}'", where_, tile_file(tile).string()));
  TileFacts facts;
  serialize(archive, facts);
  return facts;
}

}  // namespace unmar
