// limit_scenarios.cc - programs with little address space or memory, without descriptors, and with other rights or another root
// than they began with. Each runs in a child, so that what it gives up is given up there only.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/threads/scenario.h"

namespace scenario {

namespace {

// Runs `body` in a child that ends with exit(0) when it returns.
template <typename Body>
void in_child(Body body) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    body();
    exit(0);
  }
  const int code = wait_for(child);
  if (code == kSkipped) skip("see above");
  CHECK(code == 0);
}

void write_file(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  CHECK(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(fd);
}

// Takes memory until there is no more; every block is written to. It must end with ENOMEM and a heap that works.
void use_up_memory() {
  std::vector<Block> blocks;
  blocks.reserve(1 << 16);
  Sizes sizes(3);
  while (blocks.size() < blocks.capacity()) {
    const size_t bytes = blocks.size() % 4 == 0 ? 1 << 20 : sizes.next();
    errno = 0;
    auto* data = static_cast<unsigned char*>(malloc(bytes));
    if (data == nullptr) {
      CHECK(errno == ENOMEM);
      break;
    }
    memset(data, static_cast<int>(blocks.size() & 255), bytes);
    blocks.push_back({data, bytes, blocks.size() & 255});
  }
  CHECK(blocks.size() < blocks.capacity());
  for (const Block& block : blocks) {
    CHECK(block.data[0] == block.stamp && block.data[block.bytes - 1] == block.stamp);
    free(block.data);
  }
  void* again = malloc(1 << 20);
  CHECK(again != nullptr || blocks.size() < 8);
  free(again);
}

}  // namespace

#ifdef SCENARIO_STATIC
// glibc's start code of a static program follows a null pointer when the very first malloc fails, as it does until an arena
// of 64 MiB fits.
constexpr rlim_t kLeastMib = 112;
#else
constexpr rlim_t kLeastMib = 48;
#endif

void little_address_space() {
  // From the start of a program: the loader and libc need some, too. Under 48 MiB the image itself does not fit and the
  // kernel or the loader ends the program; from there on it must run or be told ENOMEM. Nothing else, a crash least of all.
  int ran = 0, refused = 0;
  for (rlim_t mib = kLeastMib; mib <= 1024; mib += mib < 128 ? 4 : 32) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      const rlimit limit = {mib << 20, mib << 20};
      if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(98);
      execl(kSelf, "scenario", "frugal", nullptr);
      _exit(98);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == kFrugalDone) ran++;
    else refused++;
    if (code == kFrugalDone || (code == kFrugalRefused && mib < 128)) continue;
    fprintf(stderr, "RLIMIT_AS %lu MiB: wait status %#x\n", static_cast<unsigned long>(mib), status);
    CHECK(code == kFrugalDone);
  }
  CHECK(ran > 0);
  fprintf(stderr, "ran under %d limits, was refused under %d\n", ran, refused);
  // And a program that meets the limit while it runs.
  for (rlim_t more : {16, 40, 64, 100, 200}) {
    in_child([more] {
      churn(1, 1000);
      FILE* stream = fopen("/proc/self/statm", "re");
      CHECK(stream != nullptr);
      unsigned long pages = 0;
      CHECK(fscanf(stream, "%lu", &pages) == 1);
      fclose(stream);
      const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (more << 20);
      const rlimit limit = {bytes, bytes};
      CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
      use_up_memory();
    });
  }
}

void all_descriptors_closed() {
  in_child([] {
    churn(1, 1000);
    for (int fd = 3; fd < 4096; fd++) close(fd);
    churn(2, 5000);
    closefrom(0);
    churn(3, 5000);
    std::thread([] { churn(4, 5000); }).join();
    // Numbers 0, 1, 2 are the program's again: the allocator must neither hold nor write to one.
    CHECK(open("/dev/null", O_RDWR) == 0);
    CHECK(open("/dev/null", O_RDWR) == 1);
    CHECK(open("/dev/null", O_RDWR) == 2);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      closefrom(0);
      churn(5, 5000);
      CHECK(open("/dev/null", O_RDWR) == 0);
      _exit(7);
    }
    CHECK(wait_for(child) == 7);
    if (getenv("LIBALLOC_SHM_DIR") != nullptr) {
      const std::vector<std::string> own = segments(getpid());
      CHECK(own.size() == 1 && exit_state_of(own[0]) == 0);
    }
  });
}

void another_user() {
  if (getuid() != 0) skip("only root can become another user");
  in_child([] {
    churn(1, 1000);
    CHECK(setgroups(0, nullptr) == 0);
    CHECK(setgid(65534) == 0);
    CHECK(setuid(65534) == 0);
    churn(2, 20000);
    std::thread([] { churn(3, 5000); }).join();
    const pid_t child = fork();  // its segment is the new user's
    CHECK(child >= 0);
    if (child == 0) {
      churn(4, 20000);
      for (const std::string& segment : segments(getpid())) {
        struct stat status;
        CHECK(stat(segment.c_str(), &status) == 0 && status.st_uid == 65534);
      }
      exit(7);
    }
    CHECK(wait_for(child) == 7);
  });
}

void another_root() {
  if (getuid() != 0) skip("only root can change its root directory");
  char root[] = "/tmp/liballoc-scenario.XXXXXX";
  CHECK(mkdtemp(root) != nullptr);
  in_child([&root] {
    churn(1, 1000);
    if (chroot(root) != 0) skip("chroot is not permitted here");
    CHECK(chdir("/") == 0);
    churn(2, 20000);
    std::thread([] { churn(3, 5000); }).join();
    const pid_t child = fork();  // there is no segment directory any more
    CHECK(child >= 0);
    if (child == 0) {
      churn(4, 20000);
      exit(7);
    }
    CHECK(wait_for(child) == 7);
  });
  CHECK(rmdir(root) == 0);  // nothing was left in it
}

void memory_control_group() {
  const std::string group = "/sys/fs/cgroup/memory/liballoc-scenario." + std::to_string(getpid());
  if (mkdir(group.c_str(), 0755) != 0) skip("no memory control group can be made here (version 1, as root)");
  write_file(group + "/memory.limit_in_bytes", std::to_string(96 << 20));
  const auto start = [&group](void (*body)()) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      write_file(group + "/cgroup.procs", std::to_string(getpid()));
      body();
      exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
  };
  // 40 MiB at once, many times over, in small and in large pieces: what is freed must serve again or be given back.
  const int within = start([] {
    for (uint64_t round = 0; round < 20; round++) {
      std::vector<Block> blocks;
      Sizes sizes(round);
      for (size_t bytes = 0; bytes < (40 << 20); bytes += blocks.back().bytes) {
        blocks.push_back(make_block(round % 2 == 0 ? sizes.next() : 100000 + round * 4096, sizes.number()));
      }
      for (Block& block : blocks) end_block(block);
    }
    fprintf(stderr, "resident at the end: %ld KiB\n", resident_kib());
  });
  // Beyond the limit the kernel ends the process, as it does under any allocator that does not touch memory for it.
  const int beyond = start([] {
    for (uint64_t i = 0; i < 300; i++) static_cast<void>(make_block(1 << 20, i));
  });
  for (int i = 0; i < 200 && rmdir(group.c_str()) != 0; i++) usleep(10000);
  CHECK(within == 0);
  CHECK(WIFSIGNALED(beyond) && WTERMSIG(beyond) == SIGKILL);
}

void transparent_huge_pages() {
  // The setting is the machine's; what a process can do is turn it off for itself. Both must work, before and after use.
  const int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
  if (fd < 0) skip("this kernel has no transparent huge pages");
  char setting[64] = {};
  CHECK(read(fd, setting, sizeof setting - 1) > 0);
  close(fd);
  fprintf(stderr, "transparent huge pages: %s", setting);
  for (int disable = 0; disable < 2; disable++) {
    in_child([disable] {
      CHECK(prctl(PR_SET_THP_DISABLE, disable, 0, 0, 0) == 0);
      churn(1, 5000);
      std::vector<Block> blocks;
      for (uint64_t i = 0; i < 64; i++) blocks.push_back(make_block(3 << 20, i));
      for (Block& block : blocks) end_block(block);
      churn(2, 20000);
    });
  }
}

}  // namespace scenario
