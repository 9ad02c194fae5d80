#pragma once

#include <string_view>

namespace unmar::report {

/// page.html with style and script in it; "{{report}}" stands where the JSON goes.
std::string_view page_template();

}  // namespace unmar::report
