// child_process.h - a real process that holds a segment's lock the way the library does: through
// its mapping alone.
//
// The child only makes system calls after fork, so it works in a process with threads. Never leaves
// a child behind.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

class ChildProcess {
 public:
  // Starts a child that opens the segment, locks it, maps it, closes the descriptor and waits. It
  // ends by itself at finish(exit_state), which it writes into the header first, and unlinks the
  // name `unlink_at_end` then, unless that is empty.
  ChildProcess(const std::string& path, const std::string& unlink_at_end) {
    int to_parent[2];
    int to_child[2];
    EXPECT_EQ(::pipe2(to_parent, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(to_child, O_CLOEXEC), 0);
    pid_ = ::fork();
    EXPECT_GE(pid_, 0);
    if (pid_ == 0) run(path.c_str(), unlink_at_end.c_str(), to_parent[1], to_child[0]);
    ::close(to_parent[1]);
    ::close(to_child[0]);
    command_fd_ = to_child[1];
    char ready = 0;
    EXPECT_EQ(::read(to_parent[0], &ready, 1), 1) << "the child did not get its lock";
    ::close(to_parent[0]);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    if (pid_ > 0) kill();
    ::close(command_fd_);
  }

  void kill() {
    ::kill(pid_, SIGKILL);
    reap();
  }
  void finish(uint8_t exit_state) {
    EXPECT_EQ(::write(command_fd_, &exit_state, 1), 1);
    reap();
  }

 private:
  void reap() {
    EXPECT_EQ(::waitpid(pid_, nullptr, 0), pid_);
    pid_ = -1;
  }

  [[noreturn]] static void run(const char* path, const char* unlink_at_end, int ready_fd,
                               int command_fd) {
    const int fd = ::open(path, O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fd < 0 || ::fcntl(fd, F_OFD_SETLK, &lock) != 0) ::_exit(3);
    void* map = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) ::_exit(4);
    ::close(fd);
    char command = 'r';
    if (::write(ready_fd, &command, 1) != 1 || ::read(command_fd, &command, 1) != 1) ::_exit(5);
    static_cast<liballoc_abi_header*>(map)->exit_state = static_cast<uint8_t>(command);
    if (unlink_at_end[0] != '\0') ::unlink(unlink_at_end);
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int command_fd_ = -1;
};

}  // namespace liballoc::agent
