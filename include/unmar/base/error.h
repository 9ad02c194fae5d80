#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unmar {

enum class ErrorCode {
  bad_argument,  ///< an option or a call is wrong: the caller can mend it
  bad_input,     ///< a file or an image is not usable
  io,            ///< the system refused to read or write
  too_large,     ///< above a limit of pixels or memory
  unsupported,   ///< this engine or build cannot do it
  numeric,       ///< NaN or infinity during a fit
  cancelled,     ///< asked to stop before there was anything to keep
};

/// The one exception type of the library.
/// Its text is one line: `where: what went wrong, with the values; what to do`. Options stand in it
/// as fields between backticks, as `mask_grow`: each face has its own way to show them, the command
/// line as --mask-grow.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string message)
      : std::runtime_error(std::move(message)), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// For error texts: "'unet' or 'resnet'", the known names that are most like `word`.
std::string closest(std::string_view word, const std::vector<std::string>& known);

}  // namespace unmar
