#include "runs/tiled_result.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "unmar/image/row_writer.h"

namespace unmar::runs {

ImageFacts result_facts(const TileWork& work) {
  const TileGrid grid = work.tiling.result_grid();
  return {work.tiling.channels(), grid.rows().length(), grid.columns().length(),
          work.tiling.result_source()};
}

void for_result_rows(const TileWork& work, const TileSource& source,
                     const std::function<void(int y, const Image& rows)>& visit) {
  const PictureParts& picture = *source.picture;
  const bool may_be_stored =
      work.tiling.factor() == 1 && picture.facts().source.format == SampleFormat::f32;
  join_tiles(work, [&](int y, Image rows) {
    if (may_be_stored)
      rows.source.stored = picture.part({y, 0, rows.height(), rows.width()}).source.stored;
    visit(y, rows);
  });
}

Image tiled_result(const TileWork& work, const TileSource& source) {
  const ImageFacts facts = result_facts(work);
  Image image(facts.channels, facts.height, facts.width);
  image.source = facts.source;
  std::vector<double> stored;
  for_result_rows(work, source, [&](int y, const Image& rows) {
    const auto from = static_cast<std::ptrdiff_t>(y) * image.width();
    if (rows.source.stored) stored.resize(image.count());
    for (int c = 0; c < image.channels(); ++c) {
      std::ranges::copy(rows.plane(c), image.plane(c).begin() + from);
      const auto size = static_cast<std::ptrdiff_t>(rows.plane(c).size());
      if (rows.source.stored)
        std::copy_n(rows.source.stored->begin() + c * size, size,
                    stored.begin() + c * static_cast<std::ptrdiff_t>(image.plane(c).size()) + from);
    }
    const auto& alpha = rows.source.alpha;
    image.source.alpha.insert(image.source.alpha.end(), alpha.begin(), alpha.end());
  });
  if (!stored.empty())
    image.source.stored = std::make_shared<const std::vector<double>>(std::move(stored));
  return image;
}

void write_tiled_result(const TileWork& work, const TileSource& source, const FitRequest& request,
                        const std::filesystem::path& folder) {
  const ImageFacts facts = result_facts(work);
  std::optional<RowWriter> writer;
  for_result_rows(work, source, [&](int, const Image& rows) {
    if (!writer)
      writer.emplace(
          request.out.result,
          RowWriter::Size{facts.channels, facts.height, facts.width, !rows.source.alpha.empty()},
          facts.source, folder, request.in.picture, request.out.writing);
    writer->write(rows);
  });
  writer->finish();
}

}  // namespace unmar::runs
