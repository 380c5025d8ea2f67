#!/usr/bin/python3
# lint_dashboard_test.py - the linter finds what it is there for: one fault at a time is put into the real dashboard.
# Works on copies in memory; must never write to the repository.
"""usage: lint_dashboard_test.py DASHBOARD.json [unittest options]"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

import lint_dashboard
import promql

DASHBOARD = None
PROMTOOL = os.environ.get("PROMTOOL", "promtool")
LINTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint_dashboard.py")


class SelectorTest(unittest.TestCase):
    def test_finds_metrics_with_matchers_ranges_and_the_function_around_them(self):
        expr = 'sum by (job, pid) (rate(a_total{x="1,}", y=~"b|c"}[5m])) / on (job) group_left b > bool 1e6'
        self.assertEqual(promql.selectors(expr), [
            promql.Selector("a_total", {"x": ("=", "1,}"), "y": ("=~", "b|c")}, "5m", "rate"),
            promql.Selector("b", {}, "", "")])

    def test_takes_no_function_keyword_label_number_or_comment_for_a_metric(self):
        expr = "time() - max_over_time(a[30m] offset 1h) and on (zone) -2.5 * Inf # c\n unless (b or topk(3, c))"
        self.assertEqual(promql.metric_names(expr), {"a", "b", "c"})

    def test_refuses_what_it_cannot_read(self):
        for bad in ("rate(a[5m]", "a{b=", "a)", 'a{b~"c"}', 'a{b="c"'):
            with self.assertRaises(promql.PromqlError, msg=bad):
                promql.selectors(bad)

    def test_substitutes_each_form_of_a_variable_and_names_an_unknown_one(self):
        self.assertEqual(promql.substitute('a{b="$b", c=~"${c:regex}"}[$__r]', {"b": "1", "c": "2", "__r": "3s"}),
                         'a{b="1", c=~"2"}[3s]')
        with self.assertRaisesRegex(KeyError, "unknown"):
            promql.substitute("$unknown", {"b": "1"})


class LintDashboardTest(unittest.TestCase):
    def setUp(self):
        self.dashboard = copy.deepcopy(DASHBOARD)

    def panel(self, title):
        return next(p for p in self.dashboard["panels"] if p.get("title") == title)

    def variable(self, name):
        return next(v for v in self.dashboard["templating"]["list"] if v["name"] == name)

    def replace_in_expr(self, title, old, new):
        target = self.panel(title)["targets"][0]
        self.assertIn(old, target["expr"])
        target["expr"] = target["expr"].replace(old, new)

    def assert_found(self, *rules, promtool=None):
        found = lint_dashboard.lint(self.dashboard, promtool)
        self.assertEqual({rule for rule, _ in found}, set(rules), found)

    def test_the_dashboard_itself_is_clean(self):
        self.assert_found()

    def test_head(self):
        for key, value, rule in (("uid", "", "uid"), ("uid", None, "uid"), ("id", 7, "id"), ("title", "", "title"),
                                 ("schemaVersion", 16, "schema-version"), ("editable", True, "editable")):
            with self.subTest(key=key, value=value):
                self.setUp()
                self.dashboard[key] = value
                self.assert_found(rule)

    def test_a_data_source_by_uid_or_name_anywhere(self):
        for uid in ("P1809F7CD0C75ACF3", "$datasource", "${datasource:text}"):
            with self.subTest(uid=uid):
                self.setUp()
                self.panel("Threads")["targets"][0]["datasource"]["uid"] = uid
                self.assert_found("datasource")
        self.setUp()
        self.panel("Threads")["datasource"] = "Prometheus"
        self.assert_found("datasource")
        self.setUp()
        self.dashboard["annotations"]["list"].append({"datasource": {"type": "grafana", "uid": "-- Grafana --"}})
        self.assert_found("datasource")

    def test_a_panel_or_target_without_a_data_source(self):
        del self.panel("Threads")["datasource"]
        self.assert_found("datasource")
        self.setUp()
        del self.panel("Threads")["targets"][0]["datasource"]
        self.assert_found("datasource")

    def test_the_data_source_variable(self):
        self.variable("datasource")["query"] = "loki"
        self.assert_found("variable-datasource")

    def test_job_and_instance_take_several_values(self):
        for name, key, value in (("job", "multi", False), ("instance", "allValue", None), ("job", "label", "Job"),
                                 ("instance", "includeAll", False), ("instance", "type", "custom")):
            with self.subTest(name=name, key=key):
                self.setUp()
                self.variable(name)[key] = value
                self.assert_found("variable-" + name)

    def test_variables_are_queried_from_labels_and_narrow_each_other(self):
        self.variable("pid")["query"]["query"] = "label_values(liballoc_target_up, service)"
        self.assert_found("variable-query", "variable-chain")
        self.setUp()
        self.variable("service")["query"]["query"] = 'label_values(liballoc_target_up{job=~"$job"}, service)'
        self.assert_found("variable-chain")

    def test_unused_and_unknown_variables(self):
        self.dashboard["templating"]["list"].append({"name": "tenant", "type": "custom"})
        self.assert_found("variable-unused")
        self.setUp()
        self.panel("Threads")["description"] += " of $tenant"
        self.assert_found("variable-unknown")

    def test_panel_ids(self):
        self.panel("Threads")["id"] = self.panel("Limits")["id"]
        self.assert_found("panel-id")
        self.setUp()
        del self.panel("Threads")["id"]
        self.assert_found("panel-id")

    def test_layout(self):
        self.panel("Threads")["gridPos"]["x"] -= 1
        self.assert_found("grid")
        self.setUp()
        self.panel("Threads")["gridPos"]["w"] += 1
        self.assert_found("grid")
        self.setUp()
        del self.panel("Threads")["gridPos"]
        self.assert_found("grid")

    def test_panels_say_what_they_show(self):
        for key, value, rule in (("title", "", "panel-title"), ("description", "", "panel-description"),
                                 ("targets", [], "panel-targets")):
            with self.subTest(key=key):
                self.setUp()
                self.panel("Threads")[key] = value
                self.assert_found(rule)
        self.setUp()
        self.dashboard["panels"] = []
        self.assert_found("panels", "variable-unused")

    def test_units(self):
        del self.panel("Threads")["fieldConfig"]["defaults"]["unit"]
        self.assert_found("panel-unit")
        self.setUp()
        self.panel("Threads")["fieldConfig"]["defaults"]["unit"] = "threads per fortnight"
        self.assert_found("panel-unit")
        self.setUp()
        self.panel("Heap memory")["fieldConfig"]["defaults"]["unit"] = "short"
        self.assert_found("unit-of-metric")
        self.setUp()
        self.panel("Allocation rate, bytes")["fieldConfig"]["defaults"]["unit"] = "bytes"
        self.assert_found("unit-of-metric")

    def test_ref_ids_and_legends(self):
        self.panel("Heap memory")["targets"][1]["refId"] = "A"
        self.assert_found("ref-id")
        self.setUp()
        self.panel("Heap memory")["targets"][1]["legendFormat"] = ""
        self.assert_found("legend")

    def test_matchers_of_agent_and_process(self):
        for old, new, rule in (('job=~"$job"', 'job=~"tns_app"', "matcher-job"), ('job=~"$job", ', "", "matcher-job"),
                               ('instance=~"$instance"', 'instance="$instance"', "matcher-instance"),
                               (', pid="$pid"', "", "matcher-pid"), ('service="$service", ', "", "matcher-service")):
            with self.subTest(new=new):
                self.setUp()
                self.replace_in_expr("Threads", old, new)
                self.assert_found(rule)

    def test_foreign_metrics(self):
        self.replace_in_expr("Threads", "liballoc_threads", "go_threads")
        self.assert_found("metric")

    def test_counters_are_rated_and_gauges_are_not(self):
        title = "Allocation rate, bytes"
        self.replace_in_expr(title, "rate(", "(")
        self.assert_found("rate", "unit-of-metric")
        self.setUp()
        self.replace_in_expr("Threads", "liballoc_threads{", "rate(liballoc_threads{")
        self.panel("Threads")["targets"][0]["expr"] += "[$__rate_interval])"
        self.assert_found("rate", "unit-of-metric")

    def test_rates_use_the_rate_interval(self):
        self.replace_in_expr("Allocation rate, bytes", "$__rate_interval", "5m")
        self.assert_found("rate-interval")

    def test_expressions_that_do_not_parse(self):
        self.replace_in_expr("Threads", "}", "")
        self.assert_found("promql")
        self.setUp()
        self.panel("Threads")["targets"][0]["expr"] = ""
        self.assert_found("promql")
        self.setUp()  # only Prometheus's parser knows that rate() takes a range
        self.replace_in_expr("Allocation rate, bytes", "[$__rate_interval]", "")
        self.assert_found("promql", promtool=PROMTOOL)

    def test_the_program_fails_on_a_violation_and_on_what_is_no_json(self):
        for text, says in ((json.dumps(dict(self.dashboard, uid="")), "uid: no fixed uid"), ('{"uid": ', "json:")):
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                file.write(text)
                file.flush()
                done = subprocess.run([sys.executable, LINTER, file.name], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(says, done.stdout)

    def test_the_program_refuses_two_dashboards_of_one_uid(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.dashboard, file)
            file.flush()
            done = subprocess.run([sys.executable, LINTER, file.name, file.name], capture_output=True, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is also that of", done.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(sys.argv.pop(1), encoding="utf-8") as dashboard_file:
        DASHBOARD = json.load(dashboard_file)
    unittest.main()
