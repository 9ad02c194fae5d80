#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "unmar/base/error.h"
#include "unmar/image/image.h"

namespace unmar::image_test {

/// Less than a tenth of a 16-bit step, more than float rounding: the same sample was stored.
inline constexpr double kSameSample = 1e-6;

/// A test with a folder of its own.
class InFolder : public testing::Test {
 protected:
  InFolder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("unmar-") + info->test_suite_name() + "-" + info->name();
    std::replace(name.begin(), name.end(), '/', '-');  // parameterised suites
    folder_ = std::filesystem::temp_directory_path() / (name + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~InFolder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::filesystem::path in(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& folder() const { return folder_; }

  /// Names of everything in the folder, hidden files too.
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

 private:
  std::filesystem::path folder_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Noise: no two rows, columns or channels alike, hardly compressible; every value a multiple of
/// 1 / steps.
inline Image busy_picture(int channels, int height, int width, std::uint32_t steps = 255) {
  Image image(channels, height, width);
  std::uint32_t state = 1;
  for (float& value : image.pixels()) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<double>((state >> 8) % (steps + 1)) / steps);
  }
  return image;
}

/// Slow gradients, which lossy formats keep well.
inline Image smooth_picture(int channels, int height, int width) {
  Image image(channels, height, width);
  for (int c = 0; c < channels; ++c) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        image.at(c, y, x) = 0.5f + 0.4f * std::sin(0.05f * static_cast<float>(x + 2 * y + 9 * c));
      }
    }
  }
  return image;
}

inline double largest_difference(const Image& a, const Image& b) {
  EXPECT_TRUE(a.same_size(b));
  if (!a.same_size(b)) return HUGE_VAL;
  double largest = 0;
  for (std::size_t i = 0; i < a.count(); ++i) {
    const double difference = std::abs(static_cast<double>(a.pixels()[i] - b.pixels()[i]));
    largest = std::max(largest, difference);
  }
  return largest;
}

/// Expects Error of this code with a one-line text that contains all of `parts`.
template <class Body>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, Body body) {
  try {
    body();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    for (const auto& part : parts) EXPECT_THAT(text, testing::HasSubstr(part));
  }
}

}  // namespace unmar::image_test
