// labels_test.cc - the labels of a thread against a map, what is refused, and what the segment gets of them.
#include "liballoc/core/labels.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "liballoc/core/runtime.h"

namespace liballoc {
namespace {

std::string value_of(const std::string& key) {
  char out[LIBALLOC_ABI_LABEL_VALUE_BYTES];
  size_t length = 0;
  const int error = get_label(key.c_str(), out, sizeof(out), &length);
  if (error != 0) return "error " + std::to_string(error);
  EXPECT_EQ(strlen(out), length);
  return out;
}
const std::string kNone = "error " + std::to_string(ENOENT);

class LabelsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(clear_labels(), 0); }
  void TearDown() override { ASSERT_EQ(clear_labels(), 0); }
};

TEST_F(LabelsTest, AKeyHasTheValueItWasSetToLast) {
  EXPECT_EQ(value_of("tenant"), kNone);
  ASSERT_EQ(set_label("tenant", "acme"), 0);
  ASSERT_EQ(set_label("tenant", "globex corporation"), 0);
  ASSERT_EQ(set_label("endpoint", "/api"), 0);
  EXPECT_EQ(value_of("tenant"), "globex corporation");
  ASSERT_EQ(set_label("tenant", "a"), 0);
  EXPECT_EQ(value_of("tenant"), "a");
  EXPECT_EQ(value_of("endpoint"), "/api");
}

TEST_F(LabelsTest, NullTakesALabelAway) {
  ASSERT_EQ(set_label("tenant", "acme"), 0);
  ASSERT_EQ(set_label("tenant", nullptr), 0);
  EXPECT_EQ(value_of("tenant"), kNone);
  EXPECT_EQ(set_label("tenant", nullptr), 0);
}

TEST_F(LabelsTest, WhatIsRefusedChangesNothing) {
  ASSERT_EQ(set_label("tenant", "acme"), 0);
  EXPECT_EQ(set_label(nullptr, "v"), EINVAL);
  EXPECT_EQ(set_label("", "v"), EINVAL);
  EXPECT_EQ(set_label("bytes", "v"), EINVAL);
  EXPECT_EQ(set_label("pprof::x", "v"), EINVAL);
  EXPECT_EQ(set_label(std::string(48, 'k').c_str(), "v"), ENAMETOOLONG);
  EXPECT_EQ(set_label("tenant", std::string(192, 'v').c_str()), ENAMETOOLONG);
  EXPECT_EQ(value_of("tenant"), "acme");
  EXPECT_EQ(set_label(std::string(47, 'k').c_str(), std::string(191, 'v').c_str()), 0);
  EXPECT_EQ(value_of(std::string(47, 'k')), std::string(191, 'v'));
}

TEST_F(LabelsTest, AThreadHasTwelveAtMost) {
  for (int i = 0; i < LIBALLOC_ABI_LABELS_PER_SET; i++) ASSERT_EQ(set_label(std::to_string(i).c_str(), "v"), 0);
  EXPECT_EQ(set_label("one more", "v"), ENOSPC);
  EXPECT_EQ(set_label("3", "w"), 0) << "no new one";
  ASSERT_EQ(set_label("5", nullptr), 0);
  EXPECT_EQ(set_label("one more", "v"), 0);
}

TEST_F(LabelsTest, ABufferThatIsTooSmallIsToldTheLength) {
  ASSERT_EQ(set_label("k", "12345"), 0);
  char out[6] = "xxxxx";
  size_t length = 0;
  EXPECT_EQ(get_label("k", out, 5, &length), ERANGE);
  EXPECT_EQ(length, 5u);
  EXPECT_STREQ(out, "xxxxx");
  EXPECT_EQ(get_label("k", out, 6, &length), 0);
  EXPECT_STREQ(out, "12345");
}

TEST_F(LabelsTest, LabelsAreAMapOfTheThread) {
  std::mt19937 random(1);
  std::map<std::string, std::string> model;
  for (int step = 0; step < 20000; step++) {
    const std::string key(1 + random() % 3, static_cast<char>('a' + random() % 5));
    const std::string value(random() % 192, static_cast<char>('A' + random() % 26));
    const bool there = model.contains(key);
    if (random() % 3 == 0) {
      ASSERT_EQ(set_label(key.c_str(), nullptr), 0);
      model.erase(key);
    } else if (there || model.size() < LIBALLOC_ABI_LABELS_PER_SET) {
      ASSERT_EQ(set_label(key.c_str(), value.c_str()), 0);
      model[key] = value;
    } else {
      ASSERT_EQ(set_label(key.c_str(), value.c_str()), ENOSPC);
    }
    ASSERT_EQ(value_of(key), model.contains(key) ? model[key] : kNone);
    // As the segment takes them: ordered, and nothing of earlier values behind the ends.
    const ThreadLabels& labels = *t_thread->labels;
    ASSERT_EQ(labels.count, model.size());
    uint32_t i = 0;
    for (const auto& [k, v] : model) {
      liballoc_abi_label expected = {};
      expected.key_bytes = static_cast<uint32_t>(k.size());
      expected.value_bytes = static_cast<uint32_t>(v.size());
      k.copy(expected.key, sizeof(expected.key));
      v.copy(expected.value, sizeof(expected.value));
      ASSERT_EQ(memcmp(&expected, &labels.labels[i++], sizeof(expected)), 0) << k;
    }
  }
}

TEST_F(LabelsTest, OtherThreadsHaveTheirOwnAndLeaveNoneBehind) {
  ASSERT_EQ(set_label("tenant", "acme"), 0);
  for (int i = 0; i < 3; i++) {  // the record of an ended thread is the next one's
    std::thread([] {
      EXPECT_EQ(value_of("tenant"), kNone);
      EXPECT_EQ(set_label("tenant", "globex"), 0);
      EXPECT_EQ(value_of("tenant"), "globex");
    }).join();
  }
  EXPECT_EQ(value_of("tenant"), "acme");
}

TEST_F(LabelsTest, InsideASlowPathNothingChanges) {
  ASSERT_EQ(set_label("tenant", "acme"), 0);
  t_thread->in_slow = true;  // as a signal handler finds it
  EXPECT_EQ(set_label("tenant", "globex"), EAGAIN);
  EXPECT_EQ(clear_labels(), EAGAIN);
  char out[LIBALLOC_ABI_LABEL_VALUE_BYTES];
  size_t length = 0;
  EXPECT_EQ(get_label("tenant", out, sizeof(out), &length), EAGAIN);
  t_thread->in_slow = false;
  EXPECT_EQ(value_of("tenant"), "acme");
}

TEST_F(LabelsTest, WithoutASegmentTheyHaveNoNumber) {
  ASSERT_EQ(set_label("tenant", "acme"), 0);
  ASSERT_FALSE(g_segment.active());
  EXPECT_EQ(label_set_of(*t_thread), 0u);
}

}  // namespace
}  // namespace liballoc
