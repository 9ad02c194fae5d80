#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "unmar/tasks/compare_priors.h"
#include "unmar/tasks/tasks.h"

/// What there is to see of a run: facts and pictures as JSON, and one page that draws them.
namespace unmar {

class FrameRecorder;

/// One of a picture in tiles.
struct ReportTile {
  Rect rect;           ///< of the result, in px
  bool done = false;   ///< else it is as it came
  int iterations = 0;  ///< of its fit; 0: it needed none
  int best_iteration = 0;
  bool stopped = false;  ///< by its stop rule
};

/// Borrowed for the call.
struct ReportSource {
  Task task = Task::denoise;
  std::string input;     ///< name of the picture
  std::string command;   ///< that does the same
  std::string summary;   ///< a sentence for people
  std::string manifest;  ///< JSON
  const Restored& restored;
  const ImageFacts& output;       ///< of the result
  const Image& after;             ///< the result, to be shown; may be smaller than it is
  const Image* before = nullptr;  ///< what came in, alike; null: as `frames` has it
  const Image* reference = nullptr;
  const FrameRecorder* frames = nullptr;  ///< of one fit
  std::vector<ReportTile> tiles = {};     ///< of a picture in tiles, which has a fit for each
};

/// One object, pictures as data URIs; a few megabytes. docs/library.md lists its fields.
std::string report_json(const ReportSource& source);

/// The same for priors side by side; has `priors`. damage, command: for people.
std::string priors_json(const PriorsComparison& all, const std::string& input,
                        const std::string& damage, const std::string& command);

/// A page that holds all it shows and needs no network. `json`: of report_json()
/// or priors_json().
std::string report_page(std::string_view json);

}  // namespace unmar
