// testing.h - compiles a small program, runs it, and says where its calls are. Test code only.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/symbolize/symbolizer.h"

namespace liballoc::agent {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "liballoc-XXXXXX").string();
    path_ = std::filesystem::canonical(::mkdtemp(pattern.data())).string();
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return "";
  }
  std::string out;
  std::array<char, 4096> chunk;
  size_t n = 0;
  while ((n = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0) out.append(chunk.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << out;
  return out;
}

inline std::string read_file(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// target.cc.in compiled with `flags`, run once.
struct Target {
  TempDir dir;
  std::string binary, source;
  Module module;                          // as the kernel mapped it
  std::map<std::string, uint64_t> calls;  // function -> address inside its call of record()
  std::map<std::string, int64_t> lines;   // the lines marked LINE in the source

  explicit Target(const std::string& flags) {
    binary = dir.path() + "/target";
    source = dir.path() + "/target.cc";
    write_file(source, read_file(TEST_TARGET_SOURCE));
    run("cd " + dir.path() + " && " TEST_CXX " -O2 -Wl,--build-id -o target target.cc " + flags);
    std::istringstream text(read_file(source));
    std::string line;
    for (int64_t number = 1; std::getline(text, line); ++number) {
      const size_t at = line.find("// LINE ");
      if (at != std::string::npos) lines[line.substr(at + 8)] = number;
    }
    start();
    std::istringstream notes(run(TEST_READELF " -n " + binary));
    while (std::getline(notes, line)) {
      const size_t at = line.find("Build ID: ");
      if (at != std::string::npos) module.build_id = line.substr(at + 10);
    }
    EXPECT_EQ(module.build_id.size(), 40u);
  }

  void start() {
    std::istringstream out(run(binary + " " + binary));
    std::string word;
    while (out >> word) {
      if (word == "pc") {
        std::string name, pc;
        out >> name >> pc;
        calls[name] = std::stoull(pc, nullptr, 16) - 1;
      } else if (word == "map") {
        std::string range, mode, offset, device, inode;
        out >> range >> mode >> offset >> device >> inode >> module.path;
        const size_t dash = range.find('-');
        module.start = std::stoull(range.substr(0, dash), nullptr, 16);
        module.end = std::stoull(range.substr(dash + 1), nullptr, 16);
        module.file_offset = std::stoull(offset, nullptr, 16);
      }
    }
    EXPECT_EQ(calls.size(), 4u);
    EXPECT_EQ(module.path, binary);
    // GNU ld gives the text segment of this small program the same offset in file and memory.
    module.load_bias = module.start - module.file_offset;
    if (module.start < 0x1000000) module.load_bias = 0;  // not position-independent
  }

  // Where gdb and others look for the debug file of this build id below a debug directory.
  std::string debug_path(const std::string& directory) const {
    return directory + "/.build-id/" + module.build_id.substr(0, 2) + "/" +
           module.build_id.substr(2) + ".debug";
  }
  // Moves symbols and DWARF out of the binary into `debug_file`.
  void split_to(const std::string& debug_file) {
    std::filesystem::create_directories(std::filesystem::path(debug_file).parent_path());
    run(TEST_OBJCOPY " --only-keep-debug " + binary + " " + debug_file);
    run(TEST_STRIP " " + binary);
  }
};

// Without /usr/lib/debug of the machine.
inline SymbolizerOptions options_with(const std::vector<std::string>& debug_directories = {}) {
  SymbolizerOptions options;
  options.paths.debug_directories = debug_directories;
  return options;
}

}  // namespace liballoc::agent
