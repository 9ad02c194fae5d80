#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "image/tags.h"
#include "unmar/image/metadata.h"

namespace unmar {

struct Metadata {
  /// EXIF or TIFF, the resolution included; nothing structural.
  std::vector<image::Tag> tags;
  std::string xmp;
  std::string photoshop;  ///< image resources ("8BIM"), IPTC among them
  std::vector<std::pair<std::string, std::string>> texts;  ///< of PNG: keyword, text
  std::vector<std::string> cards;      ///< of FITS, 80 columns each; nothing structural
  std::vector<std::string> inherited;  ///< of the header without data before an extension
  std::string software;                ///< a line of provenance
  std::string colour;                  ///< of PNG: chunks that say what its numbers mean as light
};

}  // namespace unmar

namespace unmar::image {

/// Takes out what names the file that it came from (OME: else readers look for the pixels there).
void forget_old_file(Metadata& metadata);

struct Resolution {
  double x = 0, y = 0;  ///< pixels per millimetre; 0: not known
  bool inches = true;   ///< told in pixels per inch, not per centimetre
};
Resolution resolution_of(const Metadata& metadata);

/// "Photoshop 3.0\0" and what follows, or only that: without what is of the old file alone, such as
/// thumbnails.
std::string photoshop_resources(std::string_view bytes);
/// The IPTC record among them; empty: there is none.
std::string iptc_of(std::string_view resources);
std::string resources_of_iptc(std::string_view iptc);

/// The same text with every NAME="value" and <NAME>value</NAME> changed by `change`, which gets and
/// returns the value.
template <class Change>
std::string with_values(std::string text, std::string_view name, Change change) {
  for (const auto& [before, after] :
       {std::pair{std::string(name) + "=\"", "\""}, std::pair{"<" + std::string(name) + ">", "<"},
        std::pair{std::string(name) + "='", "'"}})
    for (std::size_t at = 0; (at = text.find(before, at)) != text.npos;) {
      const bool whole = before.front() == '<' || at == 0 || text[at - 1] == ' ' ||
                         text[at - 1] == '\n' || text[at - 1] == '\t';
      at += before.size();
      const std::size_t end = text.find(after, at);
      if (!whole || end == text.npos) continue;
      const std::string value = change(text.substr(at, end - at));
      text.replace(at, end - at, value);
      at += value.size();
    }
  return text;
}

// FITS (fits_cards.cpp).

/// Whether a card says how the data lie in their file, or is not true of others.
bool is_structural_card(std::string_view card);
/// The cards of a picture that was enlarged.
std::vector<std::string> rescaled_cards(std::vector<std::string> cards, double factor);
/// Of pixels that begin so many columns and rows, in FITS' own order, later.
std::vector<std::string> shifted_cards(std::vector<std::string> cards, int columns, int rows);
/// Whether the first row in the file is the upper one, against the standard (ROWORDER).
bool is_top_down(const std::vector<std::string>& cards);
/// One card with a value that is a number or T or F, and HISTORY as cards.
std::string fits_card(std::string_view key, std::string_view value, std::string_view comment = "");
std::vector<std::string> history_cards(std::string_view text);

}  // namespace unmar::image
