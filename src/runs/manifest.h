#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "unmar/tasks/tasks.h"

namespace unmar::runs {

/// What every manifest begins with, whichever command writes it. Empty paths: there is none.
struct ManifestHead {
  Task task;
  std::string started;  ///< UTC, ISO 8601
  const EngineInfo& engine;
  const std::filesystem::path& file;  ///< that was restored
  const ImageFacts& input;
  const std::filesystem::path &mask, &reference;
  const RestoreOptions& options;
};
nlohmann::ordered_json to_json(const ManifestHead& head);

/// What became of the values of the picture.
nlohmann::ordered_json value_facts(const ValueCounts& counts);

/// How a fit went and ended.
nlohmann::ordered_json fit_facts(const FitResult& fit);

/// JSON has no infinity (the PSNR of equal pictures): null, as for what is not known.
nlohmann::ordered_json number(const std::optional<double>& value);

}  // namespace unmar::runs
