// Runs kept in folders, two at a time: requests as values, a queue that shares out the cores, an
// observer, and what is left to resume, pick from and show afterwards.
//
//   runs FOLDER NOISY.png ITERATIONS
//
// Fits the picture with two seeds; FOLDER gets result_1.png, result_2.png and the two runs.
#include <unmar/unmar.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

using namespace unmar;

namespace {

/// Says how a run ended. Observers are called on the thread of their run.
class Teller : public RunObserver {
 public:
  explicit Teller(std::string& text) : text_(text) {}
  void finished(const FitRequest& request, const RunResult& result) override {
    text_ = summary(request, result);
  }

 private:
  std::string& text_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "error: give FOLDER NOISY.png ITERATIONS\n";
    return 1;
  }
  const std::filesystem::path folder = argv[1];
  try {
    std::string told[2];
    std::uint64_t ids[2];
    JobQueue queue;
    for (int i = 0; i < 2; ++i) {
      const std::string number = std::to_string(i + 1);
      FitRequest request;
      request.task = Task::denoise;
      request.in.picture = argv[2];
      request.out.result = folder / ("result_" + number + ".png");
      request.options.iterations = std::atoi(argv[3]);
      request.options.channels = 16;
      request.options.scales = 2;
      request.options.seed = i;
      request.options.threads = 1;  // so that two of them fit on two cores
      // A request can be sent: as JSON it is the same.
      request = fit_request_from_json(to_json(request), "runs");
      ids[i] = queue.submit(request, folder / ("run_" + number), std::make_shared<Teller>(told[i]));
    }
    for (int i = 0; i < 2; ++i) {
      const JobInfo job = queue.wait(ids[i]);
      if (job.state == JobState::failed) throw Error(ErrorCode::bad_input, job.error);
      std::cout << "run " << job.id << " is " << to_string(job.state) << ": " << told[i] << "\n";
    }
    const RunStore store(folder / "run_1", "runs");
    const std::vector<int> kept = store.kept();
    write_image(folder / "early.png", pick(store, kept.front()));
    std::cout << kept.size() << " iterations are kept; 'unmar pick' takes others\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
