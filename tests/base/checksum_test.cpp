#include "unmar/base/checksum.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "error_text.h"

namespace unmar {
namespace {

TEST(Sha256, IsThatOfFips180) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const auto path =
      std::filesystem::temp_directory_path() / ("unmar-sha-" + std::to_string(::getpid()));
  const std::string bytes(200'000, 'x');  // more than one piece
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(sha256_of_file(path), sha256(bytes));
  std::filesystem::remove(path);
  EXPECT_NE(test::error_text([&] { sha256_of_file(path); }, ErrorCode::io).find("cannot read"),
            std::string::npos);
}

}  // namespace
}  // namespace unmar
