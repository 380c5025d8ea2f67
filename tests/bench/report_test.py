#!/usr/bin/python3
# report_test.py - the arithmetic of the benchmark tables, on made-up runs whose results are known.

import math
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import allocators  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import workloads  # noqa: E402
import writer  # noqa: E402


def run(seconds, rss_mib=1.0, output="checksum 1\n"):
    return measure.Run({"wall": seconds, "user": seconds / 2, "sys": seconds / 2, "rss_kib": rss_mib * 1024,
                        "minor_faults": 1}, output)


def results():
    made = report.Results(["liballoc", "glibc", "jemalloc"], ["glibc", "jemalloc"])
    for name, seconds in (("liballoc", (2.0, 3.0, 4.0)), ("glibc", (2.0, 2.0, 2.0)), ("jemalloc", (4.0, 6.0, 4.0))):
        for value in seconds:
            made.add("a", name, run(value, 2.0 if name == "liballoc" else 4.0))
    for name, value in (("liballoc", 1.0), ("glibc", 4.0), ("jemalloc", 2.0)):
        made.add("b", name, run(value))
    return made


class ReportTest(unittest.TestCase):
    def test_ratio_is_formed_within_each_round_to_the_peer_with_the_lowest_median(self):
        self.assertEqual(results().ratio("a", "time"), (1.5, 1.0, 2.0, "glibc"))
        self.assertEqual(results().ratio("b", "cpu"), (0.5, 0.5, 0.5, "jemalloc"))

    def test_ratio_is_none_where_ours_has_not_run(self):
        made = results()
        made.add("c", "glibc", run(1.0))
        self.assertIsNone(made.ratio("c", "time"))
        self.assertIsNone(made.ratio("nothing", "time"))

    def test_geometric_means_are_relative_to_the_best_single_peer(self):
        made = report.Results(["liballoc", "glibc", "jemalloc"], ["glibc", "jemalloc"])
        for workload, values in (("a", (3.0, 2.0, 4.0)), ("b", (1.0, 4.0, 2.0))):
            for name, value in zip(made.allocators, values):
                made.add(workload, name, run(value))
        means = made.geomeans(["a", "b"], "time")
        # both peers have the mean sqrt(8), ours sqrt(3)
        self.assertAlmostEqual(means["glibc"], 1.0)
        self.assertAlmostEqual(means["jemalloc"], 1.0)
        self.assertAlmostEqual(means["liballoc"], math.sqrt(3 / 8))

    def test_a_round_that_was_slow_for_all_does_not_move_the_geometric_means(self):
        made = report.Results(["liballoc", "glibc"], ["glibc"])
        for speed in (1.0, 1.0, 5.0, 7.0):
            made.add("a", "liballoc", run(speed))
            made.add("a", "glibc", run(2 * speed))
        self.assertAlmostEqual(made.geomeans(["a"], "time")["liballoc"], 0.5)

    def test_a_run_too_short_to_be_measured_leaves_its_round_out(self):
        made = report.Results(["liballoc", "glibc"], ["glibc"])
        for ours, theirs in ((1.0, 2.0), (0.0, 2.0), (3.0, 0.0)):
            made.add("a", "liballoc", run(ours))
            made.add("a", "glibc", run(theirs))
        self.assertAlmostEqual(made.geomeans(["a"], "cpu")["liballoc"], 0.5)
        made.add("b", "liballoc", run(0.0))
        made.add("b", "glibc", run(1.0))
        self.assertEqual(made.shared(["a", "b"]), ["a"])

    def test_geometric_means_leave_out_what_not_all_have_run(self):
        made = results()
        made.add("c", "glibc", run(1.0))
        self.assertEqual(made.shared(["a", "b", "c"]), ["a", "b"])
        self.assertEqual(made.geomeans(["a", "b", "c"], "time"), results().geomeans(["a", "b"], "time"))

    def test_verdicts_say_met_and_missed(self):
        lines = report.verdicts(results(), ["a", "b"])
        self.assertRegex(lines[0], r"over 2 workloads.* 0\.60 .*met$")
        self.assertRegex(lines[1], r"jemalloc +0\.71 .*met$")
        self.assertRegex(lines[2], r"worst workload \(a\).* 1\.50 .*MISSED$")

    def test_eight_threads_are_held_against_two_of_the_same_allocator(self):
        made = report.Results(["liballoc", "glibc"], ["glibc"])
        for name, two, eight in (("liballoc", 2.0, 2.1), ("glibc", 3.0, 4.5), ("liballoc", 4.0, 4.2), ("glibc", 6.0, 9.0)):
            made.add("churn-2", name, run(two))
            made.add("churn-8-of-2", name, run(eight))
        line = [line for line in report.verdicts(made, ["churn-2"]) if line.startswith("8 threads")][0]
        self.assertRegex(line, r"\(peers 1\.50 to 1\.50\) +1\.05  aim <= 1\.00  MISSED$")

    def test_most_processor_time_lost_comes_first(self):
        self.assertEqual(report.loss_order(results(), ["b", "a"]), ["a", "b"])

    def test_micro_takes_the_best_of_all_rounds_and_keeps_it_out_of_the_digest(self):
        first, second = run(1.0, 1.0, "ns imm 16 4.00\nchecksum 1\n"), run(1.0, 1.0, "ns imm 16 3.00\nchecksum 1\n")
        self.assertEqual(first.digest, second.digest)
        made = report.Results(["liballoc", "glibc"], ["glibc"])
        made.add("micro", "liballoc", first)
        made.add("micro", "liballoc", second)
        made.add("micro", "glibc", run(1.0, 1.0, "ns imm 16 6.00\nchecksum 1\n"))
        rows, means, ours = report.micro_rows(made)
        self.assertEqual(rows, [["imm 16", "3.0", "**6.0**", "0.50"]])
        self.assertAlmostEqual(means["liballoc"], 3.0)
        self.assertAlmostEqual(ours, 0.5)

    def test_instructions_are_compared_to_the_best_peer_with_the_worst_first(self):
        text = report.instruction_table({"a": {"liballoc": 1000000, "glibc": 2000000},
                                         "b": {"liballoc": 3000000, "glibc": 2000000}, "c": {"glibc": 1000000}},
                                        ["liballoc", "glibc"], ["glibc"])
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
        self.assertEqual(cells, [["b", "3.0", "2.0", "1.50"], ["a", "1.0", "2.0", "0.50"], ["c", "-", "1.0", "-"]])

    def test_other_output_is_another_digest(self):
        self.assertNotEqual(run(1.0, 1.0, "checksum 1\n").digest, run(1.0, 1.0, "checksum 2\n").digest)

    def test_tables_name_failures_and_the_missing_agent(self):
        made = results()
        made.add_failure("c", "jemalloc", "exit code 139: no message")
        facts = {"rounds": 3, "seconds": 5.0, "agent": False, "agent_cpu": 0.0, "quick": False, "percent": None,
                 "load": (0.5, 2.25)}
        ours = [allocators.Allocator("liballoc", "/x", {}, True)]
        text = writer.tables(made, ["a", "b"], ["a", "b"], facts, ours)
        self.assertIn("- c under jemalloc: exit code 139", text)
        self.assertIn("without alloc-agent", text)
        self.assertIn("load average 0.5 before, 2.2 after", text)
        self.assertIn("1.50 (1.00-2.00) glibc", text)


class DocumentTest(unittest.TestCase):
    def test_writing_again_keeps_what_people_have_added_around_the_measured_part(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "performance.md")
            writer.write_document(path, "# first\n")
            with open(path, "a", encoding="utf-8") as stream:
                stream.write("\n## Why\n\nBecause.\n")
            writer.write_document(path, "# second\n")
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        self.assertNotIn("first", text)
        self.assertIn("# second", text)
        self.assertTrue(text.endswith("\n## Why\n\nBecause.\n"))


class SelectionTest(unittest.TestCase):
    def test_workloads_come_in_the_order_of_the_table(self):
        self.assertEqual([w.name for w in workloads.select(["large", "churn"])], ["churn", "large"])

    def test_wrong_names_are_refused_with_what_is_allowed(self):
        with self.assertRaisesRegex(allocators.Error, "no workload 'chrun'; allowed: numbers, churn"):
            workloads.select(["chrun"])
        with self.assertRaisesRegex(allocators.Error, "no allocator 'x'; allowed: liballoc, liballoc-off, glibc"):
            allocators.select(["x"], "/bin/true")
        with self.assertRaisesRegex(allocators.Error, "is empty or taken"):
            allocators.select(["liballoc", "liballoc"], "/bin/true")

    def test_another_build_of_the_library_is_a_column_of_its_own(self):
        chosen = allocators.select(["liballoc", "old=/bin/false"], "/bin/true")
        self.assertEqual([(a.name, a.library, a.ours) for a in chosen],
                         [("liballoc", "/bin/true", True), ("old", "/bin/false", True)])


if __name__ == "__main__":
    unittest.main()
