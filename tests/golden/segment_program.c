/* segment_program.c - the process whose last state is segment_v1_*.gz: known objects, a known thread, and a bad free at the
 * end. What it leaves is in tests/agent/reader/golden_segment_test.cc; must never allocate by chance (no stdio).
 */
#define LIBALLOC_LABELS_OPTIONAL
#include "liballoc/labels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { kSmall = 3000, kSmallFreed = 1000, kLarge = 5, kThread = 700 };

static void *small[kSmall];
static void *large[kLarge];
static void *of_thread[kThread];

static void *work(void *unused) {
  (void)unused;
  if (liballoc_set_label != NULL) liballoc_set_label("thread", "worker"); /* from minor version 2 on */
  for (int i = 0; i < kThread; i++) of_thread[i] = malloc(3000);
  return NULL;
}

int main(void) {
  for (int i = 0; i < kSmall; i++) small[i] = malloc(1200);
  for (int i = 0; i < kSmallFreed; i++) free(small[i]);
  for (int i = 0; i < kLarge; i++) large[i] = malloc(1u << 20);
  memset(large[0], 1, 1u << 20);
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0 || pthread_join(thread, NULL) != 0) return 1;
  free(large[1]);
  free(large[1]); /* the fault that ends it: the segment stays */
  return 2;
}
