#include "unmar/runs/tile_store.h"
#include "runs/support.h"

namespace unmar::runs_test {
namespace {

class Tiles : public RunsTest {};

TEST_F(Tiles, ComeBackAsTheyWere) {
  const TileStore store(in("tiles"), "test");
  EXPECT_FALSE(store.has(3));
  TileResult result;
  result.facts = {.tile = 3, .iterations = 40, .best_iteration = 30, .stopped = true, .seconds = 2};
  result.picture = Tensor({1, 3, 4, 5}, 0.25f);
  result.alpha.assign(20, 0.5f);
  store.save(3, result);
  EXPECT_TRUE(store.has(3));
  EXPECT_EQ(store.count_done(5), 1);
  const TileResult back = store.tile(3);
  EXPECT_TRUE(std::ranges::equal(back.picture.values(), result.picture.values()));
  EXPECT_EQ(back.alpha, result.alpha);
  EXPECT_EQ(store.facts(3).best_iteration, 30);
}

TEST_F(Tiles, AreWorkedOnByOneAtATime) {
  const TileStore store(in("tiles"), "test");
  auto first = store.claim(0);
  ASSERT_TRUE(first);
  EXPECT_FALSE(store.claim(0));
  EXPECT_TRUE(store.claim(1));
  first.reset();
  EXPECT_TRUE(store.claim(0));
}

TEST_F(Tiles, OfAProcessThatIsGoneAreTakenOver) {
  const TileStore store(in("tiles"), "test");
  std::ofstream(in("tiles/0.claim")) << "1 another-machine\n";
  EXPECT_FALSE(store.claim(0));
  make_old(in("tiles/0.claim"));
  EXPECT_TRUE(store.claim(0));
  // There is no need to wait for one of this machine.
  std::ofstream(in("tiles/1.claim")) << killed_process();
  EXPECT_TRUE(store.claim(1));
}

TEST_F(Tiles, ThatAreDamagedAreNamed) {
  const TileStore store(in("tiles"), "test");
  std::ofstream(in("tiles/2.tile")) << "no tile";
  EXPECT_THAT(error_of([&] { store.tile(2); }, ErrorCode::bad_input), testing::HasSubstr("2.tile"));
}

}  // namespace
}  // namespace unmar::runs_test
