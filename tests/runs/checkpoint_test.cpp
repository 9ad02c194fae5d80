#include <numeric>

#include "runs/support.h"
#include "unmar/base/files.h"

namespace unmar::runs_test {
namespace {

using testing::HasSubstr;

class CheckpointFile : public RunsTest {
 protected:
  std::filesystem::path path() const { return in("checkpoint.bin"); }
  void write(const std::vector<float>& list) const {
    write_checkpoint(path(), "test", [&](Archive& archive) {
      std::vector<float> values = list;
      std::string name = "values";
      archive(name, values);
    });
  }
  void put(const std::string& text) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << text;
  }
  std::string refusal(ErrorCode code = ErrorCode::bad_input) const {
    return error_of([&] { Checkpoint(path(), "test"); }, code);
  }
};

TEST_F(CheckpointFile, GivesBackWhatWasWritten) {
  for (const std::size_t count : {0u, 3u, 16'370u, 100'000u}) {
    std::vector<float> list(count);
    std::iota(list.begin(), list.end(), 0.5f);
    write(list);
    const Checkpoint checkpoint(path(), "test");
    Archive archive(checkpoint.payload(), "test");
    std::vector<float> read;
    std::string name;
    archive(name, read);
    archive.expect_end();
    EXPECT_EQ(name, "values");
    EXPECT_EQ(read, list);
  }
}

TEST_F(CheckpointFile, ThatCannotBeWrittenLeavesTheOldOne) {
  write({1, 2, 3});
  const std::string before = bytes(path());
  EXPECT_THROW(write_checkpoint(path(), "test",
                                [](Archive& archive) {
                                  std::string half = "half";
                                  archive(half);
                                  throw std::runtime_error("in the middle");
                                }),
               std::runtime_error);
  EXPECT_EQ(bytes(path()), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path().parent_path()), {}), 1);
}

TEST_F(CheckpointFile, IsRefusedIfAnyByteChanged) {
  write({1, 2, 3, 4, 5});
  const std::string good = bytes(path());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    put(changed);
    EXPECT_THROW(Checkpoint(path(), "test"), Error) << i;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    put(good.substr(0, size));
    EXPECT_THAT(refusal(), HasSubstr("checkpoint.bin' is "));
  }
  put(good + "x");
  EXPECT_THAT(refusal(), HasSubstr("cut short"));
}

TEST_F(CheckpointFile, ThatIsNotThereIsRefused) {
  EXPECT_THAT(refusal(ErrorCode::io), HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace unmar::runs_test
