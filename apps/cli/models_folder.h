#pragma once

#include <filesystem>
#include <string>

namespace unmar::cli {

/// A GAN that comes with the program.
inline constexpr const char* kShippedGan = "fashion-mnist-gan";

/// The folder of a model: `name` itself if it is one, or that of the model of this name which comes
/// with the program. throws Error{io} naming those there are.
std::filesystem::path model_folder(const std::string& name);

}  // namespace unmar::cli
