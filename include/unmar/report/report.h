#pragma once

#include <string>
#include <string_view>

#include "unmar/tasks/tasks.h"

/// What there is to see of a run: facts and pictures as JSON, and one page that draws them.
namespace unmar {

class FrameRecorder;

/// Borrowed for the call.
struct ReportSource {
  Task task = Task::denoise;
  std::string input;     ///< name of the picture
  std::string command;   ///< that does the same
  std::string summary;   ///< a sentence for people
  std::string manifest;  ///< JSON
  const Restored& restored;
  const Image* reference = nullptr;
  const FrameRecorder& frames;
};

/// One object, pictures as data URIs; a few megabytes. docs/library.md lists its fields.
std::string report_json(const ReportSource& source);

/// A page that holds all it shows and needs no network. `json`: of report_json().
std::string report_page(std::string_view json);

}  // namespace unmar
