// hostile_elf_test.cc - broken and malicious files: any answer but a crash, a hang or endless
// memory.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "agent/symbolize/symbolizer.h"
#include "tests/agent/symbolize/testing.h"

namespace liballoc::agent {
namespace {

// Symbolises with `bytes` in place of the program; the frames found at its known calls.
size_t frames_of(const Target& t, const std::string& bytes) {
  const std::string path = t.dir.path() + "/hostile";
  write_file(path, bytes);
  Module module = t.module;
  module.path = path;
  Symbolizer symbolizer(options_with());
  size_t frames = 0;
  for (const auto& [name, call] : t.calls) frames += symbolizer.lookup(module, call).size();
  for (uint64_t a = module.start; a < module.end; a += 97) {
    frames += symbolizer.lookup(module, a).size();
  }
  return frames;
}

TEST(HostileElf, SurvivesEveryTruncation) {
  const Target t("-g");
  const std::string bytes = read_file(t.binary);
  EXPECT_GT(frames_of(t, bytes), 0u);
  for (size_t n = 0; n < bytes.size(); n += bytes.size() / 60 + 1) {
    (void)frames_of(t, bytes.substr(0, n));
  }
}

class HostileElfRandom : public ::testing::TestWithParam<const char*> {};

TEST_P(HostileElfRandom, SurvivesChangedBytes) {
  const Target t(GetParam());
  const std::string bytes = read_file(t.binary);
  // Leave the build id as it is, or the file is refused before anything is read.
  std::string id;
  for (size_t i = 0; i < t.module.build_id.size(); i += 2) {
    id += static_cast<char>(std::stoi(t.module.build_id.substr(i, 2), nullptr, 16));
  }
  const size_t id_at = bytes.find(id);
  ASSERT_NE(id_at, std::string::npos);
  std::mt19937 random(11);
  for (int round = 0; round < 150; ++round) {
    std::string changed = bytes;
    for (unsigned i = 0, n = 1 + random() % 40; i < n; ++i) {
      const size_t at = random() % changed.size();
      if (at < id_at + id.size() && at + 64 > id_at) continue;
      changed[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    (void)frames_of(t, changed);
  }
}

// With compressed sections a change also reaches the sizes that the decompressor is told.
INSTANTIATE_TEST_SUITE_P(HowItWasBuilt, HostileElfRandom,
                         ::testing::Values("-g", "-gdwarf-4", "-g -gz"));

TEST(HostileElf, SkipsSectionsThatClaimToBeHuge) {
  const Target t("-g -rdynamic");
  std::string bytes = read_file(t.binary);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    const size_t at = header.e_shoff + i * sizeof(section);
    std::memcpy(&section, bytes.data() + at, sizeof(section));
    if (section.sh_type != SHT_PROGBITS || (section.sh_flags & SHF_ALLOC) != 0) continue;
    section.sh_size = uint64_t{1} << 60;
    std::memcpy(bytes.data() + at, &section, sizeof(section));
  }
  Module module = t.module;
  module.path = t.dir.path() + "/huge";
  write_file(module.path, bytes);
  Symbolizer symbolizer(options_with());
  const auto frames = symbolizer.lookup(module, t.calls.at("price"));
  ASSERT_EQ(frames.size(), 1u) << "the symbol table still is there";
  EXPECT_EQ(frames[0].function, "shop::checkout(int)");
}

}  // namespace
}  // namespace liballoc::agent
