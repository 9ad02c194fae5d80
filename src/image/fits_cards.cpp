#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "image/metadata.h"

namespace unmar::image {
namespace {

constexpr std::size_t kCard = 80, kKey = 8, kValueAt = 10;

std::string_view key_of(std::string_view card) {
  std::string_view key = card.substr(0, std::min(kKey, card.size()));
  while (key.ends_with(' ')) key.remove_suffix(1);
  return key;
}

/// A key such as NAXIS2: `name` and digits.
bool is_numbered(std::string_view key, std::string_view name) {
  return key.size() > name.size() && key.starts_with(name) &&
         key.substr(name.size()).find_first_not_of("0123456789") == key.npos;
}

/// What stands between "= " and the comment.
std::string_view value_text(std::string_view card) {
  if (card.size() <= kValueAt || card.substr(kKey, 2) != "= ") return {};
  std::string_view value = card.substr(kValueAt);
  const std::size_t quote = value.find_first_not_of(' ');
  std::size_t end = 0;
  if (quote != value.npos && value[quote] == '\'') {
    end = value.find('\'', quote + 1);
    return end == value.npos ? value.substr(quote) : value.substr(quote, end - quote + 1);
  }
  end = value.find('/');
  value = value.substr(0, end);
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  return value;
}

std::optional<double> number_in(std::string_view card) {
  std::string text(value_text(card));
  std::ranges::replace(text, 'D', 'E');
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return value;
}

std::string with_number(std::string_view card, double value) {
  const std::size_t slash = card.find('/', kValueAt);
  std::string comment;
  if (slash != card.npos) {
    comment = card.substr(slash + 1);
    while (comment.ends_with(' ')) comment.pop_back();
    while (comment.starts_with(' ')) comment.erase(0, 1);
  }
  std::string text = fmt::format("{:.15G}", value);
  if (text.find_first_of(".EN") == text.npos) text += ".";
  return fits_card(key_of(card), text, comment);
}

/// The name of a key of the world coordinates, without the letter of an alternative system.
bool is_axis_key(std::string_view key, std::string_view name) {
  if (!key.starts_with(name)) return false;
  std::string_view rest = key.substr(name.size());
  if (!rest.empty() && rest.back() >= 'A' && rest.back() <= 'Z') rest.remove_suffix(1);
  return rest == "1" || rest == "2";
}

/// CDi_j and the like: the columns of the two axes of the picture are lengths of a pixel.
bool is_matrix_key(std::string_view key, std::string_view name) {
  if (!key.starts_with(name)) return false;
  std::string_view rest = key.substr(name.size());
  if (!rest.empty() && rest.back() >= 'A' && rest.back() <= 'Z') rest.remove_suffix(1);
  return rest.size() == 3 && std::isdigit(static_cast<unsigned char>(rest[0])) && rest[1] == '_' &&
         (rest[2] == '1' || rest[2] == '2');
}

/// The power of a pixel's length that a coefficient of SIP (A_p_q, BP_p_q) goes with.
std::optional<int> sip_power(std::string_view key) {
  for (const std::string_view name : {"A_", "B_", "AP_", "BP_"}) {
    if (!key.starts_with(name) || key.size() != name.size() + 3) continue;
    const std::string_view rest = key.substr(name.size());
    if (!std::isdigit(static_cast<unsigned char>(rest[0])) || rest[1] != '_' ||
        !std::isdigit(static_cast<unsigned char>(rest[2])))
      continue;
    return 1 - (rest[0] - '0') - (rest[2] - '0');
  }
  return {};
}

/// The value of a key for pixels a factor smaller; empty: as it is.
std::optional<double> rescaled_value(std::string_view key, double value, double factor) {
  constexpr std::array kLengths{"XPIXSZ",   "YPIXSZ",   "PIXSIZE",  "PIXSIZE1", "PIXSIZE2",
                                "PIXSCALE", "SECPIX",   "SECPIX1",  "SECPIX2",  "SCALE",
                                "PIXSCAL1", "PIXSCAL2", "PLTSCALE", "PIXELSZ"};
  if (std::ranges::find(kLengths, key) != kLengths.end() || is_axis_key(key, "CDELT") ||
      is_matrix_key(key, "CD"))
    return value / factor;
  // Pixels are counted from 1, and their middles are whole numbers.
  if (is_axis_key(key, "CRPIX") || is_axis_key(key, "LTV")) {
    const double half = 0.5;
    return (value - half) * factor + half;
  }
  if (key == "LTM1_1" || key == "LTM2_2") return value * factor;
  if (const auto power = sip_power(key)) return value * std::pow(factor, *power);
  return {};
}

}  // namespace

bool is_structural_card(std::string_view card) {
  constexpr std::array kKeys{
      "SIMPLE",  "XTENSION", "BITPIX",   "NAXIS",    "EXTEND",   "PCOUNT",   "GCOUNT",   "GROUPS",
      "BZERO",   "BSCALE",   "BLANK",    "END",      "DATAMIN",  "DATAMAX",  "CHECKSUM", "DATASUM",
      "ZIMAGE",  "ZBITPIX",  "ZNAXIS",   "ZCMPTYPE", "ZSIMPLE",  "ZEXTEND",  "ZTENSION", "ZPCOUNT",
      "ZGCOUNT", "ZBLANK",   "ZQUANTIZ", "ZDITHER0", "ZHECKSUM", "ZDATASUM", "TFIELDS"};
  const std::string_view key = key_of(card);
  if (std::ranges::find(kKeys, key) != kKeys.end()) return true;
  for (const char* name : {"NAXIS", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "TTYPE", "TFORM"})
    if (is_numbered(key, name)) return true;
  // Written into every file by the usual library.
  return card.find("FITS (Flexible Image Transport System) format is defined in") != card.npos ||
         card.find("and Astrophysics', volume 376, page 359; bibcode:") != card.npos;
}

std::vector<std::string> rescaled_cards(std::vector<std::string> cards, double factor) {
  for (std::string& card : cards)
    if (const auto value = number_in(card))
      if (const auto other = rescaled_value(key_of(card), *value, factor))
        card = with_number(card, *other);
  return cards;
}

std::vector<std::string> shifted_cards(std::vector<std::string> cards, int columns, int rows) {
  for (std::string& card : cards) {
    const std::string_view key = key_of(card);
    if (!is_axis_key(key, "CRPIX") && !is_axis_key(key, "LTV")) continue;
    if (const auto value = number_in(card))
      card = with_number(card, *value - (key.find('1') != key.npos ? columns : rows));
  }
  return cards;
}

bool is_top_down(const std::vector<std::string>& cards) {
  for (const std::string& card : cards)
    if (key_of(card) == "ROWORDER") {
      std::string value(value_text(card));
      std::ranges::transform(value, value.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      return value.find("TOP-DOWN") != value.npos;
    }
  return false;
}

std::string fits_card(std::string_view key, std::string_view value, std::string_view comment) {
  std::string card = fmt::format("{:<8}= {:>20}", key, value);
  if (!comment.empty()) card += fmt::format(" / {}", comment);
  card.resize(kCard, ' ');
  return card;
}

std::vector<std::string> history_cards(std::string_view text) {
  std::vector<std::string> cards;
  constexpr std::size_t kText = kCard - kKey;
  for (; !text.empty(); text.remove_prefix(std::min(kText, text.size())))
    cards.push_back(fmt::format("{:<80}", fmt::format("HISTORY {}", text.substr(0, kText))));
  return cards;
}

}  // namespace unmar::image
