#include "engine/cuda/driver.h"

#include <dlfcn.h>

#include "base/fail.h"

namespace unmar::cuda {
namespace {

constexpr int kLeastVersion = 11000;  ///< PTX 7.0
constexpr int kLeastCapability = 80;  ///< TF32

enum Attribute { capability_major = 75, capability_minor = 76 };
enum Refusal { out_of_memory = 2, no_device = 100 };

/// Empty, or what is missing.
std::string open(Driver& driver) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return "there is no NVIDIA driver here (libcuda.so.1 is not found)";
  std::string missing;
  const auto find = [&](auto& function, const char* symbol) {
    void* address = dlsym(library, symbol);
    if (!address && missing.empty()) missing = symbol;
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
#define UNMAR_CUDA_FIND(member, symbol, arguments) find(driver.member, #symbol);
  UNMAR_CUDA_DRIVER(UNMAR_CUDA_FIND)
#undef UNMAR_CUDA_FIND
  if (!missing.empty())
    return fmt::format(
        "the NVIDIA driver is too old: it has no {}; install one of CUDA 11 (450) or newer",
        missing);
  if (driver.driver_version(&driver.version) != 0 || driver.version < kLeastVersion)
    return fmt::format(
        "the NVIDIA driver is too old: it knows CUDA {}.{}; install one of CUDA 11 (450) or newer",
        driver.version / 1000, driver.version % 1000 / 10);
  return {};
}

std::string name_of(const Driver& driver, Result result) {
  const char* name = nullptr;
  return driver.error_name && driver.error_name(result, &name) == 0 && name
             ? std::string(name)
             : fmt::format("error {}", result);
}

/// Fills in the cards; empty, or why there is none.
std::string find_cards(const Driver& driver, std::vector<Card>& cards) {
  const Result started = driver.init(0);
  if (started == no_device) return "the NVIDIA driver finds no card";
  if (started != 0)
    return fmt::format("the NVIDIA driver does not start ({})", name_of(driver, started));
  int count = 0;
  driver.device_count(&count);
  if (count == 0) return "the NVIDIA driver finds no card";
  std::string too_old;
  for (int i = 0; i < count; ++i) {
    Card card;
    int major = 0, minor = 0;
    char name[128] = "";
    if (driver.device_get(&card.device, i) != 0 ||
        driver.device_attribute(&major, capability_major, card.device) != 0 ||
        driver.device_attribute(&minor, capability_minor, card.device) != 0 ||
        driver.device_name(name, sizeof name, card.device) != 0 ||
        driver.device_memory(&card.memory, card.device) != 0)
      continue;
    if (10 * major + minor < kLeastCapability) {
      too_old = fmt::format("{} has compute capability {}.{}, 8.0 is needed (RTX 30 or newer)",
                            name, major, minor);
      continue;
    }
    card.name = fmt::format("cuda:{}", i);
    card.description = fmt::format("{}, compute capability {}.{}, {:.1f} GiB, driver of CUDA {}.{}",
                                   name, major, minor, static_cast<double>(card.memory) / (1 << 30),
                                   driver.version / 1000, driver.version % 1000 / 10);
    cards.push_back(std::move(card));
  }
  if (!cards.empty()) return {};
  return too_old.empty() ? "the NVIDIA driver tells nothing of its cards" : too_old;
}

Machine look() {
  static Driver driver;
  Machine machine;
  machine.problem = open(driver);
  if (!machine.problem.empty()) return machine;
  machine.driver = &driver;
  machine.problem = find_cards(driver, machine.cards);
  return machine;
}

}  // namespace

const Machine& machine() {
  static const Machine found = look();
  return found;
}

void check(Result result, const char* what, const Card& card) {
  if (result == 0) return;
  const std::string name = name_of(*machine().driver, result);
  if (result == out_of_memory)
    fail(ErrorCode::too_large,
         "engine 'cuda': {} has no memory left to {}; use a smaller picture or network, or "
         "`engine` cpu",
         card.name, what);
  fail(ErrorCode::io,
       "engine 'cuda': {} failed to {} ({}); what was saved can be resumed, also with `engine` cpu",
       card.name, what, name);
}

}  // namespace unmar::cuda
