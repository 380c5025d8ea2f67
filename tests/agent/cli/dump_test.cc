// dump_test.cc - a segment file for people: every section of a good one, a typed refusal of a bad
// one, and no harm from one that lies.
#include "agent/cli/dump.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <random>
#include <sstream>

#include "tests/agent/reader/segment_builder.h"
#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

class DumpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const uint32_t stack = builder_.add_stack({0x401010, 0x402020});
    const uint32_t bucket = builder_.add_bucket(stack, 3, 32, 5, 150, 1, 30);
    builder_.add_sample(0x7f0000000040, 30, 32, stack, bucket, 42);
    builder_.buckets.back().label_set = builder_.add_label_set({{"tenant\x1b", "acme"}});
    liballoc_abi_span span{};
    span.sequence = 2;
    span.base = 0x7f0000000000;
    span.pages = 1;
    span.state = LIBALLOC_SPAN_PARTIAL;
    span.size_class = 3;
    span.object_bytes = 32;
    span.objects = 256;
    span.allocated = 9;
    span.flags = LIBALLOC_SPAN_FLAG_NOSCAN | 0x40;
    builder_.spans.push_back(span);
    liballoc_abi_module module{};
    module.start = 0x400000;
    module.end = 0x500000;
    module.load_bias = 0x400000;
    SegmentBuilder::set_string(module.path, "/usr/bin/de\x1bmo");
    builder_.modules.push_back(module);
    liballoc_abi_fault fault{};
    fault.code = 4;
    fault.address = 0xbad;
    SegmentBuilder::set_string(fault.message, "free of a freed object");
    builder_.faults.push_back(fault);
    builder_.push_event(LIBALLOC_EVENT_HEAP_GROW, 0x7f0000000000, 67108864);
    builder_.set_mallocs(0, 3, 12345);
  }

  int dump(const std::string& path, std::vector<std::string> sections = {}) {
    out_.str("");
    err_.str("");
    CliOptions options;
    options.command = CliCommand::kDump;
    options.file = path;
    options.sections = std::move(sections);
    return run_dump(options, out_, err_);
  }
  std::string write(const std::vector<uint8_t>& bytes) {
    const std::string path = dir_.path() + "/any name";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  bool printed(const std::string& text) { return out_.str().find(text) != std::string::npos; }

  TempDir dir_;
  SegmentBuilder builder_;
  std::ostringstream out_, err_;
};

TEST_F(DumpTest, EverySectionIsThere) {
  ASSERT_EQ(dump(write(builder_.bytes())), kCliOk) << err_.str();
  for (const char* text : {"== header\nversion             1.",
                           "pid                 1234",
                           "lock                free",
                           "== directory\nKIND  NAME",
                           "== identity\nexecutable          /usr/bin/demo",
                           "command line        /usr/bin/demo --port 80",
                           "== memstats",
                           "mallocs             12,345",
                           "== size-classes",
                           "== threads",
                           "12,345",
                           "== spans",
                           "0x7f0000000000      1  partial     32    256     9",
                           "noscan 0x40",
                           "== stacks\nstack 0\n",
                           "0x401010  /usr/bin/de\\x1bmo+0x1010",
                           "== buckets",
                           "== labels\nlabel set 1\n  tenant\\x1b=acme\n",
                           "== peak\nnone was taken",
                           "== samples\n",
                           "0x7f0000000040",
                           "== modules",
                           "/usr/bin/de\\x1bmo\n",
                           "== ring\n1 events written, 0 of them overwritten",
                           "heap-grow  0x7f0000000000 67108864",
                           "== faults",
                           "code 4, pointer 0xbad",
                           "free of a freed object",
                           "== health"}) {
    EXPECT_TRUE(printed(text)) << text << "\nis not in:\n" << out_.str();
  }
  EXPECT_FALSE(printed("\x1b"));
}

TEST_F(DumpTest, OnlyTheSectionsThatWereAskedFor) {
  ASSERT_EQ(dump(write(builder_.bytes()), {"faults", "ring"}), kCliOk);
  EXPECT_TRUE(printed("== ring") && printed("== faults"));
  EXPECT_FALSE(printed("== header"));
}

TEST_F(DumpTest, KindsAndEventsOfANewerLibraryAreShownAsNumbers) {
  builder_.header.minor = 9;
  builder_.push_event(4711, 1, 2);
  std::vector<uint8_t> bytes = builder_.bytes();
  ASSERT_EQ(dump(write(bytes)), kCliOk) << err_.str();
  EXPECT_TRUE(printed("version             1.9"));
  EXPECT_TRUE(printed("kind 4711"));
}

TEST_F(DumpTest, ARefusalBeginsWithItsReason) {
  EXPECT_EQ(dump(dir_.path() + "/none"), kCliFailed);
  EXPECT_NE(err_.str().find("/none: open_failed: No such file"), std::string::npos) << err_.str();
  EXPECT_EQ(dump(dir_.path()), kCliFailed);
  EXPECT_NE(err_.str().find(": not_regular_file:"), std::string::npos) << err_.str();
  const std::string fifo = dir_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(dump(fifo), kCliFailed) << "and does not wait for a writer";
  EXPECT_EQ(dump(write({})), kCliFailed);
  EXPECT_NE(err_.str().find(": incomplete:"), std::string::npos) << err_.str();
  std::vector<uint8_t> bytes = builder_.bytes();
  bytes[0] ^= 1;
  EXPECT_EQ(dump(write(bytes)), kCliFailed);
  EXPECT_NE(err_.str().find(": bad_magic:"), std::string::npos) << err_.str();
  bytes[0] ^= 1;
  bytes.resize(bytes.size() / 2);
  EXPECT_EQ(dump(write(bytes)), kCliFailed);
  EXPECT_NE(err_.str().find(": truncated:"), std::string::npos) << err_.str();
  EXPECT_EQ(out_.str(), "");
}

TEST_F(DumpTest, AFileThatLiesIsPrintedOrRefusedButNeverMore) {
  const std::vector<uint8_t> good = builder_.bytes();
  std::mt19937_64 random(20261);
  int refused = 0;
  int shown = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<uint8_t> bytes = good;
    // The first part holds all that sizes and offsets come from.
    const size_t reach = round % 2 == 0 ? std::min<size_t>(bytes.size(), 2048) : bytes.size();
    for (int i = 0; i < 8; ++i) bytes[8 + random() % (reach - 8)] = static_cast<uint8_t>(random());
    const int status = dump(write(bytes));
    ASSERT_TRUE(status == kCliOk || status == kCliFailed);
    ++(status == kCliOk ? shown : refused);
    EXPECT_EQ(status == kCliOk, err_.str().empty());
    for (const char c : out_.str()) ASSERT_TRUE(c == '\n' || static_cast<uint8_t>(c) >= 0x20);
  }
  EXPECT_GT(refused, 10);
  EXPECT_GT(shown, 10);
}

}  // namespace
}  // namespace liballoc::agent
