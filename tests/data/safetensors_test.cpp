#include <fmt/format.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "data/half.h"
#include "diffusion/support.h"
#include "image/support.h"
#include "unmar/data/safetensors.h"

namespace unmar {
namespace safetensors_test {

using namespace diffusion_test;
using image_test::bytes_of;
using image_test::expect_error;
using image_test::put_bytes;
using testing::ElementsAre;
using testing::HasSubstr;

/// A file of this header and these bytes.
std::string safetensors(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string bytes;
  for (const T value : values) {
    char part[sizeof value];
    std::memcpy(part, &value, sizeof value);
    bytes.append(part, sizeof value);
  }
  return bytes;
}

Weights some_weights() {
  Weights weights;
  weights.tensors.push_back({"conv.weight", {4, 3, 3, 2}, uniform({4, 3, 3, 2}, "a")});
  weights.tensors.push_back({"conv.bias", {4}, uniform({1, 4, 1, 1}, "b")});
  weights.tensors.push_back({"linear.weight", {5, 7}, uniform({5, 7, 1, 1}, "c")});
  weights.tensors.push_back({"three", {2, 3, 4}, uniform({2, 3, 4, 1}, "d")});
  weights.tensors.push_back({"scalar", {}, uniform({1, 1, 1, 1}, "e")});
  weights.tensors.push_back({"nothing", {0, 3}, Tensor({0, 3, 1, 1})});
  weights.metadata["format"] = "pt";
  return weights;
}

class Safetensors : public image_test::InFolder {
 protected:
  Weights read(const std::string& bytes) {
    std::filesystem::remove(in("w.safetensors"));  // emptying a file can wait for the disk
    put_bytes(in("w.safetensors"), bytes);
    return read_safetensors(in("w.safetensors"));
  }
  void expect_refused(const std::string& header, const std::string& data,
                      const std::vector<std::string>& parts,
                      ErrorCode code = ErrorCode::bad_input) {
    expect_error(code, parts, [&] { read(safetensors(header, data)); });
  }
};

TEST_F(Safetensors, come_back_as_they_were_written) {
  const Weights written = some_weights();
  write_safetensors(in("w.safetensors"), written);
  EXPECT_EQ(files(), std::set<std::string>{"w.safetensors"});
  const Weights back = read_safetensors(in("w.safetensors"));
  ASSERT_EQ(back.tensors.size(), written.tensors.size());
  for (const NamedTensor& tensor : written.tensors) {
    const NamedTensor* found = back.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
    EXPECT_EQ(largest_difference(found->values, tensor.values), 0) << tensor.name;
  }
  EXPECT_EQ(back.metadata, written.metadata);
  EXPECT_EQ(back.count(), written.count());
  EXPECT_EQ(back.find("conv"), nullptr);
}

TEST_F(Safetensors, have_the_bytes_that_the_format_asks_for) {
  Weights weights;
  weights.tensors.push_back({"a", {2}, Tensor({1, 2, 1, 1}, 1.5f)});
  write_safetensors(in("w.safetensors"), weights);
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(bytes_of(in("w.safetensors")),
            safetensors(header + std::string((8 - header.size() % 8) % 8, ' '),
                        raw<float>({1.5f, 1.5f})));
}

TEST_F(Safetensors, hold_half_precision_in_two_formats) {
  const std::string f16 = R"("h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]})";
  const std::string bf16 = R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]})";
  const Weights w = read(safetensors(
      "{" + bf16 + "," + f16 + "}",
      raw<std::uint16_t>({0x3C00, 0xC000, 0x0001, 0x7BFF}) + raw<std::uint16_t>({0x3FC0, 0xC2F7})));
  EXPECT_THAT(w.find("h")->values.values(), ElementsAre(1.f, -2.f, 0x1p-24f, 65504.f));
  EXPECT_THAT(w.find("b")->values.values(), ElementsAre(1.5f, -123.5f));
  EXPECT_EQ(w.tensors[0].name, "h");  // by place in the file
}

TEST(Half, every_finite_number_is_its_sign_exponent_and_fraction) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 31;
    const double fraction = (bits & 0x3FF) / 1024.;
    const float value = data::from_float16(static_cast<std::uint16_t>(bits));
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), fraction > 0) << bits;
      EXPECT_EQ(std::isinf(value), fraction == 0) << bits;
    } else {
      const double expected =
          exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
      EXPECT_EQ(static_cast<double>(value), bits & 0x8000 ? -expected : expected) << bits;
    }
    EXPECT_EQ(std::signbit(value), bits >= 0x8000) << bits;
  }
}

TEST(Half, every_number_is_rounded_to_the_nearest_one) {
  using data::from_float16;
  using data::to_float16;
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const auto low = static_cast<std::uint16_t>(bits), high = static_cast<std::uint16_t>(bits + 1);
    const float a = from_float16(low), b = high == 0x7C00 ? 65536.f : from_float16(high);
    const float middle = a + (b - a) / 2;  // exact: a float has bits to spare
    for (const std::uint16_t sign : {0, 0x8000}) {
      const float s = sign ? -1.f : 1.f;
      ASSERT_EQ(to_float16(s * a), sign | low);
      ASSERT_EQ(to_float16(s * std::nextafter(middle, a)), sign | low) << bits;
      ASSERT_EQ(to_float16(s * middle), sign | (bits % 2 ? high : low)) << bits;
      ASSERT_EQ(to_float16(s * std::nextafter(middle, b)), sign | high) << bits;
    }
  }
  EXPECT_TRUE(std::isinf(from_float16(to_float16(1e9f))));
  EXPECT_TRUE(std::isnan(from_float16(to_float16(std::nanf("")))));
}

TEST_F(Safetensors, are_written_in_half_precision_if_asked) {
  Weights weights;
  weights.tensors.push_back({"a", {2}, Tensor({1, 2, 1, 1}, 1.f / 3)});
  write_safetensors(in("w.safetensors"), weights, WeightType::f16);
  const std::string header = R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})";
  EXPECT_EQ(bytes_of(in("w.safetensors")),
            safetensors(header + std::string((8 - header.size() % 8) % 8, ' '),
                        raw<std::uint16_t>({0x3555, 0x3555})));
  weights.tensors[0].values.values()[1] = 1e5f;
  expect_error(ErrorCode::numeric, {"'a' holds 100000", "F32"},
               [&] { write_safetensors(in("x.safetensors"), weights, WeightType::f16); });
  EXPECT_FALSE(std::filesystem::exists(in("x.safetensors")));
}

TEST_F(Safetensors, numbers_that_are_not_finite_are_counted) {
  const Weights w = read(safetensors(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
                                     raw<float>({1.f, std::nanf(""), INFINITY})));
  EXPECT_EQ(w.not_finite, 2u);
}

TEST_F(Safetensors, without_tensors_are_fine) {
  EXPECT_EQ(read(safetensors("{}", "")).tensors.size(), 0u);
  EXPECT_EQ(read(safetensors(R"({"__metadata__":{"k":"v"}})", "")).metadata.at("k"), "v");
}

TEST_F(Safetensors, missing_short_and_other_files_are_named) {
  expect_error(ErrorCode::io, {"none' does not exist"}, [&] { read_safetensors(in("none")); });
  expect_error(ErrorCode::io, {"is not a regular file"}, [&] { read_safetensors(folder()); });
  expect_error(ErrorCode::io, {"is not a regular file"}, [] { read_safetensors("/dev/zero"); });
  expect_error(ErrorCode::bad_input, {"has 3 bytes, too few"}, [&] { read("abc"); });
  expect_error(ErrorCode::bad_input, {"says its header has 2338328219397285224 bytes"},
               [&] { read("here is some text, no weights"); });
  expect_error(ErrorCode::unsupported, {"PyTorch pickle", "convert it"},
               [&] { read("PK\3\4" + std::string(40, 'x')); });
}

TEST_F(Safetensors, header_beyond_the_file_or_of_monstrous_size_is_refused) {
  std::string bytes = safetensors("{}", "");
  bytes[0] = 3;
  expect_error(ErrorCode::bad_input, {"header has 3 bytes, but only 2 follow"},
               [&] { read(bytes); });
  bytes.replace(0, 8, "\xff\xff\xff\xff\xff\xff\xff\xff");
  expect_error(ErrorCode::bad_input, {"18446744073709551615"}, [&] { read(bytes); });
  expect_refused("{" + std::string((16 << 20) - 1, ' ') + "}", "", {"above the limit"});
}

TEST_F(Safetensors, header_that_is_not_json_is_refused) {
  expect_refused("{\"a\":", "", {"not a JSON object"});
  expect_refused("[]", "", {"not a JSON object"});
  expect_refused("\"\xff\"", "", {"not a JSON object"});
  expect_refused(std::string(100000, '['), "", {"nested too deeply"});
}

constexpr const char* kFirst = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

TEST_F(Safetensors, names_and_keys_twice_are_refused) {
  expect_refused(std::string("{") + kFirst + "," + kFirst + "}", std::string(8, '\0'),
                 {"'a' is in the header twice"});
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})",
                 std::string(8, '\0'), {"'shape' is in the header twice"});
}

TEST_F(Safetensors, tensors_that_overlap_leave_holes_or_reach_beyond_the_file_are_refused) {
  const auto two = [](int begin, int end) {
    return std::string("{") + kFirst +
           fmt::format(R"(,"b":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}}}})",
                       (end - begin) / 4, begin, end);
  };
  EXPECT_EQ(read(safetensors(two(8, 16), std::string(16, '\0'))).count(), 4u);
  expect_refused(two(4, 12), std::string(12, '\0'), {"'b' begins at byte 4", "ends at 8"});
  expect_refused(two(12, 20), std::string(20, '\0'), {"'b' begins at byte 12", "ends at 8"});
  expect_refused(two(8, 16), std::string(12, '\0'), {"'b' reaches to byte 16 of 12"});
  expect_refused(two(8, 16), std::string(17, '\0'), {"last 1 bytes belong to no tensor"});
  expect_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})", "",
                 {"not a begin and an end"});
}

TEST_F(Safetensors, shape_that_does_not_fit_its_bytes_is_refused) {
  const auto shaped = [](const std::string& shape, const char* dtype = "F32") {
    return R"({"a":{"dtype":")" + std::string(dtype) + R"(","shape":)" + shape +
           R"(,"data_offsets":[0,8]}})";
  };
  const std::string data(8, '\0');
  EXPECT_EQ(read(safetensors(shaped("[2,1]"), data)).count(), 2u);
  expect_refused(shaped("[3]"), data, {"'a' of shape [3] needs 12 bytes, has 8"});
  expect_refused(shaped("[2]", "BF16"), data, {"needs 4 bytes, has 8"});
  // The product is 0 modulo 2^64.
  expect_refused(shaped("[2147483647,2147483647,2147483647]"), data, {"impossible shape"});
  expect_refused(shaped("[1073741824,1073741824,4]"), data, {"impossible shape"});
  expect_refused(shaped("[18446744073709551615]"), data, {"impossible shape"});
  expect_refused(shaped("[36893488147419103232]"), data, {"not a list of whole numbers"});
  expect_refused(shaped("[-2]"), data, {"not a list of whole numbers"});
  expect_refused(shaped("[2.0]"), data, {"not a list of whole numbers"});
  expect_refused(shaped("2"), data, {"not a list of whole numbers"});
  expect_refused(shaped("[1,1,1,1,2]"), data, {"has 5 sides"}, ErrorCode::unsupported);
}

TEST_F(Safetensors, other_types_are_named) {
  expect_refused(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", std::string(8, '\0'),
                 {"'a' is of type \"I64\"", "convert it to F32"}, ErrorCode::unsupported);
  expect_refused(R"({"a":{"dtype":3,"shape":[1],"data_offsets":[0,8]}})", std::string(8, '\0'),
                 {"is of type 3"}, ErrorCode::unsupported);
}

TEST_F(Safetensors, entries_that_are_not_tensors_are_refused) {
  expect_refused(R"({"a":3})", "", {"'a' has no dtype"});
  expect_refused(R"({"a":{"dtype":"F32","data_offsets":[0,0]}})", "", {"'a' has no shape"});
  expect_refused(R"({"a":{"dtype":"F32","shape":[0]}})", "", {"'a' has no data_offsets"});
  expect_refused(R"({"__metadata__":[]})", "", {"__metadata__ is not an object"});
  expect_refused(R"({"__metadata__":{"k":1}})", "", {"'k' is not a string"});
}

TEST_F(Safetensors, errors_stay_on_one_line_whatever_the_names_hold) {
  expect_refused(R"({"a\nb\u0000":3})", "", {"'a?b?' has no dtype"});
  expect_refused("{\"" + std::string(5000, 'n') + "\":3}", "", {"n...' has no dtype"});
}

// Cuts are refused; a header changed at random is read as something or refused by an Error.
TEST_F(Safetensors, damaged_files_never_do_harm) {
  write_safetensors(in("w.safetensors"), some_weights());
  const std::string whole = bytes_of(in("w.safetensors"));
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof header);
  header += sizeof header;
  int refused = 0, tried = 0;
  const auto attempt = [&](const std::string& bytes) {
    ++tried;
    try {
      read(bytes);
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  };
  for (std::size_t length = 0; length < whole.size(); length += 13) {
    attempt(whole.substr(0, length));
    EXPECT_EQ(refused, tried) << "cut to " << length;
  }
  std::uint32_t state = 1;
  const auto draw = [&](std::size_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = whole;
    for (std::size_t changes = 1 + draw(3); changes > 0; --changes) {
      const std::size_t at = draw(std::min<std::size_t>(header, bytes.size()));
      switch (draw(3)) {
        case 0:
          bytes[at] = static_cast<char>(draw(256));
          break;
        case 1:
          bytes[at] = "0123456789{}[]\",:"[draw(17)];
          break;
        default:
          bytes.erase(at, 1 + draw(8));
      }
    }
    attempt(bytes);
  }
  EXPECT_GT(refused, tried / 2);
  EXPECT_LT(refused, tried);  // a letter of a name does no harm
}

TEST_F(Safetensors, that_cannot_be_written_are_named) {
  const auto expect = [&](NamedTensor tensor, const std::string& part) {
    Weights weights;
    weights.tensors.push_back({"first", {1}, Tensor({1, 1, 1, 1})});
    weights.tensors.push_back(std::move(tensor));
    expect_error(ErrorCode::bad_argument, {part},
                 [&] { write_safetensors(in("w.safetensors"), weights); });
  };
  expect({"first", {1}, Tensor({1, 1, 1, 1})}, "'first' is there twice");
  expect({"__metadata__", {1}, Tensor({1, 1, 1, 1})}, "is reserved");
  expect({"a", {2}, Tensor({2, 1, 1, 1})}, "'a' is [2] but its values are [2,1,1,1]");
  expect({"\xff", {1}, Tensor({1, 1, 1, 1})}, "not UTF-8");
  EXPECT_TRUE(files().empty());
  expect_error(ErrorCode::io, {"the folder of '", "does not exist"},
               [&] { write_safetensors(in("none") / "w.safetensors", {}); });
}

TEST_F(Safetensors, disk_that_is_full_leaves_the_old_file) {
  write_safetensors(in("w.safetensors"), {});
  const std::string before = bytes_of(in("w.safetensors"));
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{500, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  expect_error(ErrorCode::io, {"cannot write '"},
               [&] { write_safetensors(in("w.safetensors"), some_weights()); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(bytes_of(in("w.safetensors")), before);
  EXPECT_EQ(files(), std::set<std::string>{"w.safetensors"});
}

}  // namespace safetensors_test
}  // namespace unmar
