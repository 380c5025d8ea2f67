// labels_test.cc - <liballoc/labels.h> as a program uses it: results, errno, scopes.
#include "liballoc/labels.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace {

std::string value_of(const char* key) {
  char value[LIBALLOC_LABEL_VALUE_MAX + 1];
  return liballoc_get_label(key, value, sizeof(value)) < 0 ? "errno " + std::to_string(errno) : value;
}
const std::string kNone = "errno " + std::to_string(ENOENT);

TEST(LabelsApiTest, ResultsAreZeroOrMinusOneWithErrno) {
  errno = 0;
  EXPECT_EQ(liballoc_set_label("tenant", "acme"), 0);
  EXPECT_EQ(errno, 0);
  EXPECT_EQ(value_of("tenant"), "acme");
  EXPECT_EQ(liballoc_set_label("", "acme"), -1);
  EXPECT_EQ(errno, EINVAL);
  char small[2];
  EXPECT_EQ(liballoc_get_label("tenant", small, sizeof(small)), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(liballoc_clear_labels(), 0);
  EXPECT_EQ(value_of("tenant"), kNone);
}

TEST(LabelsApiTest, AScopeRestoresWhatWasThere) {
  {
    const liballoc::ScopedLabel outer("tenant", "acme");
    {
      const liballoc::ScopedLabel inner("tenant", "globex");
      const liballoc::ScopedLabel refused("", "x");
      const liballoc::ScopedLabel endpoint("endpoint", "/api");
      EXPECT_EQ(value_of("tenant"), "globex");
      EXPECT_EQ(value_of("endpoint"), "/api");
    }
    EXPECT_EQ(value_of("tenant"), "acme");
    EXPECT_EQ(value_of("endpoint"), kNone);
    {
      const liballoc::ScopedLabel none("tenant", nullptr);
      EXPECT_EQ(value_of("tenant"), kNone);
    }
    EXPECT_EQ(value_of("tenant"), "acme");
  }
  EXPECT_EQ(value_of("tenant"), kNone);
}

TEST(LabelsApiTest, TheChildOfAForkKeepsThoseOfItsThread) {
  const liballoc::ScopedLabel label("tenant", "acme");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool kept = value_of("tenant") == "acme" && liballoc_set_label("tenant", "globex") == 0;
    _exit(kept ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(value_of("tenant"), "acme");
}

// Destructors of thread-specific data run in rounds: in the first the library's own may come before this one.
constinit thread_local int t_late_error = 0;
pthread_key_t g_key;
void late(void* rounds) {
  if (reinterpret_cast<uintptr_t>(rounds) > 1) {
    pthread_setspecific(g_key, reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(rounds) - 1));
    return;
  }
  t_late_error = liballoc_set_label("tenant", "late") == 0 ? 0 : errno;
  EXPECT_EQ(t_late_error, ESRCH);
  EXPECT_EQ(value_of("tenant"), kNone);
}

TEST(LabelsApiTest, AThreadThatEndsIsToldThatItDoes) {
  ASSERT_EQ(pthread_key_create(&g_key, late), 0);
  std::thread([] {
    ASSERT_EQ(liballoc_set_label("tenant", "acme"), 0);
    pthread_setspecific(g_key, reinterpret_cast<void*>(3));
  }).join();
  pthread_key_delete(g_key);
}

}  // namespace
