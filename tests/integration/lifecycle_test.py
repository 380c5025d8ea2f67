#!/usr/bin/python3
# lifecycle_test.py - what becomes of segments when processes are killed, exit, fork, exec, or are many.
# Uses a real agent where it matters what the agent makes of it; the programs are Debian's own and truth.cc.

import argparse
import os
import signal
import subprocess
import time

import harness


class LifecycleTest(harness.IntegrationTest):
    def test_clean_exit_removes_the_segment(self):
        talk = self.sleeper()
        self.only_segment(talk.pid)
        talk.finish()
        self.assertEqual(os.listdir(self.shm), [])

    def test_keep_segment_keeps_it_and_the_agent_says_exited(self):
        talk = self.sleeper(LIBALLOC_KEEP_SEGMENT="1")
        talk.finish()
        self.only_segment(talk.pid)
        agent = self.start_agent()
        agent.wait_for(talk.pid, "PROCESS_STATE_EXITED")

    def test_sigkill_leaves_the_last_state_to_be_pulled(self):
        agent = self.start_agent()
        talk = self.sleeper(LIBALLOC_SAMPLE_RATE="4096")
        agent.wait_for(talk.pid)
        before = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        status, profile_before, _ = agent.get("/processes/%d/debug/pprof/heap" % talk.pid)
        self.assertEqual(status, 200)
        talk.process.kill()
        talk.process.wait()
        self.only_segment(talk.pid)
        entry = agent.wait_for(talk.pid, "PROCESS_STATE_KILLED")
        self.assertIn("exitTime", entry)
        after = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        for field in ("mallocs", "frees", "heapAlloc", "samplesTaken"):
            self.assertEqual(int(after[field]), int(before[field]), field)
        status, profile_after, headers = agent.get("/processes/%d/debug/pprof/heap" % talk.pid)
        self.assertEqual((status, headers["Content-Type"]), (200, "application/octet-stream"))
        self.assertEqual(self.totals(profile_after, "after"), self.totals(profile_before, "before"))

    def totals(self, profile, name):
        """Sample lines of a profile as go tool pprof shows them."""
        path = os.path.join(self.dir, name + ".pb.gz")
        with open(path, "wb") as stream:
            stream.write(profile)
        env = harness.clean_env(HOME=self.dir, PPROF_TMPDIR=self.dir)
        text = subprocess.run(["/usr/bin/go", "tool", "pprof", "-raw", path], env=env, check=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=harness.DEADLINE_S).stdout.decode()
        samples = text.split("Samples:\n", 1)[1].split("Locations\n", 1)[0]
        self.assertGreater(len(samples.splitlines()), 3)
        return samples

    def test_an_agent_started_after_the_kill_shows_it_too(self):
        talk = self.sleeper()
        talk.process.kill()
        talk.process.wait()
        agent = self.start_agent()
        agent.wait_for(talk.pid, "PROCESS_STATE_KILLED")
        self.assertGreater(int(agent.allocctl_json("stats", str(talk.pid))["memstats"]["heapAlloc"]), 200000)

    def test_segments_of_the_dead_go_away_after_their_time(self):
        agent = self.start_agent("--retain-exited", "1s")
        talk = self.sleeper()
        agent.wait_for(talk.pid)
        talk.process.kill()
        talk.process.wait()
        harness.poll("the segment's removal", lambda: not harness.segments(self.shm))
        harness.poll("the agent to forget it", lambda: talk.pid not in agent.pids())

    def test_fork_children_have_segments_of_their_own(self):
        talk = self.sleeper("(t=$s$s; echo child $BASHPID; read line; echo bye) ; read line")
        child = int(talk.read_until("child")[-1].split()[1])
        self.assertNotEqual(self.only_segment(talk.pid), self.only_segment(child))
        agent = self.start_agent()
        entry = agent.wait_for(child)
        self.assertEqual(int(entry["forkedFrom"]), talk.pid)
        self.assertEqual(int(agent.wait_for(talk.pid).get("forkedFrom", 0)), 0)
        # Nothing in the parent's segment moves while only the child works.
        before = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        talk.process.stdin.write(b"\n")
        talk.process.stdin.flush()
        talk.read_until("bye")
        harness.poll("the child's segment to go", lambda: not harness.segments(self.shm, child))
        self.only_segment(talk.pid)
        after = agent.allocctl_json("stats", str(talk.pid))["memstats"]
        self.assertGreaterEqual(int(after["mallocs"]), int(before["mallocs"]))

    def test_exec_retires_the_old_segment(self):
        agent = self.start_agent()
        talk = self.sleeper("read line; exec /usr/bin/perl -e 'my @a = map { $_ x 9 } 1 .. 9999; $| = 1; print qq(rest\\n); <>'")
        first = agent.wait_for(talk.pid)
        self.assertTrue(first["executable"].endswith("/bash"), first["executable"])
        talk.process.stdin.write(b"\n")
        talk.process.stdin.flush()
        talk.read_until("rest")
        agent.wait_for(talk.pid, executable="/perl")
        harness.poll("the old program to be over", lambda: sum(
            p["ref"]["pid"] == talk.pid and p["ref"]["state"] == "PROCESS_STATE_RUNNING" for p in agent.processes()) == 1)
        self.only_segment(talk.pid)
        talk.finish()
        self.assertEqual(harness.segments(self.shm), [])

    def test_without_an_agent_starting_processes_clear_old_segments_away(self):
        # What is young, and the 16 newest, stay as evidence: so say docs/usage.md and janitor.h.
        def kill_one():
            victim = subprocess.Popen(["/bin/sleep", "60"], env=harness.preload_env(self.options.library, self.shm))
            harness.poll("its segment", lambda: any(map(harness.is_complete, harness.segments(self.shm, victim.pid))))
            victim.kill()
            victim.wait()
            return self.only_segment(victim.pid)
        for round_number in range(20):
            harness.grow_old(kill_one(), 3600 - round_number)
        # One start in sixteen cleans: that none of 800 does is a matter of 10^-22.
        starts = 0
        while len(harness.segments(self.shm)) > 16 and starts < 800:
            subprocess.run(["/bin/true"], env=harness.preload_env(self.options.library, self.shm), check=True)
            starts += 1
        self.assertEqual(len(harness.segments(self.shm)), 16)
        young = [kill_one() for _ in range(20)]
        for path in young:
            self.assertTrue(os.path.exists(path), "a segment of a process that has just been killed was removed")

    def test_a_stopped_agent_delays_nobody(self):
        agent = self.start_agent()
        plain = self.sleeper()
        agent.wait_for(plain.pid)
        agent.process.send_signal(signal.SIGSTOP)
        try:
            start = time.monotonic()
            other = self.sleeper()
            self.assertEqual(other.finish(), 1)  # `read` at the end of its input
            self.assertLess(time.monotonic() - start, harness.DEADLINE_S)
        finally:
            agent.process.send_signal(signal.SIGCONT)
        self.assertEqual(plain.finish(), 1)

    def test_agent_ends_cleanly_and_a_second_one_takes_over(self):
        talk = self.sleeper()
        first = self.start_agent()
        before = first.wait_for(talk.pid)
        self.assertEqual(first.stop(), 0, first.log())
        second = self.start_agent()
        self.assertEqual(second.wait_for(talk.pid)["ref"]["key"], before["ref"]["key"])
        talk.finish()


if __name__ == "__main__":
    harness.main(argparse.ArgumentParser())
