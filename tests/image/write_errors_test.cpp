#include <sys/resource.h>

#include <csignal>

#include "support.h"

namespace unmar {
namespace {

using namespace image_test;

class WriteErrors : public InFolder {
 protected:
  /// write_image and check_writable throw the same.
  void expect_both(ErrorCode code, const std::vector<std::string>& parts,
                   const std::filesystem::path& path) {
    expect_error(code, parts, [&] { write_image(path, busy_picture(1, 4, 4)); });
    expect_error(code, parts, [&] { check_writable(path); });
  }
};

/// No file can grow beyond this, as if the disk were full. Undone at the end.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST_F(WriteErrors, unknown_extension_is_named_with_those_that_work) {
  expect_both(ErrorCode::bad_argument, {"unknown extension '.bmp'", ".png .tif .tiff .jpg"},
              in("a.bmp"));
  expect_both(ErrorCode::bad_argument, {"has no extension"}, in("a"));
  EXPECT_TRUE(files().empty());
}

TEST_F(WriteErrors, missing_folder_is_named) {
  expect_both(ErrorCode::io, {"the folder of '", "none/a.png' does not exist"}, in("none/a.png"));
}

TEST_F(WriteErrors, file_in_place_of_the_folder_is_an_error) {
  put_bytes(in("f"), "x");
  expect_both(ErrorCode::io, {"cannot write '", "Not a directory"}, in("f") / "a.png");
}

TEST_F(WriteErrors, folder_as_target_is_an_error) {
  std::filesystem::create_directory(in("d.png"));
  expect_both(ErrorCode::io, {"d.png' is a folder"}, in("d.png"));
  EXPECT_EQ(files(), std::set<std::string>{"d.png"});
}

TEST_F(WriteErrors, device_as_target_is_an_error) {
  std::filesystem::create_symlink("/dev/null", in("a.png"));
  expect_both(ErrorCode::io, {"is not a regular file"}, in("a.png"));
}

TEST_F(WriteErrors, folder_without_permission_is_an_error) {
  expect_both(ErrorCode::io, {"cannot write '/proc/a.png': "}, "/proc/a.png");  // not even root may
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere else";
  std::filesystem::permissions(folder(), std::filesystem::perms::owner_exec);
  expect_both(ErrorCode::io, {"Permission denied"}, in("a.png"));
  std::filesystem::permissions(folder(), std::filesystem::perms::owner_all);
}

TEST_F(WriteErrors, full_disk_leaves_the_old_file_and_no_other) {
  for (const char* name : {"a.png", "a.tif", "a.jpg", "a.webp", "a.fits"}) {
    std::filesystem::remove_all(folder());
    std::filesystem::create_directory(folder());
    write_image(in(name), Image(1, 4, 4, 0.5f));
    const std::string old = bytes_of(in(name));
    {
      const SmallDisk limit(4000);
      expect_error(ErrorCode::io, {"write_image: cannot write '", name},
                   [&] { write_image(in(name), busy_picture(3, 200, 200)); });
    }
    EXPECT_EQ(bytes_of(in(name)), old) << name;
    EXPECT_EQ(files(), std::set<std::string>{name});
    EXPECT_NO_THROW(write_image(in(name), busy_picture(3, 200, 200))) << name;
  }
}

TEST_F(WriteErrors, full_disk_is_noticed_even_for_the_last_bytes_of_fits) {
  const Image image = busy_picture(1, 30, 30);
  write_image(in("a.fits"), image);
  const SmallDisk limit(bytes_of(in("a.fits")).size() - 1);
  expect_error(ErrorCode::io, {"b.fits"}, [&] { write_image(in("b.fits"), image); });
  EXPECT_EQ(files(), std::set<std::string>{"a.fits"});
}

TEST_F(WriteErrors, format_that_the_file_type_cannot_hold_is_refused) {
  const Image image = busy_picture(1, 4, 4);
  for (const auto& [name, format, text] : {std::tuple{"a.jpg", SampleFormat::u16, "16 bit"},
                                           {"a.webp", SampleFormat::f32, "float"},
                                           {"a.png", SampleFormat::f32, "float"}}) {
    expect_error(ErrorCode::bad_argument, {name, "cannot hold " + std::string(text) + " samples"},
                 [&] { write_image(in(name), image, {.format = format}); });
  }
}

TEST_F(WriteErrors, side_above_the_limit_of_the_file_type_is_refused) {
  expect_error(ErrorCode::bad_argument, {"webp", "16383", "16384x1"},
               [&] { write_image(in("a.webp"), Image(1, 1, 16384)); });
  expect_error(ErrorCode::bad_argument, {"jpeg", "65500", "1x65501"},
               [&] { write_image(in("a.jpg"), Image(1, 65501, 1)); });
  EXPECT_NO_THROW(write_image(in("b.webp"), Image(1, 1, 16383)));
  EXPECT_NO_THROW(write_image(in("b.jpg"), Image(1, 65500, 1)));
}

TEST_F(WriteErrors, nan_is_refused_in_every_format) {
  Image image = busy_picture(1, 4, 4);
  image.at(0, 1, 1) = std::nanf("");
  image.at(0, 2, 1) = HUGE_VALF;
  for (const char* name : {"a.png", "a.fits"}) {
    expect_error(ErrorCode::numeric, {"2 of 16 values", name},
                 [&] { write_image(in(name), image); });
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(WriteErrors, alpha_of_another_size_is_refused) {
  Image image = busy_picture(1, 4, 5);
  image.source.alpha.assign(19, 1.f);
  expect_error(ErrorCode::bad_argument, {"alpha has 19 values for 5x4 px"},
               [&] { write_image(in("a.png"), image); });
}

TEST_F(WriteErrors, empty_picture_and_bad_quality_are_refused) {
  expect_error(ErrorCode::bad_argument, {"empty"}, [&] { write_image(in("a.png"), Image()); });
  for (const int quality : {0, 101}) {
    expect_error(ErrorCode::bad_argument,
                 {"quality must be 1 to 100, got " + std::to_string(quality)},
                 [&] { write_image(in("a.jpg"), Image(1, 4, 4), {.quality = quality}); });
  }
}

TEST_F(WriteErrors, check_writable_leaves_everything_as_it_was) {
  check_writable(in("a.png"));
  EXPECT_TRUE(files().empty());
  put_bytes(in("b.fits"), "old");
  check_writable(in("b.fits"));
  EXPECT_EQ(bytes_of(in("b.fits")), "old");
  EXPECT_EQ(files(), std::set<std::string>{"b.fits"});
}

}  // namespace
}  // namespace unmar
