#include "fuzz/fuzz.h"
#include "unmar/diffusion/trainer.h"
#include "unmar/runs/film.h"
#include "unmar/runs/store.h"
#include "unmar/tensor/archive.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() {
  TrainerState state;
  state.train.params = state.train.m =
      state.train.v = {Tensor({2, 3, 1, 1}, 0.5f), Tensor({1, 4, 1, 1}, 1.f)};
  Archive trainer;
  trainer(state);
  Film film;
  film.offer(0, "after 1", Image(3, 4, 5, 0.5f));
  Archive films;
  films(film);
  const auto path = file_of(nullptr, 0, "seed.bin");
  write_checkpoint(path, "seed", [&](Archive& archive) { archive(state); });
  return {trainer.take(), films.take(), contents(path)};
}

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const std::string_view text = fuzz::text_of(bytes, size);
  const auto read = [text](auto value) {
    Archive archive(text, "a");
    archive(value);
    archive.expect_end();
  };
  return fuzz::try_each([&] { read(TrainerState()); }, [&] { read(Film()); },
                        [&] { Checkpoint(fuzz::file_of(bytes, size), "c"); });
}
