#pragma once

#include <unmar/tasks.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

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

/// How a fit went and ended.
nlohmann::ordered_json fit_facts(const FitResult& fit);

/// Name and SHA-256 of a file.
nlohmann::ordered_json file_facts(const std::filesystem::path& path);

}  // namespace unmar::cli
