#pragma once

/// All of Unmar.
#include "unmar/ddpm_unet.h"
#include "unmar/deep_image_prior.h"
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
#include "unmar/trainer.h"
#include "unmar/version.h"
