#include "base/limits.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "unmar/base/process.h"

namespace unmar {
namespace {

namespace fs = std::filesystem;

/// A system made of files.
class Limits : public ::testing::Test {
 protected:
  Limits() : root_(fs::temp_directory_path() / ("unmar-limits-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
  }
  ~Limits() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void system_has_kilobytes(int kilobytes) const {
    write("proc/meminfo", "MemTotal:       999999 kB\nMemFree:  1 kB\nMemAvailable:   " +
                              std::to_string(kilobytes) + " kB\nBuffers: 7 kB\n");
  }

  fs::path root_;
};

using AvailableMemory = Limits;
using CoreCount = Limits;
using Bytes = std::optional<std::size_t>;

TEST_F(AvailableMemory, IsThatOfTheSystem) {
  system_has_kilobytes(2000);
  EXPECT_EQ(available_memory(root_), Bytes(2000u * 1024));
}

TEST_F(AvailableMemory, IsNotKnownWhereNothingTells) {
  EXPECT_EQ(available_memory(root_), std::nullopt);
}

TEST_F(AvailableMemory, IsWhatTheControlGroupLeavesIfThatIsLess) {
  system_has_kilobytes(2000);
  write("proc/self/cgroup", "0::/jobs/mine\n");
  write("sys/fs/cgroup/jobs/mine/memory.max", "1000000\n");
  write("sys/fs/cgroup/jobs/mine/memory.current", "400000\n");
  write("sys/fs/cgroup/jobs/mine/memory.stat", "anon 5\nfile 6\ninactive_file 100000\n");
  EXPECT_EQ(available_memory(root_), Bytes(700000u));
}

TEST_F(AvailableMemory, CountsTheGroupsAround) {
  system_has_kilobytes(2000);
  write("proc/self/cgroup", "0::/jobs/mine\n");
  write("sys/fs/cgroup/jobs/memory.max", "500000\n");
  write("sys/fs/cgroup/jobs/memory.current", "450000\n");
  write("sys/fs/cgroup/jobs/mine/memory.max", "max\n");
  write("sys/fs/cgroup/jobs/mine/memory.current", "450000\n");
  EXPECT_EQ(available_memory(root_), Bytes(50000u));
}

TEST_F(AvailableMemory, ReadsTheGroupsOfVersionOneToo) {
  system_has_kilobytes(2000);
  write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "300000\n");
  write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "350000\n");
  EXPECT_EQ(available_memory(root_), Bytes(0u)) << "it holds more than it may";
  write("sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file 60000\n");
  EXPECT_EQ(available_memory(root_), Bytes(10000u));
}

TEST_F(AvailableMemory, OfThisMachineIsKnown) {
  const Bytes bytes = available_memory();
  ASSERT_TRUE(bytes);
  EXPECT_GT(*bytes, std::size_t{1} << 20) << "this test runs in more than that";
  const auto all = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_LE(*bytes, all);
}

/// With the processors that the test runs on.
TEST_F(CoreCount, IsThatOfTheProcessorsThatItIsBoundTo) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(core_count(root_), CPU_COUNT(&before));
  EXPECT_EQ(thread_count(0), core_count());
  EXPECT_EQ(thread_count(7), 7);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(core_count(root_), 1);
  EXPECT_EQ(core_count(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST_F(CoreCount, IsNoMoreThanTheTimeThatTheControlGroupAllows) {
  const int all = core_count(root_);
  write("proc/self/cgroup", "0::/jobs/mine\n");
  write("sys/fs/cgroup/jobs/mine/cpu.max", "max 100000\n");
  EXPECT_EQ(core_count(root_), all);
  write("sys/fs/cgroup/jobs/cpu.max", "20000 100000\n");
  EXPECT_EQ(core_count(root_), 1) << "a fifth of one";
  write("sys/fs/cgroup/jobs/cpu.max", "110000 100000\n");
  EXPECT_EQ(core_count(root_), std::min(2, all));
  write("sys/fs/cgroup/jobs/cpu.max", "nonsense\n");
  EXPECT_EQ(core_count(root_), all);
}

TEST_F(CoreCount, ReadsTheGroupsOfVersionOneToo) {
  const int all = core_count(root_);
  write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n");
  write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(core_count(root_), all);
  write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n");
  EXPECT_EQ(core_count(root_), 1);
}

}  // namespace
}  // namespace unmar
