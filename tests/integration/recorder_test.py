#!/usr/bin/python3
# recorder_test.py - the ring and the tables of a segment tell the same story, whoever looks and however late.
# LIBALLOC_RECORDER_SECONDS=600 makes the long test long; without it, it takes 20 seconds.

import argparse
import os
import random
import re
import signal
import subprocess
import time

import harness

SECONDS = float(os.environ.get("LIBALLOC_RECORDER_SECONDS", "20"))


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
                    time.sleep(chance.random() * 0.15)  # how long it is away is what is varied here
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
    harness.main(parser)
