#pragma once

#include <string>
#include <string_view>

#include "moments.h"
#include "report.h"

namespace unmar::cli {

/// The page of --report: one file that shows the run and needs nothing else. Below 5 MB.
/// reference: the clean picture, or null.
std::string report_page(const Report& report, const Moments& moments, const Image* reference);

/// The command that repeats the run, for a shell.
std::string command_line(const RestoreArguments& arguments);

std::string_view report_template();  ///< report.html

}  // namespace unmar::cli
