#!/usr/bin/python3
# crowd_test.py - thousands of short processes leave behind what is documented and no more, in the directory and in the agent.
# CROWD_TEST_PROCESSES=10000 makes the crowd larger. Must never measure how fast anything is.

import argparse
import collections
import os
import subprocess

import harness

PROCESSES = int(os.environ.get("CROWD_TEST_PROCESSES", "400"))
PER_ROUND = 5
CLEAN_ROUND = "/bin/true; (exit 4); /bin/echo $i | /usr/bin/sort; /bin/false"
KILLED_ROUND = "/bin/true; (exec /bin/echo); (:); /bin/false; /bin/bash -c 'kill -9 $$'"
# What a start that cleans leaves (docs/usage.md), and what comes until the next: one start in sixteen cleans, and that none of 350
# does is a matter of 10^-10. Of the starts of a round with a kill, that is one in four or fewer.
KEPT_AT_MOST = 64 + 350
KILLED_AT_MOST = 64 + 350 // 4
DEAD_AT_LEAST = 16
ENDED_AT_MOST = 256  # docs/usage.md, --retain-exited
# Room for the agent's own heap to breathe; 256 small snapshots are about 14 MiB, 2000 are above 100 MiB.
MARGIN_KIB = 8192


class CrowdTest(harness.IntegrationTest):
    def run_crowd(self, processes, each_round, **env):
        """Runs that many processes, one after the other; what they said on standard error."""
        script = "for ((i = 0; i < %d; i++)); do %s; done" % (processes // PER_ROUND, each_round)
        done = subprocess.run(["/bin/bash", "-c", script], env=harness.preload_env(self.options.library, self.shm, **env),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=900, check=False)
        return done.stderr.decode()

    def resident_kib(self, agent):
        with open("/proc/%d/status" % agent.process.pid, encoding="ascii") as stream:
            return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS:"))

    def states(self, agent):
        return collections.Counter(p["ref"]["state"] for p in agent.processes())

    def crowd_in_two_parts(self, agent, each_round, **env):
        """The agent's resident memory after a fifth of the crowd and after all of it."""
        self.run_crowd(PROCESSES // 5, each_round, **env)
        first_states, first = self.states(agent), self.resident_kib(agent)
        self.run_crowd(PROCESSES - PROCESSES // 5, each_round, **env)
        last_states, last = self.states(agent), self.resident_kib(agent)
        print("after %d processes: %d KiB resident, %s; after %d: %d KiB, %s; %d segments" %
              (PROCESSES // 5, first, dict(first_states), PROCESSES, last, dict(last_states), len(os.listdir(self.shm))))
        self.assertEqual(last_states["PROCESS_STATE_RUNNING"], 0, "all of them have ended")
        return first, last

    def test_without_an_agent_clean_processes_leave_nothing(self):
        self.assertEqual(self.run_crowd(PROCESSES, CLEAN_ROUND), "")
        self.assertEqual(os.listdir(self.shm), [])

    def test_without_an_agent_killed_processes_leave_the_last_evidence_alone(self):
        # 16 stay however many there are; one start in sixteen clears away.
        self.run_crowd(PROCESSES // 2, KILLED_ROUND)
        self.assertLessEqual(len(os.listdir(self.shm)), KILLED_AT_MOST)
        self.assertGreaterEqual(len(os.listdir(self.shm)), DEAD_AT_LEAST)

    def test_an_agent_forgets_a_crowd_of_clean_processes(self):
        agent = self.start_agent("--retain-exited", "1s")
        first, last = self.crowd_in_two_parts(agent, CLEAN_ROUND)
        self.assertEqual(os.listdir(self.shm), [])
        harness.poll("the agent to forget all of them", lambda: not agent.processes())
        self.assertEqual(agent.get("/healthz")[0], 200)
        self.assertLess(last - first, MARGIN_KIB)

    def test_an_agent_removes_the_segments_of_a_crowd_of_killed_processes(self):
        agent = self.start_agent("--retain-exited", "1s")
        self.run_crowd(PROCESSES // 5, KILLED_ROUND)
        harness.poll("the agent to forget all of them", lambda: not agent.processes())
        self.assertEqual(os.listdir(self.shm), [])

    def test_an_agent_that_retains_a_crowd_does_so_within_bounds(self):
        # Kept segments are all seen. The directory holds what the janitor leaves, the agent what it has room for.
        agent = self.start_agent()
        first, last = self.crowd_in_two_parts(agent, CLEAN_ROUND, LIBALLOC_KEEP_SEGMENT="1")
        self.assertLessEqual(len(os.listdir(self.shm)), KEPT_AT_MOST)
        harness.poll("the surplus to be forgotten", lambda: len(agent.processes()) <= ENDED_AT_MOST)
        self.assertGreater(len(agent.processes()), DEAD_AT_LEAST)
        self.assertLess(last - first, MARGIN_KIB)


if __name__ == "__main__":
    harness.main(argparse.ArgumentParser())
