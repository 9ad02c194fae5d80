#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "unmar/base/error.h"
#include "unmar/runs/run.h"

namespace unmar::runs_test {

/// As if nobody had touched it for years.
inline void make_old(const std::filesystem::path& file) {
  std::filesystem::last_write_time(
      file, std::filesystem::file_time_type::clock::now() - std::chrono::years(20));
}
/// Of a process that this machine does not have.
inline std::string killed_process() {
  char host[256] = {};
  EXPECT_EQ(::gethostname(host, sizeof host - 1), 0);
  return std::string("999999999 ") + host + '\n';
}

/// Each test in a folder of its own.
class RunsTest : public testing::Test {
 protected:
  RunsTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("unmar-runs-" + std::string(info->name()) + "-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~RunsTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path in(const std::string& name) const { return folder_ / name; }

  /// Writes a small picture and asks for a tiny fit of it.
  FitRequest request(const std::string& name = "a", int iterations = 30, int seed = 3) const {
    Image image(1, 20, 24);
    for (int y = 0; y < 20; ++y)
      for (int x = 0; x < 24; ++x)
        image.at(0, y, x) =
            0.5f + 0.4f * std::sin(0.3f * static_cast<float>(x) + 0.2f * static_cast<float>(y));
    write_image(in(name + ".png"), image);
    FitRequest request;
    request.in.picture = in(name + ".png");
    request.in.reference = in(name + ".png");
    request.out.result = in(name + "_out.tif");
    request.options = {.method = Method::dip,
                       .iterations = iterations,
                       .stop = StopRule::none,
                       .scales = 2,
                       .channels = 6,
                       .skip = 2,
                       .input_channels = 4,
                       .seed = seed,
                       .threads = 1,
                       .engine = "ref"};
    request.cadence.checkpoint_seconds = 0;
    return request;
  }

  static std::string bytes(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  template <class Call>
  static std::string error_of(const Call& call, ErrorCode code) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

 private:
  std::filesystem::path folder_;
};

/// Stops the run after so many iterations.
class StopAfter : public RunObserver {
 public:
  explicit StopAfter(int iterations) : left_(iterations) {}
  void progressed(const FitProgress&) override {
    if (--left_ == 0) source.request_stop();
  }
  std::stop_source source;

 private:
  int left_;
};

}  // namespace unmar::runs_test
