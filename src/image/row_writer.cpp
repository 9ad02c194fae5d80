#include "unmar/image/row_writer.h"

#include <utility>

#include "base/fail.h"
#include "base/scratch_file.h"
#include "base/temporary_file.h"
#include "image/encode.h"
#include "image/fits_write.h"
#include "image/mapped_file.h"
#include "image/metadata_files.h"
#include "image/vips_runtime.h"
#include "unmar/image/pages.h"

namespace unmar {

namespace fs = std::filesystem;
using namespace unmar::image;
using vips::VImage;

class RowWriter::File {
 public:
  File(const fs::path& path, const Size& size, const ImageSource& source, const fs::path& folder,
       const fs::path& like, const WriteOptions& options)
      : path_(path),
        size_(size),
        like_(like),
        options_(options),
        kind_(kind_of_extension(kWriteImage, path)),
        head_(size.channels, 1, size.width),
        folder_(folder),
        scratch_(folder),
        target_(kWriteImage, path) {
    start_vips();
    head_.source = source;
    head_.source.alpha.clear();
    head_.source.forget_samples();
    samples_ = kind_to_write(kind_, head_, options, path);
    check_picture(head_, kind_, options, path);
    check_sides(size.width, size.height, kind_);
    std::error_code error;
    if (fs::exists(like, error) && count_pages(like) > 1)
      head_.source.metadata = for_pages(head_.source.metadata, 1);
  }

  void write(const Image& given) {
    Image rows = given;
    rows.source.format = head_.source.format;
    rows.source.numbers = head_.source.numbers;
    rows.source.range = head_.source.range;
    rows.source.channel_ranges = head_.source.channel_ranges;
    rows.source.multiplied = head_.source.multiplied;
    if (size_.with_alpha && rows.source.alpha.empty())
      rows.source.alpha.assign(rows.plane(0).size(), 1.f);
    if (!size_.with_alpha) rows.source.alpha.clear();
    check_picture(rows, kind_, options_, path_);
    const std::vector<std::byte> samples = samples_to_write(rows, samples_, kind_);
    scratch_.write_at(written_, samples);
    written_ += samples.size();
  }

  void finish() {
    try {
      make_file(dressed());
    } catch (const vips::VError&) {
      fail(ErrorCode::io, "{}: cannot write '{}' ({}); is the disk full?", kWriteImage,
           path_.string(), take_vips_error());
    }
    target_.commit();
  }

 private:
  VImage dressed() const {
    const VipsBandFormat format = band_format(samples_);
    const std::uint64_t pixels =
        static_cast<std::uint64_t>(size_.height) * static_cast<std::uint64_t>(size_.width);
    const auto bands = static_cast<int>(written_ / pixels / vips_format_sizeof(format));
    return with_colours(VImage::rawload(scratch_.path().c_str(), size_.width, size_.height, bands,
                                        VImage::option()->set("format", format)),
                        head_, kind_);
  }

  void make_file(const VImage& pixels) {
    const Metadata& metadata = metadata_of(head_, options_);
    const Sink sink = [this](std::string_view bytes) {
      target_.append(std::as_bytes(std::span(bytes)));
    };
    if (kind_ == FileKind::fits)
      return write_fits_like(like_, 1, options_.strip, sink, [&](bool primary, bool more) {
        write_fits_hdu(pixels, metadata, primary, more, sink);
      });
    const VImage with = with_fields(pixels, kind_, metadata);
    if (kind_ == FileKind::tiff) {
      encode_to(target_.path_for_library(), with, kind_, options_.quality);
      const MappedFile encoded(target_.path_for_library());
      const TiffPatch patch =
          patch_of({encoded.bytes(), tags_to_write(metadata, kind_, size_.width, size_.height),
                    tags_of_samples(head_, pixels.bands())});
      target_.write_at(patch.end, std::as_bytes(std::span(patch.directory)));
      return target_.write_at(0, std::as_bytes(std::span(patch.head)));
    }
    const ScratchFile encoded(folder_);
    encode_to(encoded.path(), with, kind_, options_.quality);
    const MappedFile bytes(encoded.path());
    write_with_metadata(bytes.bytes(), kind_, metadata, size_.width, size_.height, sink);
  }

  const fs::path path_;
  const Size size_;
  const fs::path like_;
  const WriteOptions options_;
  const FileKind kind_;
  SampleKind samples_;
  Image head_;  ///< a row of it, for what belongs to the whole
  const fs::path folder_;
  ScratchFile scratch_;
  std::uint64_t written_ = 0;
  TemporaryFile target_;
};

RowWriter::RowWriter(const fs::path& path, const Size& size, const ImageSource& source,
                     const fs::path& folder, const fs::path& like, const WriteOptions& options)
    : file_(std::make_unique<File>(path, size, source, folder, like, options)) {}

RowWriter::~RowWriter() = default;

void RowWriter::write(const Image& rows) { file_->write(rows); }

void RowWriter::finish() { file_->finish(); }

}  // namespace unmar
