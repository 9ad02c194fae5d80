#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "unmar/runs/refine_run.h"

namespace unmar::runs {

/// Name and SHA-256 of the model's files.
nlohmann::ordered_json model_facts(const RefineRequest& request);
/// All that is needed to repeat and to judge the refinement. model: model_facts(), which were found
/// before the work.
std::string manifest_json(const RefineRequest& request, const RefineRunResult& run,
                          const nlohmann::ordered_json& model);

}  // namespace unmar::runs
