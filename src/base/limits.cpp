#include "base/limits.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "unmar/base/process.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;
using Bytes = std::optional<std::size_t>;

Bytes smaller(Bytes a, Bytes b) { return a && b ? std::min(*a, *b) : a ? a : b; }

/// The number behind a word at the start of a line; empty: the number that the file begins with.
Bytes number_in(const fs::path& file, const std::string& word = {}) {
  std::ifstream in(file);
  std::string name;
  for (std::size_t value = 0; in; in.ignore(4096, '\n')) {
    if (!word.empty() && (!(in >> name) || name != word)) continue;
    if (in >> value) return value;
    return std::nullopt;  // "max"
  }
  return std::nullopt;
}

/// What one group leaves, if it has a limit: memory that only caches files can be had back.
Bytes left_in(const fs::path& group, const char* limit_file, const char* used_file,
              const char* cache_word) {
  const Bytes limit = number_in(group / limit_file), used = number_in(group / used_file);
  if (!limit || !used) return std::nullopt;
  const std::size_t cache = number_in(group / "memory.stat", cache_word).value_or(0);
  const std::size_t held = *used - std::min(*used, cache);
  return *limit - std::min(*limit, held);
}

/// The least that the group at `path` and those around it leave.
template <class Left>
Bytes least_up_from(const fs::path& top, const fs::path& path, const Left& left) {
  Bytes least = left(top);
  fs::path group = top;
  for (const fs::path& part : path.relative_path())
    if (part != "..") least = smaller(least, left(group /= part));
  return least;
}

/// The least that the groups of this process leave of what `controller` counts; `left` and `left_1`
/// read the files of a group of version 2 and 1.
template <class Left, class Left1>
Bytes least_in_control_groups(const fs::path& root, const std::string& controller, const Left& left,
                              const Left1& left_1) {
  const fs::path all = root / "sys/fs/cgroup";
  std::ifstream groups(root / "proc/self/cgroup");
  Bytes least;
  for (std::string line; std::getline(groups, line);) {  // "0::/path", "4:cpu,cpuacct:/path"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path path = line.substr(second + 1);
    if (controllers.empty()) least = smaller(least, least_up_from(all, path, left));
    if (("," + controllers + ",").find("," + controller + ",") != std::string::npos)
      least = smaller(least, least_up_from(all / controllers, path, left_1));
  }
  return least;
}

Bytes left_in_control_groups(const fs::path& root) {
  return least_in_control_groups(
      root, "memory",
      [](const fs::path& group) {
        return left_in(group, "memory.max", "memory.current", "inactive_file");
      },
      [](const fs::path& group) {
        return left_in(group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                       "total_inactive_file");
      });
}

/// Processors that have so much time together; empty: any number.
Bytes cores_for(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return std::nullopt;
  return static_cast<std::size_t>(std::ceil(quota / period));
}

/// The first number of a file, or two; 0 where there is none.
std::pair<double, double> numbers_in(const fs::path& file) {
  std::ifstream in(file);
  std::pair<double, double> numbers;
  in >> numbers.first >> numbers.second;
  return numbers;
}

Bytes cores_in_control_groups(const fs::path& root) {
  return least_in_control_groups(
      root, "cpu",
      [](const fs::path& group) {
        const auto [quota, period] = numbers_in(group / "cpu.max");  // "max 100000": no limit
        return cores_for(quota, period);
      },
      [](const fs::path& group) {
        return cores_for(numbers_in(group / "cpu.cfs_quota_us").first,  // -1: no limit
                         numbers_in(group / "cpu.cfs_period_us").first);
      });
}

/// Those that this process is bound to.
std::size_t bound_cores() {
  constexpr int kMost = 1 << 16;
  for (int most = CPU_SETSIZE; most <= kMost; most *= 4) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(most),
                                                               [](cpu_set_t* s) { CPU_FREE(s); });
    const std::size_t size = CPU_ALLOC_SIZE(most);
    if (set && sched_getaffinity(0, size, set.get()) == 0)
      return static_cast<std::size_t>(CPU_COUNT_S(size, set.get()));
    if (errno != EINVAL) break;  // EINVAL: the system has more than `most`
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

/// Of the address space that `ulimit -v` allows.
Bytes left_of_address_space(const fs::path& root) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  const std::size_t pages = number_in(root / "proc/self/statm").value_or(0);
  const std::size_t used = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return limit.rlim_cur > used ? limit.rlim_cur - used : 1;
}

}  // namespace

Bytes available_memory(const fs::path& root) {
  Bytes system = number_in(root / "proc/meminfo", "MemAvailable:");
  if (system) *system *= 1024;
  return smaller(smaller(system, left_in_control_groups(root)), left_of_address_space(root));
}

int core_count(const fs::path& root) {
  const std::size_t bound = bound_cores();
  const std::size_t cores = std::min(bound, cores_in_control_groups(root).value_or(bound));
  return static_cast<int>(std::max<std::size_t>(1, cores));
}

int core_count() { return core_count("/"); }

int thread_count(int threads) { return threads > 0 ? threads : core_count(); }

std::string bytes_in_words(std::size_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? fmt::format("{:.0f} MiB", std::ceil(mib))
                    : fmt::format("{:.1f} GiB", mib / 1024);
}

}  // namespace unmar
