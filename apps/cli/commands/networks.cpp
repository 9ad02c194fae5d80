#include <fmt/format.h>
#include <unmar/base/error.h>
#include <unmar/base/files.h>
#include <unmar/engine/engine.h>
#include <unmar/fit/fit.h>
#include <unmar/tasks/options.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "console.h"
#include "option_flags.h"

namespace unmar::cli {
namespace {

struct NetworksArguments {
  std::string name, size = "256x256";
  std::filesystem::path file, dot;
  bool json = false, plan = false;
};

Problem denoising(const NetworkOptions& network, const Shape& image) {
  ProblemOptions options;
  options.network = network;
  return make_problem(Tensor(image), image, *make_identity(), options);
}

NetworkOptions quick_network(const std::string& name) {
  return network_options(resolve(Task::denoise, {.network = name}));
}

int list(const NetworksArguments& a) {
  const Shape image = parse_size(a.size);
  const auto engine = make_engine();
  print("A {}x{} picture, denoised with --preset quick and --network NAME:\n\n", image.w, image.h);
  print("{:<12}{:>12}{:>16}{:>12}\n", "network", "parameters", "multiply-adds", "memory");
  for (const std::string& name : network_names()) {
    try {
      const Problem problem = denoising(quick_network(name), image);
      const std::size_t bytes = engine->compile(problem.graph, {})->memory_bytes();
      print("{:<12}{:>12}{:>14.2f} G{:>8} MiB\n", name, problem.graph.param_count(),
            static_cast<double>(count_macs(problem.graph)) * 1e-9, bytes >> 20);
    } catch (const Error& error) {
      print("{:<12}{}\n", name, error.what());
    }
  }
  print(
      "\n'unmar networks show NAME' prints one node by node. docs/networks.md compares what "
      "they restore.\n");
  return 0;
}

int show(const NetworksArguments& a) {
  const NetworkOptions network =
      a.file.empty() ? quick_network(network_name(default_network(a.name)))
                     : network_from_json(read_text(a.file, "--network-file"), a.file.string());
  if (a.json) {
    print("{}\n", network_to_json(network));
    return 0;
  }
  const Shape image = parse_size(a.size);
  if (a.plan) {
    print("{}", plan_text(denoising(network, image).graph));
    return 0;
  }
  Graph graph;
  const Size size = network_input_size(image, network);
  const NodeId z = graph.add(Input{{1, 32, size.h, size.w}}, {}, "z");
  write_network(graph, z, image, network);
  if (!a.dot.empty()) write_text(a.dot, to_dot(graph), "--dot");
  print("{}\n{} parameters, {:.2f} G multiply-adds\n", to_text(graph), graph.param_count(),
        static_cast<double>(count_macs(graph)) * 1e-9);
  return 0;
}

}  // namespace

void add_networks_command(CLI::App& program, Action& chosen) {
  const auto a = std::make_shared<NetworksArguments>();  // shared with the callbacks below
  CLI::App* networks = program.add_subcommand(
      "networks", "List the networks with their parameters, work and memory, or show one");
  const auto add_size = [&](CLI::App* command) {
    command->add_option("--size", a->size, "size of the picture (default 256x256)")
        ->type_name("WIDTHxHEIGHT");
  };
  add_size(networks);
  networks->footer(
      "Examples:\n  unmar networks --size 1024x768\n  unmar networks show unet --dot unet.dot");
  networks->callback([networks, a, &chosen] {
    if (networks->get_subcommands().empty()) chosen = [a] { return list(*a); };
  });

  CLI::App* one = networks->add_subcommand("show", "Show one network node by node, with shapes");
  CLI::Option* name =
      one->add_option("NAME", a->name, "skip, unet, resnet, decoder, convdecoder or plain");
  CLI::Option* file = one->add_option("--network-file", a->file, "the network of this file instead")
                          ->type_name("FILE.json");
  name->excludes(file);
  add_size(one);
  one->add_option("--dot", a->dot, "draw it: 'dot -Tsvg FILE.dot -o FILE.svg' (Graphviz)")
      ->type_name("FILE.dot");
  one->add_flag("--json", a->json, "print its options, as --network-file reads them");
  one->add_flag("--plan", a->plan,
                "print what of a fit of it is computed together, in place or again");
  one->footer(
      "Examples:\n  unmar networks show unet --size 512x512\n"
      "  unmar networks show skip --json > my.json\n"
      "  unmar denoise noisy.png -o clean.png --network-file my.json");
  one->callback([a, name, file, &chosen] {
    if (name->empty() && file->empty()) throw CLI::RequiredError("NAME");
    chosen = [a] { return show(*a); };
  });
}

}  // namespace unmar::cli
