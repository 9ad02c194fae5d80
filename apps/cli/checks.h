#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace unmar::cli {

/// For CLI11's ->check(): a number within bounds, or one of some words. They say in our words what
/// is wrong, and leave the help text alone, which names the values itself.
CLI::Validator in_range(double low, double high);
CLI::Validator whole_in_range(double low, double high);
CLI::Validator one_of(std::vector<std::string> words);

/// What CLI11 found wrong, as one line that ends in what to do.
std::string usage_error(const CLI::App& program, const CLI::ParseError& error,
                        const std::string& first_word);

}  // namespace unmar::cli
