#pragma once

/// All of Unmar.
#include "unmar/dataset.h"
#include "unmar/deep_image_prior.h"
#include "unmar/diffusion.h"
#include "unmar/engine.h"
#include "unmar/error.h"
#include "unmar/fit.h"
#include "unmar/graph.h"
#include "unmar/image.h"
#include "unmar/models.h"
#include "unmar/observe.h"
#include "unmar/options.h"
#include "unmar/random.h"
#include "unmar/tasks.h"
#include "unmar/tensor.h"
#include "unmar/version.h"
#include "unmar/weights.h"
