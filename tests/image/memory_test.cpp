#include <vips/vips.h>

#include "image/support.h"
#include "image/vips_runtime.h"

namespace unmar {
namespace memory_test {

using image_test::expect_error;

TEST(VipsError, of_memory_does_not_blame_the_file) {
  image::start_vips();
  for (const char* text : {"out of memory --- size == 102MB", "Insufficient memory (case 4)"}) {
    vips_error("vips_tracked", "%s", text);
    expect_error(ErrorCode::too_large, {"not enough memory"}, [] { image::take_vips_error(); });
  }
}

TEST(VipsError, of_a_damaged_directory_is_none_of_memory) {
  image::start_vips();
  vips_error("tiff", "%s", "Failed to allocate memory for to read TIFF directory (0 elements)");
  EXPECT_THAT(image::take_vips_error(), testing::HasSubstr("TIFF directory"));
}

}  // namespace memory_test
}  // namespace unmar
