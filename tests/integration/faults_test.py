#!/usr/bin/python3
# faults_test.py - a program that misuses malloc dies by SIGABRT, says why, and the agent shows it afterwards with function names.

import argparse
import re
import signal
import subprocess

import harness


class FaultsTest(harness.IntegrationTest):
    def misuse(self, what, **env):
        """Runs misuse.cc to its death: its pid and what it said on standard error."""
        process = subprocess.Popen([self.options.misuse, what], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE,
                                   env=harness.preload_env(self.options.library, self.shm, LIBALLOC_SAMPLE_RATE="1", **env))
        said = process.communicate(timeout=harness.DEADLINE_S)[1].decode()
        self.assertEqual(process.returncode, -signal.SIGABRT, said)
        return process.pid, said

    def test_a_double_free_is_shown_after_death_with_function_names(self):
        pid, said = self.misuse("double-free", LIBALLOC_CHECK="1")
        self.assertRegex(said, r"^liballoc: double free: 0x[0-9a-f]+\n  112-byte object, slot \d+ of \d+ ")
        self.assertRegex(said, r"  allocated at:\n(    0x[0-9a-f]+ \S+\+0x[0-9a-f]+\n)+")
        self.assertRegex(said, r"  freed at:\n(    0x[0-9a-f]+ \S+\+0x[0-9a-f]+\n)+")
        agent = self.start_agent()
        entry = agent.wait_for(pid, "PROCESS_STATE_FAULTED")
        self.assertIn("double free", entry["fault"])
        self.assertRegex(agent.allocctl("ps").decode(), r"\npid %d: liballoc: double free: 0x" % pid)
        shown = agent.allocctl("stats", str(pid)).decode()
        found, allocated, freed = re.search(
            r"\n  found at\n(.*)  allocated at\n(.*)  freed at\n(.*)", shown, re.S).groups()
        self.assertIn("frees_the_object_again", found)
        self.assertIn("allocates_the_object", allocated)
        self.assertIn("frees_the_object_first", freed)
        self.assertIn("misuse.cc:", shown, "source lines")
        for stack in (found, allocated, freed):
            self.assertIn("main", stack)

    def test_a_double_free_is_found_without_check_mode_too(self):
        pid, said = self.misuse("double-free")
        self.assertIn("double free", said)
        agent = self.start_agent()
        agent.wait_for(pid, "PROCESS_STATE_FAULTED")
        shown = agent.allocctl("stats", str(pid)).decode()
        self.assertIn("allocates_the_object", shown)
        self.assertIn("frees_the_object_first", shown)

    def test_a_double_free_that_nothing_came_after_is_found_when_the_program_ends(self):
        pid, said = self.misuse("double-free-to-the-end")
        self.assertRegex(said, r"^liballoc: double free: 0x[0-9a-f]+\n  112-byte object, slot ")
        self.start_agent().wait_for(pid, "PROCESS_STATE_FAULTED")

    def test_a_live_objects_middle_and_the_stack_are_told_apart(self):
        _, said = self.misuse("interior")
        self.assertIn("free of a pointer into the middle of an object", said)
        self.assertIn("the object lives; 100 bytes were asked for", said)
        _, said = self.misuse("stack")
        self.assertIn("free of a pointer that no malloc returned", said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--misuse", required=True)
    harness.main(parser)
