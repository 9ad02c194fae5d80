#include "tasks/generator.h"

#include "base/fail.h"

namespace unmar {
namespace {

NodeId filled(Graph& graph, const Shape& shape, float value, const std::string& name) {
  return graph.add(Constant{std::make_shared<const Tensor>(shape, value)}, {}, name);
}

void check_makes(const GanOptions& gan, const Shape& picture) {
  if (gan.channels == picture.c && gan.size >= picture.h && gan.size >= picture.w) return;
  fail(ErrorCode::bad_input,
       "`prior` gan: the model makes {0}x{0} px with {1} channels, but the result has {2}x{3} px "
       "with {4}; take a `model` of such pictures",
       gan.size, gan.channels, picture.w, picture.h, picture.c);
}

}  // namespace

void take_generator(ProblemOptions& problem, const std::shared_ptr<const GanModel>& model) {
  if (!model)
    fail(ErrorCode::bad_argument, "`prior` gan: needs a trained generator; give a `model` FOLDER");
  problem.own_input = latent_of(model->gan, problem.seed, 0, 1);
  problem.own_network = [model](Graph& graph, NodeId z, const Shape& picture) {
    check_makes(model->gan, picture);
    const NodeId made = write_trained_generator(graph, z, *model);  // -1 to 1
    const NodeId half = filled(graph, graph.shape(made), 0.5f, "half");
    const NodeId scaled = graph.add(Multiply{}, {made, half}, "scaled");
    return graph.add(Add{}, {scaled, half}, "picture");
  };
}

}  // namespace unmar
