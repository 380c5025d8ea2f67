/* span_holder.c - a process with as many spans as asked for, of which some change every second. Run under liballoc by
 * collector_cost.py; must never touch the memory of its objects, so that a hundred of it fit in a small machine.
 *
 * usage: span_holder SPANS CHANGES    prints "ready" when it has them; ends with its standard input
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const size_t spans = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
  const size_t changes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
  void **held = calloc(spans, sizeof(*held));
  if (spans == 0 || held == NULL) return 2;
  /* Over the largest size class: a span each. Every second one is freed again, so that spans are of both kinds. */
  const size_t bytes = 40000;
  void **between = calloc(spans / 2 + 1, sizeof(*between));
  if (between == NULL) return 2;
  size_t n = 0, m = 0;
  while (n + m < spans) {
    held[n++] = malloc(bytes);
    if (n + m < spans) between[m++] = malloc(bytes);
  }
  for (size_t i = 0; i < m; i += 2) {
    free(between[i]); /* a free span between two in use: still a span */
  }
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 3;
  for (size_t next = 0;;) {
    struct pollfd end = {STDIN_FILENO, POLLIN, 0};
    if (poll(&end, 1, 1000) != 0) break;
    for (size_t i = 0; i < changes; i++, next = (next + 1) % n) {
      free(held[next]);
      held[next] = malloc(bytes);
    }
  }
  _exit(0);
}
