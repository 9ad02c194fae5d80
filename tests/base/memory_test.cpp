#include "base/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace unmar {
namespace {

namespace fs = std::filesystem;

/// A system made of files.
class AvailableMemory : public ::testing::Test {
 protected:
  AvailableMemory()
      : root_(fs::temp_directory_path() / ("unmar-memory-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
  }
  ~AvailableMemory() override {
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

}  // namespace
}  // namespace unmar
