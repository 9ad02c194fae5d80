#pragma once

namespace unmar {

const char* version();          ///< "0.1.0"
const char* libvips_version();  ///< of the libvips that it was built with

}  // namespace unmar
