#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runs/quoted.h"
#include "unmar/runs/job_list.h"

namespace unmar {

std::string slurm_script(const JobList& list, int tasks, int cores, const TileEstimate& estimate,
                         const std::vector<std::string>& options,
                         const std::filesystem::path& program) {
  // Twice what is expected: a job that is killed has to be submitted again.
  const double seconds =
      2 * estimate.core_seconds * std::ceil(static_cast<double>(list.tiles()) / tasks / cores);
  const auto minutes = static_cast<long>(std::max(10., std::ceil(seconds / 60)));
  const double bytes = 0x1p28 + static_cast<double>(estimate.picture) +
                       1.5 * cores * static_cast<double>(estimate.memory);
  const auto mebibytes = static_cast<long>(std::ceil(bytes / 0x1p20));
  std::string more;
  for (const std::string& option : options) more += ' ' + runs::quoted(option);
  const std::string call = runs::quoted(program), file = runs::quoted(list.file);
  const std::string work = fmt::format("{} work {} --part $SLURM_ARRAY_TASK_ID/{} --threads {}",
                                       call, file, tasks, cores);
  const std::string join = fmt::format("{} join {}", call, file);
  return fmt::format(
      "#!/bin/sh\n"
      "# {} pictures in {} tiles. Submitted again, it does what is missing.\n"
      "set -e\n"
      "job=$(sbatch --parsable --job-name=unmar --array=1-{} --cpus-per-task={} --mem={}M "
      "--time={}{} \\\n"
      "  --wrap={})\n"
      "sbatch --job-name=unmar-join --dependency=afterany:$job --mem={}M{} \\\n"
      "  --wrap={}\n",
      list.pictures.size(), list.tiles(), tasks, cores, mebibytes, minutes, more,
      runs::quoted(work), mebibytes, more, runs::quoted(join));
}

}  // namespace unmar
