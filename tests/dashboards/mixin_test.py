#!/usr/bin/python3
# mixin_test.py - what is committed is what the mixin renders, and it agrees with the catalog, the runbooks and the docs.
# Renders into a temporary directory; must never write to the repository.
"""usage: mixin_test.py REPOSITORY [unittest options]     environment: JSONNET, JSONNETFMT"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import catalog
import lint_dashboard
import promql

ROOT = None
JSONNET = os.environ.get("JSONNET", "jsonnet")
JSONNETFMT = os.environ.get("JSONNETFMT", "jsonnetfmt")
OUTPUTS = ("grafana/*", "prometheus/*")


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def evaluate(expression):
    """The value of a jsonnet expression; `mixin` is ours."""
    program = "local mixin = import 'mixin.libsonnet'; " + expression
    done = subprocess.run([JSONNET, "-J", os.path.join(ROOT, "dashboards"), "-e", program], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def yaml(text):
    """YAML read by jsonnet: Python's own library has no reader."""
    return evaluate("std.parseYaml(%s)" % json.dumps(text))


class RenderedTest(unittest.TestCase):
    def test_committed_files_are_what_the_mixin_renders(self):
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run([os.path.join(ROOT, "dashboards", "render"), directory], check=True,
                           env=dict(os.environ, JSONNET=JSONNET))

            def contents(top):
                names = [n for pattern in OUTPUTS for n in glob.glob(os.path.join(top, pattern))]
                return {os.path.relpath(n, top): read(n) for n in names}
            rendered, committed = contents(directory), contents(os.path.join(ROOT, "dashboards"))
        self.assertTrue(rendered)
        self.assertEqual(sorted(rendered), sorted(committed))
        for name, text in rendered.items():
            self.assertEqual(text, committed[name], name + " is not what dashboards/render writes: run it")

    def test_sources_are_formatted(self):
        sources = glob.glob(os.path.join(ROOT, "dashboards", "**", "*.libsonnet"), recursive=True)
        self.assertTrue(sources)
        for source in sources:
            done = subprocess.run([JSONNETFMT, "--test", source], check=False)
            self.assertEqual(done.returncode, 0, source + ": run jsonnetfmt -i")

    def test_thresholds_and_names_can_be_overridden(self):
        overridden = evaluate("""
            local m = mixin { _config+:: {
              targetLabels: ['cluster', 'pid'],
              runbookUrlPrefix: 'https://example.org/',
              processDashboardUid: 'other',
              heapGrowing+: { minimumRatio: 1.75, 'for': '2h' },
            } };
            { a: m.prometheusAlerts.groups[0].rules[0], uid: m.grafanaDashboards['liballoc-process.json'].uid }""")
        self.assertIn("> 1.75 *", overridden["a"]["expr"])
        self.assertIn("max by (cluster, pid)", overridden["a"]["expr"])
        self.assertEqual(overridden["a"]["for"], "2h")
        self.assertEqual(overridden["a"]["annotations"]["runbook_url"], "https://example.org/LiballocHeapGrowing.md")
        self.assertEqual(overridden["uid"], "other")


class AlertsTest(unittest.TestCase):
    def setUp(self):
        self.rules = [r for g in evaluate("mixin.prometheusAlerts")["groups"] for r in g["rules"]]
        self.assertTrue(self.rules)

    def test_names_labels_and_duration(self):
        for rule in self.rules:
            self.assertRegex(rule["alert"], r"^Liballoc([A-Z]+[a-z]+)+$")
            self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
            minutes = re.fullmatch(r"(\d+)m", rule["for"])
            self.assertTrue(minutes and int(minutes.group(1)) >= 2, "for: %s is less than two scrapes" % rule["for"])

    def test_summary_is_one_fixed_sentence_and_description_has_the_figures(self):
        for rule in self.rules:
            notes = rule["annotations"]
            self.assertRegex(notes["summary"], r"^[A-Z][^{}]*\.$")
            self.assertRegex(notes["description"], r"\{\{ \$value \| humanize(1024|Duration|Percentage)? \}\}")
            for label in ("service", "pid", "instance"):
                self.assertIn("{{ $labels.%s }}" % label, notes["description"])
            if "_bytes" in rule["expr"]:
                self.assertIn("humanize1024", notes["description"])

    def test_each_is_aggregated_to_one_process_of_one_agent(self):
        for rule in self.rules:
            self.assertTrue(rule["expr"].startswith("max by (job, instance, service, pid) ("), rule["expr"])

    def test_each_has_a_runbook_and_cases(self):
        for rule in self.rules:
            url = rule["annotations"]["runbook_url"]
            self.assertEqual(url, "docs/runbooks/%s.md" % rule["alert"])
            self.assertTrue(read(url).startswith("# %s\n" % rule["alert"]))
            self.assertIn("alertname: " + rule["alert"], read("tests/dashboards/%s_test.yaml" % rule["alert"]))

    def test_runbook_of_heap_growing_states_the_thresholds(self):
        config, text = evaluate("mixin._config.heapGrowing"), read("docs/runbooks/LiballocHeapGrowing.md")
        self.assertIn("more than %d KiB a second" % (config["minimumBytesPerSecond"] // 1024), text)
        self.assertIn("more than %g times" % config["minimumRatio"], text)
        self.assertIn("for %s minutes" % config["for"].rstrip("m"), text)


class CatalogTest(unittest.TestCase):
    def setUp(self):
        self.catalog = catalog.read(ROOT)

    def expressions(self):
        dashboards = evaluate("mixin.grafanaDashboards")
        for name, dashboard in dashboards.items():
            for panel, target in lint_dashboard.targets_of(dashboard):
                yield "%s, panel %s" % (name, panel["title"]), target["expr"]
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    series = variable["query"]["query"][len("label_values("):].rpartition(",")[0]
                    yield "%s, variable %s" % (name, variable["name"]), series
        for group in evaluate("mixin.prometheusAlerts")["groups"]:
            for rule in group["rules"]:
                yield rule["alert"], rule["expr"]

    def test_metrics_and_labels_that_are_named_exist(self):
        count = 0
        for where, expr in self.expressions():
            for selector in promql.selectors(expr):
                count += 1
                self.assertIn(selector.metric, self.catalog, where)
                unknown = set(selector.matchers) - self.catalog[selector.metric].labels - {"job", "instance"}
                self.assertFalse(unknown, "%s: labels of %s" % (where, selector.metric))
        self.assertGreater(count, 50)

    def test_labels_in_legends_exist(self):
        for name, dashboard in evaluate("mixin.grafanaDashboards").items():
            for panel, target in lint_dashboard.targets_of(dashboard):
                labels = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"])) - {"job", "instance"}
                for metric in promql.metric_names(target["expr"]):
                    self.assertLessEqual(labels, self.catalog[metric].labels, "%s: %s" % (name, panel["title"]))

    def test_counters_are_those_that_end_in_total(self):
        for metric in self.catalog.values():
            self.assertEqual(metric.kind == "Counter", metric.name.endswith("_total"), metric.name)

    def test_a_catalog_that_cannot_be_read_is_refused(self):
        for text in ("", '{"liballoc_x", Kind::kGauge, "", "", "h"}',
                     '{"liballoc_a", MetricKind::kGauge, "", "", "h"}, {"liballoc_b", 7, "", "", "h"}'):
            with self.assertRaises(ValueError):
                catalog.parse(text)


class ProvisioningTest(unittest.TestCase):
    def test_data_source_is_a_prometheus_whose_scrape_interval_is_known(self):
        text = read("dashboards/provisioning/datasources/prometheus.yaml")
        provisioning = yaml(text)
        self.assertEqual(provisioning["apiVersion"], 1)
        for source in provisioning["datasources"]:
            self.assertEqual((source["type"], source["access"]), ("prometheus", "proxy"))
            self.assertRegex(source["url"], r"^http://127\.0\.0\.1:\d+$")
            self.assertRegex(source["jsonData"]["timeInterval"], r"^\d+s$")
        self.assertNotIn("password:", text)

    def test_dashboards_are_read_from_files_and_kept_as_they_are(self):
        provisioning = yaml(read("dashboards/provisioning/dashboards/liballoc.yaml"))
        self.assertEqual(provisioning["apiVersion"], 1)
        for provider in provisioning["providers"]:
            self.assertEqual((provider["type"], provider["allowUiUpdates"]), ("file", False))
            self.assertEqual(provider["options"]["path"], "$LIBALLOC_DASHBOARDS")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ROOT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
