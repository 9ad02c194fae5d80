#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/process.h"
#include "unmar/image/image.h"

namespace unmar::cli_test {

using Words = std::vector<std::string>;

inline Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A network that fits in milliseconds, on the engine that is always there.
inline const Words kTiny = {"--engine",         "ref", "--iterations", "6", "--scales",  "2",
                            "--channels",       "4",   "--skip",       "2", "--threads", "1",
                            "--input-channels", "2"};

/// The options of a manifest as the command line that repeats them.
inline Words options_of(const nlohmann::ordered_json& manifest) {
  Words words;
  for (const auto& [name, value] : manifest["options"].items()) {
    if (value.is_boolean())
      words.push_back((value.get<bool>() ? "--" : "--no-") + name);
    else
      words =
          words + Words{"--" + name, value.is_string() ? value.get<std::string>() : value.dump()};
  }
  return words;
}

inline Image test_picture(int height, int width, int channels = 3) {
  Image image(channels, height, width);
  for (int c = 0; c < channels; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        image.at(c, y, x) = 0.5f + 0.4f * std::sin(0.4f * static_cast<float>(x + 2 * c) +
                                                   0.3f * static_cast<float>(y));
  return image;
}

/// Runs unmar in a folder of its own.
class CliTest : public testing::Test {
 protected:
  CliTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("unmar-cli-" + std::string(info->name()) + "-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~CliTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path in(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& folder() const { return folder_; }
  void put(const std::string& name, const Image& image) const { write_image(in(name), image); }
  Image get(const std::string& name) const { return read_image(in(name)); }

  Outcome run(const Words& arguments) const { return Process(folder_, arguments).wait(); }

  /// All files in the folder that the program or the test made.
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.insert(entry.path().filename().string());
    names.erase(".stdout");
    names.erase(".stderr");
    return names;
  }

  /// Fails unless the program ended with `code`, said exactly one line "error: ...", which holds
  /// all of `parts`, printed nothing else, and left no new file.
  void expect_refusal(const Words& arguments, int code, const Words& parts) const {
    const auto before = files();
    const Outcome outcome = run(arguments);
    SCOPED_TRACE("unmar " + testing::PrintToString(arguments) + "\n" + outcome.err);
    EXPECT_EQ(outcome.code, code);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, testing::StartsWith("error: "));
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "not one line";
    for (const std::string& part : parts) EXPECT_THAT(outcome.err, testing::HasSubstr(part));
    EXPECT_EQ(files(), before);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace unmar::cli_test
