// profile_builder_test.cc - interning, ids and strings, as protobuf's own decoder sees them.
#include "agent/pprof/profile_builder.h"

#include <gtest/gtest.h>

#include "tests/agent/pprof/testing.h"

namespace liballoc::agent {
namespace {

Profile parse(ProfileBuilder& builder) {
  Profile p;
  EXPECT_TRUE(p.ParseFromString(builder.finish()));
  return p;
}

TEST(ProfileBuilder, StartsTheStringTableWithTheEmptyString) {
  ProfileBuilder builder;
  EXPECT_EQ(builder.intern_string(""), 0);
  EXPECT_EQ(builder.intern_string("a"), 1);
  EXPECT_EQ(builder.intern_string("b"), 2);
  EXPECT_EQ(builder.intern_string("a"), 1);
  const Profile p = parse(builder);
  ASSERT_EQ(p.string_table_size(), 3);
  EXPECT_EQ(p.string_table(0), "");
  EXPECT_EQ(p.string_table(2), "b");
}

TEST(ProfileBuilder, NumbersFromOneWithoutGaps) {
  ProfileBuilder builder;
  EXPECT_EQ(builder.add_mapping({1, 2, 0, "/a", ""}), 1u);
  EXPECT_EQ(builder.add_mapping({2, 3, 0, "/b", ""}), 2u);
  EXPECT_EQ(builder.intern_function("f", "_Z1f", "f.cc", 1), 1u);
  EXPECT_EQ(builder.intern_function("g", "_Z1g", "f.cc", 1), 2u);
  EXPECT_EQ(builder.intern_function("f", "_Z1f", "f.cc", 1), 1u);
  EXPECT_EQ(builder.intern_function("f", "_Z1f", "f.cc", 2), 3u);
  EXPECT_EQ(builder.add_location(1, 1, {}), 1u);
  EXPECT_EQ(builder.add_location(2, 2, {{2, 7}, {1, 8}}), 2u);
  const Profile p = parse(builder);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(p.mapping(i).id(), static_cast<uint64_t>(i) + 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(p.function(i).id(), static_cast<uint64_t>(i) + 1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(p.location(i).id(), static_cast<uint64_t>(i) + 1);
  ASSERT_EQ(p.location(1).line_size(), 2);
  EXPECT_EQ(p.location(1).line(0).function_id(), 2u);
  EXPECT_EQ(p.location(1).line(1).line(), 8);
}

TEST(ProfileBuilder, KeepsZeroAndNegativeValuesInPlace) {
  ProfileBuilder builder;
  builder.add_sample_type("a", "count");
  builder.add_sample_type("b", "count");
  builder.add_sample_type("c", "count");
  const uint64_t location = builder.add_location(builder.add_mapping({}), 5, {});
  builder.add_sample({location, location}, {0, -7, INT64_MAX}, {{"k", "", "bytes", 16}});
  const Profile p = parse(builder);
  ASSERT_EQ(p.sample_size(), 1);
  ASSERT_EQ(p.sample(0).value_size(), 3);
  EXPECT_EQ(p.sample(0).value(0), 0);
  EXPECT_EQ(p.sample(0).value(1), -7);
  EXPECT_EQ(p.sample(0).value(2), INT64_MAX);
  EXPECT_EQ(p.sample(0).location_id_size(), 2);
  EXPECT_EQ(p.sample(0).label(0).num(), 16);
}

TEST(ProfileBuilder, MakesEveryStringValidUtf8) {
  ProfileBuilder builder;
  (void)builder.intern_function("bad \xff\xc0name", "ok \xc3\xa9", "", 0);
  const Profile p = parse(builder);  // protobuf refuses a string field that is not UTF-8
  EXPECT_EQ(text(p, p.function(0).system_name()), "ok \xc3\xa9");
  EXPECT_EQ(text(p, p.function(0).name()).find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace liballoc::agent
