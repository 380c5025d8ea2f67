/* handoff.pml - tables and ring together, docs/segment.md "From changes to state": a consumer that takes the table and then the
 * events from the head that it fetched before has the state as of the last event. The record of one span is written (under its
 * sequence) before its event is told. MUTANT_EVENT_FIRST tells first; MUTANT_NO_SEQUENCE leaves the sequence even. */
#define CHANGES 4

byte sequence = 0, f1 = 0, f2 = 0; /* the record: both fields hold the number of changes */
byte count = 0;                    /* events told; event n says "n + 1 changes" and cannot be overrun here */

inline write_record(n) {
#ifndef MUTANT_NO_SEQUENCE
  sequence = sequence + 1;
#endif
  f1 = n;
  f2 = n;
#ifndef MUTANT_NO_SEQUENCE
  sequence = sequence + 1
#endif
}

active proctype Writer() {
  byte n = 0;
  do
  :: n < CHANGES ->
     n++;
#ifdef MUTANT_EVENT_FIRST
     count = n;
     write_record(n);
#else
     write_record(n);
     count = n;
#endif
  :: else -> break
  od
}

inline fetch(s, a, b) {
  got = 0;
  do
  :: !(got & 1) -> s = sequence; got = got | 1
  :: !(got & 2) -> a = f1; got = got | 2
  :: !(got & 4) -> b = f2; got = got | 4
  :: got == 7 -> break
  od
}

active proctype Consumer() {
  byte begin, end, state, got = 0;
  byte s1, a1, b1, s2, a2, b2;
  begin = count;
  do
  :: fetch(s1, a1, b1);
     fetch(s2, a2, b2);
     if
     :: s1 % 2 == 0 && s1 == s2 && a1 == a2 && b1 == b2 -> break
     :: else
     fi
  od;
  assert(a1 == b1);
  state = a1;
  end = count;
  /* Replay the events begin .. end - 1: the last one counts. */
  if
  :: end > begin -> state = end
  :: else
  fi;
  /* As of event `end`, or of the next, which is about to be told. */
  assert(state == end || state == end + 1)
}
