#pragma once

#include <string>
#include <string_view>

#include "unmar/graph/graph.h"

/// Two networks that learn against each other: Goodfellow et al., "Generative Adversarial Nets",
/// NeurIPS 2014, in the form of Radford et al., "Unsupervised Representation Learning with Deep
/// Convolutional Generative Adversarial Networks" (DCGAN), ICLR 2016.
namespace unmar {

/// Both networks. A level has half the side of the one before; the coarsest is the last whose side
/// is odd, or at most 4: 28 px have levels of 14 and 7, 64 px of 32, 16, 8 and 4.
struct GanOptions {
  int size = 64;     ///< side of the pictures, px; a multiple of 4, from 8 to 512
  int channels = 3;  ///< 1 or 3
  int latent = 100;  ///< numbers that a picture is made from
  int width = 64;    ///< channels of the finest level, twice as many in each coarser one
  int kernel = 5;    ///< of the discriminator's convolutions, odd; the generator's have 4
  bool operator==(const GanOptions&) const = default;
};

/// What keeps the discriminator's layers in bounds.
enum class GanNorm {
  batch,
  /// No layer of the graph, and all convolutions have biases: GanTrainer holds the largest singular
  /// value of each convolution's weights at 1.
  spectral
};

/// throws Error{bad_argument} "<where>: ..." naming the option that is out of range.
void check_gan(const GanOptions& options, const std::string& where);
int gan_levels(const GanOptions& options);
int gan_base(const GanOptions& options);  ///< side of the coarsest level, px

/// z [n,latent,1,1], N(0, 1), becomes pictures [n,channels,size,size] in [-1,1]. A transposed
/// convolution makes the coarsest level, others of 4x4 and stride 2 each finer one, with batch norm
/// and ReLU between them and tanh behind the last. statistics: tracked to train, fixed to use what
/// was learned. Names of nodes begin with `prefix`; parameters are "<prefix>base.conv.weight",
/// "<prefix>up0.norm.mean", ... and start as in the paper, weights with standard deviation 0.02
/// (but uniform). throws Error{bad_argument} as check_gan(), or if z does not fit.
NodeId write_gan_generator(Graph& graph, NodeId z, const GanOptions& options,
                           NormStatistics statistics, const std::string& prefix = {});

/// Pictures [n,channels,size,size] in [-1,1] become logits [n,1,1,1]: above 0 where they look real.
/// Convolutions of stride 2 with batch norm, but for the first, and leaky ReLU of slope 0.2; one as
/// large as the coarsest level behind them. The batch has `parts` equal parts with statistics of
/// their own, so that real and generated pictures can be shown at once. Names and starts as above.
NodeId write_gan_discriminator(Graph& graph, NodeId pictures, const GanOptions& options,
                               GanNorm norm = GanNorm::batch, int parts = 1,
                               const std::string& prefix = {});

/// config.json of a model: {"_class_name": "UnmarGan", "size": ..., ...}.
std::string gan_to_json(const GanOptions& options);
/// `where` opens error texts, e.g. a file name. throws Error{bad_input} naming the key that is
/// unknown, missing or has a value that will not do, or telling that it is a model of another kind.
GanOptions gan_from_json(std::string_view text, const std::string& where);

}  // namespace unmar
