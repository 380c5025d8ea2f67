/* ring.pml - the ring of docs/segment.md: one writer, one reader, every interleaving of single words. Checked: a record that the
 * reader accepts is whole and the one it expected, and delivered + missed is its position. Must follow telemetry/ring.h and
 * agent/reader/ring_reader.cc. MUTANT_NO_ZERO leaves out the writer's first store, MUTANT_ONE_FETCH the reader's second fetch. */
#define CAPACITY 2
#define EVENTS 5

byte seq[CAPACITY], f1[CAPACITY], f2[CAPACITY];
byte count = 0;
bool done = false;

active proctype Writer() {
  byte n = 0;
  do
  :: n < EVENTS ->
#ifndef MUTANT_NO_ZERO
     seq[n % CAPACITY] = 0;
#endif
     f1[n % CAPACITY] = n + 1;
     f2[n % CAPACITY] = n + 1;
     seq[n % CAPACITY] = n + 1;
     count = n + 1;
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
  byte p = 0, head, delivered = 0, missed = 0, got = 0;
  byte a1, b1, c1, a2, b2, c2;
  do
  :: head = count;
     assert(head >= p);
     if
     :: head - p > CAPACITY -> missed = missed + (head - CAPACITY - p); p = head - CAPACITY
     :: else
     fi;
     do
     :: p < head ->
        fetch(p % CAPACITY, a1, b1, c1);
#ifdef MUTANT_ONE_FETCH
        a2 = a1; b2 = b1; c2 = c1;
#else
        fetch(p % CAPACITY, a2, b2, c2);
#endif
        if
        :: a1 == p + 1 && a1 == a2 && b1 == b2 && c1 == c2 ->
           assert(b1 == p + 1 && c1 == p + 1);
           delivered++
        :: else -> missed++
        fi;
        p++
     :: else -> break
     od;
     assert(delivered + missed == p)
  :: done && p == EVENTS -> break
  od;
  assert(delivered + missed == EVENTS)
}
