#include <signal.h>
#include <sys/resource.h>

#include "runs/support.h"
#include "unmar/base/files.h"

namespace unmar::runs_test {
namespace {

using testing::HasSubstr;

class Store : public RunsTest {
 protected:
  static HistoryRow row(int iteration) {
    HistoryRow row;
    row.iteration = iteration;
    row.loss = 0.5f;
    row.watched.push_back({1.5, 2, true});
    return row;
  }
  RunRecord record() const {
    FitRequest r = request();
    return {.request = r,
            .resolved = resolve(r.task, r.options),
            .engine = {"ref", "test"},
            .started = "2026-01-31T12:00:00Z",
            .version = "1.2.3"};
  }
};

TEST_F(Store, HistoryIsAppendedAsItGoesAndCutBackByAResumedRun) {
  const std::vector<std::string> watchers = {"emv"};
  std::string expected = history_heading(watchers);
  {
    RunStore store(in("s"), "test");
    store.begin(record());
    for (int i = 0; i < 5; ++i) store.append(row(i), watchers);
    store.flush();
    for (int i = 0; i < 5; ++i) expected += history_line(row(i));
    EXPECT_EQ(bytes(store.history()), expected);
    store.append(row(5), watchers);  // never on the disk
  }
  RunStore store(in("s"), "test");
  store.take_up();
  store.append(row(3), watchers);  // the checkpoint was after iteration 2
  store.flush();
  expected = history_heading(watchers);
  for (int i = 0; i < 4; ++i) expected += history_line(row(i));
  EXPECT_EQ(bytes(store.history()), expected);
  EXPECT_THAT(expected, HasSubstr("emv,emv_best,emv_stopped\n0,0.5,,,,0,0,1.5,2,1\n"));
}

TEST_F(Store, HistoryIsWholeAlsoBehindADiskThatWasFullForAWhile) {
  RunStore store(in("s"), "test");
  store.begin(record());
  std::string expected = history_heading({});
  store.append(row(0), {});
  store.flush();
  for (int i = 1; i < 5; ++i) store.append(row(i), {});
  for (int i = 0; i < 5; ++i) expected += history_line(row(i));
  {
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const auto action = signal(SIGXFSZ, SIG_IGN);
    const rlimit full{std::filesystem::file_size(store.history()) + 10, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
    error_of([&] { store.flush(); }, ErrorCode::io);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, action);
  }
  store.flush();
  EXPECT_EQ(bytes(store.history()), expected);
}

TEST_F(Store, TakenUpAgainHasNoRemainsOfFilesThatWereBeingWritten) {
  {
    RunStore store(in("s"), "test");
    store.begin(record());
    std::filesystem::create_directories(store.tiles());
    std::ofstream(store.tiles() / ".unmar-1-0.tile") << "half";
    std::ofstream(store.tiles() / "0.tile") << "whole";
  }
  RunStore store(in("s"), "test");
  store.take_up();
  EXPECT_FALSE(std::filesystem::exists(store.tiles() / ".unmar-1-0.tile"));
  EXPECT_TRUE(std::filesystem::exists(store.tiles() / "0.tile"));
}

TEST_F(Store, ARecordComesBack) {
  RunStore(in("s"), "test").begin(record());
  const RunRecord read = RunStore(in("s"), "test").read_record();
  EXPECT_EQ(to_json(read.request), to_json(record().request));
  EXPECT_EQ(read.resolved.iterations, 30);
  EXPECT_EQ(read.version, "1.2.3");
  EXPECT_EQ(read.engine.description, "test");
}

TEST_F(Store, IsLockedByWhoeverWorksInIt) {
  RunStore first(in("s"), "test");
  first.begin(record());
  RunStore second(in("s"), "test");
  EXPECT_THAT(error_of([&] { second.take_up(); }, ErrorCode::io), HasSubstr("another unmar"));
}

TEST_F(Store, KeptPicturesAreExact) {
  RunStore store(in("s"), "test");
  store.begin(record());
  Tensor picture(Shape{1, 3, 4, 5});
  for (std::size_t i = 0; i < picture.count(); ++i)
    picture.data()[i] = 0.1f * static_cast<float>(i) - 1.7f;
  store.keep(12, picture);
  store.keep(3, picture);
  EXPECT_EQ(store.kept(), (std::vector<int>{3, 12}));
  const Tensor read = store.picture(12);
  EXPECT_TRUE(std::ranges::equal(read.values(), picture.values()));
}

}  // namespace
}  // namespace unmar::runs_test
