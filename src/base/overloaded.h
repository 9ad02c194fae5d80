#pragma once

namespace unmar {

/// One lambda per alternative for std::visit; a missing alternative does not compile.
template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace unmar
