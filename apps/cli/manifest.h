#pragma once

#include <unmar/tasks.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace unmar::cli {

/// What every manifest begins with, whichever command writes it. Empty paths: there is none.
struct ManifestHead {
  Task task;
  std::string started;  ///< UTC, ISO 8601
  const EngineInfo& engine;
  const std::filesystem::path& file;  ///< that was restored
  const Image& input;
  const std::filesystem::path &mask, &reference;
  const RestoreOptions& options;
};
nlohmann::ordered_json to_json(const ManifestHead& head);

/// What was found out about the noise, and the pictures that were blended; null and empty without.
nlohmann::ordered_json noise_facts(const std::optional<NoiseModel>& noise);
nlohmann::ordered_json candidate_facts(const std::vector<Candidate>& candidates);

/// How a fit went and ended.
nlohmann::ordered_json fit_facts(const FitResult& fit);

/// Name and SHA-256 of a file.
nlohmann::ordered_json file_facts(const std::filesystem::path& path);

}  // namespace unmar::cli
