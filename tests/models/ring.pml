/* ring.pml - the ring of docs/segment.md: one writer, one reader, every interleaving of single words. Checked: a record that the
 * reader accepts is whole and the one it expected, delivered + missed is its position, and nothing that the ring holds is missed for
 * its growing. Must follow telemetry/ring.h and agent/reader/ring_reader.cc. MUTANT_NO_ZERO leaves out the writer's first store,
 * MUTANT_ONE_FETCH the reader's second fetch, MUTANT_ROUND_FIRST fetches the round before the count. */
#define CAPACITY 3
#define EVENTS 5

byte seq[CAPACITY], f1[CAPACITY], f2[CAPACITY];
byte count = 0;
byte round = 2;     /* start << 4 | records, one word */
byte writing = 0;   /* the event that is being written + 1 */
bool done = false;

active proctype Writer() {
  byte n = 0, slot = 0, records = 2;
  do
  :: n < EVENTS ->
     if
     :: slot == records && records < CAPACITY -> round = (n - records) << 4 | (records + 1); records++
     :: slot == records -> slot = 0
     :: else
     fi;
     writing = n + 1;
#ifndef MUTANT_NO_ZERO
     seq[slot] = 0;
#endif
     f1[slot] = n + 1;
     f2[slot] = n + 1;
     seq[slot] = n + 1;
     count = n + 1;
     slot++;
     n++
  :: else -> break
  od;
  done = true
}

/* Words of one fetch come in any order: a copy in the kernel promises none. */
inline fetch(s, a, b, c) {
  got = 0;
  do
  :: !(got & 1) -> a = seq[s]; got = got | 1
  :: !(got & 2) -> b = f1[s]; got = got | 2
  :: !(got & 4) -> c = f2[s]; got = got | 4
  :: got == 7 -> break
  od
}

active proctype Reader() {
  byte p = 0, head, word, start, records, oldest, delivered = 0, missed = 0, got = 0;
  byte a1, b1, c1, a2, b2, c2;
  do
  ::
#ifdef MUTANT_ROUND_FIRST
     word = round; head = count;
#else
     head = count; word = round;
#endif
     start = word >> 4;
     records = word & 15;
     assert(head >= p);
     oldest = (head > records -> head - records : 0);
     if
     :: start > oldest -> oldest = start
     :: else
     fi;
     if
     :: oldest > head -> oldest = head
     :: else
     fi;
     if
     :: oldest > p -> missed = missed + (oldest - p); p = oldest
     :: else
     fi;
     do
     :: p < head ->
        fetch((p - start) % records, a1, b1, c1);
#ifdef MUTANT_ONE_FETCH
        a2 = a1; b2 = b1; c2 = c1;
#else
        fetch((p - start) % records, a2, b2, c2);
#endif
        if
        :: a1 == p + 1 && a1 == a2 && b1 == b2 && c1 == c2 ->
           assert(b1 == p + 1 && c1 == p + 1);
           delivered++
        :: else ->
           /* Of two records or more, only what a writer came to since is gone. */
           assert(writing > p + 2);
           missed++
        fi;
        p++
     :: else -> break
     od;
     assert(delivered + missed == p)
  :: done && p == EVENTS -> break
  od;
  assert(delivered + missed == EVENTS)
}
