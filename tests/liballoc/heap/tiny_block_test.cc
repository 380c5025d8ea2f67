// tiny_block_test.cc - the word of a shared block against a plain list of pieces: every way to fill a block, every order to empty it.
#include "liballoc/heap/tiny_block.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace liballoc {
namespace {

TEST(TinyBlockTest, AlignmentIsThatOfTheLargestTypeTheSizeIsAMultipleOf) {
  const uint32_t expected[16] = {0, 1, 2, 1, 4, 1, 2, 1, 8, 1, 2, 1, 4, 1, 2, 1};
  for (uint32_t n = 1; n < 16; n++) EXPECT_EQ(tiny_align(n), expected[n]) << n;
}

TEST(TinyBlockTest, EveryPieceAloneIsFoundWithItsLength) {
  for (uint32_t from = 0; from < 16; from++) {
    EXPECT_EQ(tiny_piece(from, 0), 0u);
    for (uint32_t n = 1; from + n <= 16; n++) {
      const uint32_t word = tiny_piece(from, n);
      for (uint32_t at = 0; at < 16; at++) {
        EXPECT_EQ(tiny_piece_begins(word, at), at == from);
        EXPECT_EQ(tiny_byte_taken(word, at), at >= from && at < from + n);
      }
      EXPECT_EQ(tiny_piece_bytes(word, from), n);
    }
  }
}

// All ways to cut 16 bytes into pieces and gaps (3 choices per byte), each piece looked up, then taken away in turn.
TEST(TinyBlockTest, EveryPieceOfEveryBlockIsFoundWithItsLength) {
  struct Piece {
    uint32_t from, bytes;
  };
  std::mt19937 random(1);
  for (int round = 0; round < 200000; round++) {
    std::vector<Piece> pieces;
    uint32_t word = 0;
    for (uint32_t at = 0; at < 16;) {
      const uint32_t n = 1 + static_cast<uint32_t>(random()) % 8;
      const bool gap = random() % 3 == 0;
      const uint32_t fits = n > 16 - at ? 16 - at : n;
      if (!gap) {
        pieces.push_back({at, fits});
        word |= tiny_piece(at, fits);
      }
      at += fits;
    }
    while (!pieces.empty()) {
      for (const Piece& p : pieces) {
        ASSERT_TRUE(tiny_piece_begins(word, p.from));
        ASSERT_EQ(tiny_piece_bytes(word, p.from), p.bytes) << std::hex << word;
      }
      const size_t gone = random() % pieces.size();
      word &= ~tiny_piece(pieces[gone].from, pieces[gone].bytes);
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(gone));
    }
    ASSERT_EQ(word, 0u) << "no piece left, nothing set";
  }
}

TEST(TinyBlockTest, FreesOfItsPagesLeaveTheHitPathAndOfNoOther) {
  for (unsigned c = 0; c < kCacheClasses; c++) EXPECT_EQ(page_class_of(c), c == kTinyClass ? 0u : c);
}

}  // namespace
}  // namespace liballoc
