#!/usr/bin/python3
# recorder_test.py - the ring and the tables of a segment tell the same story, whoever looks and however late.
# RECORDER_TEST_SECONDS=600 makes the long test long; without it, it takes 20 seconds.

import argparse
import os
import random
import re
import signal
import struct
import subprocess
import time

import harness

SECONDS = float(os.environ.get("RECORDER_TEST_SECONDS", "20"))


class RecorderTest(harness.IntegrationTest):
    def segment_of(self, pid):
        return harness.poll("the segment", lambda: [s for s in harness.segments(self.shm, pid) if harness.is_complete(s)])[0]

    def follow(self, segment, mode):
        follower = subprocess.Popen([self.options.replay, segment, mode], env=harness.clean_env(), stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE)
        self.addCleanup(self.end, follower)
        return follower

    def end(self, follower):
        if follower.poll() is None:
            follower.kill()
        follower.wait()
        follower.stdin.close()
        follower.stdout.close()

    def check(self, follower):
        """The follower's figures, when what it replayed is what the tables show."""
        follower.stdin.write(b"c")
        follower.stdin.flush()
        line = follower.stdout.readline().decode()
        if not line.startswith("ok "):
            raise AssertionError(line + follower.stdout.read().decode())
        return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", line)}

    def test_replayed_from_the_start_the_ring_leads_to_the_tables(self):
        # One thread and few rounds: less than the ring holds between two readings.
        talk = self.converse([self.options.turmoil, "2", "150"], LIBALLOC_SAMPLE_RATE=4096)
        segment = self.segment_of(talk.pid)
        follower = self.follow(segment, "from-start")
        for _ in range(4):
            talk.read_until("rest ")
            figures = self.check(follower)
            talk.go_on()
        self.assertEqual(figures["missed"], 0)
        self.assertEqual(figures["resyncs"], 0)
        self.assertGreater(figures["events"], 1000)
        self.assertGreater(figures["spans"], 50)
        self.assertGreater(figures["samples"], 50)

    def sections(self, segment):
        """{kind: [(offset, stride, count)]} of a segment."""
        found = {}
        with open(segment, "rb") as stream:
            offset, stride, count = struct.unpack_from("<IIQ", stream.read(256), 32)
            for entry in range(count):
                stream.seek(offset + entry * stride)
                kind, _, start, bytes_each, _, used = struct.unpack("<IIQIIQ", stream.read(32))
                found.setdefault(kind, []).append((start, bytes_each, used))
        return found

    def records(self, segment, kind, words):
        """The first `words` 64-bit words of each record of a section."""
        with open(segment, "rb") as stream:
            for start, stride, count in self.sections(segment)[kind]:
                for number in range(count):
                    stream.seek(start + number * stride)
                    yield struct.unpack("<%dQ" % words, stream.read(8 * words))

    def test_the_peak_profile_is_of_the_highest_heap(self):
        script = "x = [bytearray(1 << 20) for _ in range(64)]; del x; print('rest 0', flush=True); input()"
        talk = self.converse(["/usr/bin/python3", "-c", script], LIBALLOC_SAMPLE_RATE=1)
        talk.read_until("rest ")
        segment = self.segment_of(talk.pid)
        memstats = next(self.records(segment, 2, 50))
        trigger, generation, inuse = memstats[46:49]
        self.assertGreater(generation, 8)
        self.assertGreater(inuse, 60 << 20)
        self.assertGreater(trigger, inuse)
        self.assertGreaterEqual(trigger, memstats[26])  # peak_heap_inuse
        half = generation % 2
        then = sum(r[4 + half] for r in self.records(segment, 13, 6) if r[half] == generation)
        now = sum(r[4] - r[6] for r in self.records(segment, 7, 7))
        self.assertGreater(then, now + (58 << 20))
        self.assertLessEqual(then, inuse)

    def test_children_of_children_never_write_into_their_parents_segment(self):
        for how in ("fork", "raw"):
            with self.subTest(how=how):
                talk = self.converse([self.options.forker, how])
                talk.read_until("ready")
                segment = self.segment_of(talk.pid)
                before = self.contents(segment)
                talk.go_on()
                child, grandchild = map(int, talk.read_until("forked")[-1].split()[1:])
                # The parent made the child and waits since; both descendants have allocated and are still there.
                self.assertEqual(len(harness.segments(self.shm, child)), 1)
                self.assertEqual(len(harness.segments(self.shm, grandchild)), 1)
                self.assertEqual(self.contents(segment), before)
                talk.finish()

    def test_a_forked_childs_own_segment_is_safe_from_its_children_too(self):
        # The child made its segment after a fork: another way through the library than the first process's.
        for how in ("own", "own-raw"):
            with self.subTest(how=how):
                talk = self.converse([self.options.forker, how])
                talk.read_until("ready")
                talk.go_on()
                child = int(talk.read_until("allocated")[-1].split()[1])
                segment = self.segment_of(child)
                before = self.contents(segment)
                talk.go_on()
                grandchild = int(talk.read_until("forked")[-1].split()[2])
                self.assertEqual(len(harness.segments(self.shm, grandchild)), 1)
                self.assertEqual(self.contents(segment), before)
                talk.finish()

    def contents(self, segment):
        """All of a segment that means anything."""
        with open(segment, "rb") as stream:
            return stream.read(struct.unpack_from("<Q", stream.read(256), 24)[0])

    def test_paused_and_restarted_consumers_find_back(self):
        talk = self.converse([self.options.turmoil, "8", "0"], LIBALLOC_SAMPLE_RATE=16384)
        segment = self.segment_of(talk.pid)
        chance = random.Random(4711)
        follower = self.follow(segment, "resync")
        resyncs = rests = restarts = followed = 0
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for _ in range(chance.randrange(1, 5)):
                choice = chance.randrange(4)
                if choice == 0:
                    self.end(follower)
                    follower = self.follow(segment, "resync")
                    restarts += 1
                else:
                    follower.send_signal(signal.SIGSTOP)
                    time.sleep(chance.random() * 0.05)  # how long it is away is what is varied here
                    follower.send_signal(signal.SIGCONT)
            talk.go_on()  # asks for rest
            talk.read_until("rest ")
            figures = self.check(follower)
            resyncs += figures["resyncs"]
            followed += figures["applied"] > 100
            rests += 1
            talk.go_on()
        print("%d rests, %d after which the ring was followed, %d restarts, %d resyncs, last: %s" %
              (rests, followed, restarts, resyncs, figures))
        self.assertGreater(rests, 3)
        self.assertGreater(followed, rests // 4, "tables alone were looked at: the test shows nothing")
        self.assertGreater(resyncs, rests // 2, "the ring was never overrun: the test shows nothing")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--turmoil", required=True)
    parser.add_argument("--replay", required=True)
    parser.add_argument("--forker", required=True)
    harness.main(parser)
