// regression_test.cc - runs every fuzz driver on its committed corpus and on inputs that are random
// but the same each time. A driver that finds something ends the process: the test's name and the
// last line say which and where. Must never write to the corpus.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace liballoc {

// The test's name in ctest: without it, gtest prints the bytes of the struct, which has addresses.
void PrintTo(const FuzzTarget& target, std::ostream* out) { *out << target.name; }

namespace {

using Bytes = std::vector<uint8_t>;

// Most are refused at once: those made from the corpus get further.
constexpr int kRandomInputs = LIBALLOC_TEST_SANITIZED ? 40 : 150;
constexpr int kMutatedInputs = 350;

class FuzzRegressionTest : public testing::TestWithParam<FuzzTarget> {
 protected:
  FuzzRegressionTest() {
    const std::string dir = std::string(LIBALLOC_FUZZ_CORPUS) + "/" + GetParam().name;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    for (const std::filesystem::path& path : paths) {
      std::ifstream file(path, std::ios::binary);
      corpus_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      EXPECT_FALSE(file.bad()) << path;
    }
  }
  void run(const Bytes& input) {
    GetParam().run(std::span(input).first(std::min(input.size(), GetParam().max_bytes)));
  }
  std::vector<Bytes> corpus_;
};

TEST_P(FuzzRegressionTest, FindsNothingInItsCorpus) {
  ASSERT_FALSE(corpus_.empty()) << "nothing is shown without a corpus";
  for (const Bytes& input : corpus_) run(input);
}

TEST_P(FuzzRegressionTest, FindsNothingInRandomInputs) {
  std::mt19937_64 random(20240601);
  run({});
  for (int i = 0; i < kRandomInputs; i++) {
    Bytes input(random() % std::min<size_t>(GetParam().max_bytes, 1500));
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
    run(input);
  }
}

TEST_P(FuzzRegressionTest, FindsNothingInDamagedCorpusInputs) {
  ASSERT_FALSE(corpus_.empty());
  std::mt19937_64 random(20240602);
  for (int i = 0; i < kMutatedInputs; i++) {
    Bytes input = corpus_[random() % corpus_.size()];
    const int changes = 1 + static_cast<int>(random() % 8);
    for (int change = 0; change < changes && !input.empty(); change++) {
      const size_t at = random() % input.size();
      switch (random() % 4) {
        case 0:
          input[at] = static_cast<uint8_t>(random());
          break;
        case 1:
          input[at] ^= static_cast<uint8_t>(1u << (random() % 8));
          break;
        case 2:
          input.insert(input.begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>(random()));
          break;
        default:
          input.resize(at);
      }
    }
    run(input);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzRegressionTest,
                         testing::ValuesIn(fuzz_targets().begin(), fuzz_targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace liballoc
