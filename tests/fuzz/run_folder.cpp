#include "fuzz/fuzz.h"
#include "runs/record.h"
#include "runs/training.h"
#include "unmar/image/image.h"
#include "unmar/runs/request.h"
#include "unmar/tasks/tasks.h"

namespace unmar::fuzz {

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  const auto picture = file_of(nullptr, 0, "in.png");
  write_image(picture, Image(1, 4, 4, 0.5f));
  for (const Task task : {Task::denoise, Task::inpaint, Task::upscale}) {
    FitRequest request;
    request.task = task;
    request.in.picture = request.in.mask = picture;
    request.out.result = "out.png";
    request.options.seed = 7;
    if (task == Task::upscale) request.options.factor = 2;
    all.push_back(to_json(request));
    all.push_back(runs::to_json({.request = request,
                                 .resolved = resolve(task, request.options),
                                 .engine = {"cpu", "test"},
                                 .started = "2026-01-31T12:00:00Z",
                                 .version = "1",
                                 .moved = {}}));
  }
  TrainingRequest training;
  training.images = picture.parent_path();
  all.push_back(runs::to_json(training, ddpm_cifar10_unet(), "0"));
  GanTrainingRequest gan;
  gan.images = picture.parent_path();
  all.push_back(runs::to_json(gan, "0"));
  all.push_back(R"({"result": {"stopped_by": "cancelled"}})");
  return all;
}

}  // namespace unmar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace unmar;
  const std::string_view text = fuzz::text_of(bytes, size);
  const auto path = fuzz::file_of(bytes, size, "run.json");
  return fuzz::try_each(
      [&] { command_line(fit_request_from_json(text, "r")); },
      [&] { runs::read_record(path, text, "r"); }, [&] { runs::read_training_record(path); },
      [&] { runs::read_gan_training_record(path); }, [&] { runs::came_to_its_end(text); });
}
