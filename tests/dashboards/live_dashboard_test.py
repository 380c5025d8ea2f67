#!/usr/bin/python3
# live_dashboard_test.py - every query of the dashboards answers with data, asked of a real Prometheus that scrapes a real
# alloc-agent that reads a real process under liballoc.
# Listens on 127.0.0.1 only, writes below a temporary directory only, and ends all it started.
"""usage: live_dashboard_test.py --agent ALLOC_AGENT --library LIBALLOC_SO [--prometheus PATH] REPOSITORY"""

import argparse
import glob
import json
import math
import os
import re
import sys
import tempfile
import time
import unittest
import urllib.parse

import lint_dashboard
import promql
from live_services import Service, ServiceError, free_ports, get, wait_until

OPTIONS = None
HERE = os.path.dirname(os.path.abspath(__file__))
SERVICE = "dashboard-test"
WINDOW_SECONDS = 10  # stands for $__rate_interval: ten scrapes
# A limit that this workload does not reach: liballoc_soft_limit_bytes is absent where there is none.
WORKLOAD_ENVIRONMENT = {"PYTHONMALLOC": "malloc", "LIBALLOC_SERVICE": SERVICE, "LIBALLOC_SAMPLE_RATE": "65536",
                        "LIBALLOC_SOFT_LIMIT": str(8 << 30)}
# Panels that cannot be zero for a process that allocates and frees all the time.
BUSY = {"State", "Started", "Live heap", "Live objects", "Resident memory", "Peak of the heap", "Heap memory",
        "Resident memory against the heap", "Memory of the allocator itself", "Allocation rate, bytes",
        "Allocation rate, objects", "Live bytes per size class", "Live objects per size class", "Spans per size class",
        "Allocation rate per size class", "Spans", "Address space by state", "Threads", "Sampled objects",
        "Samples taken", "Sampling interval", "Events", "Work of the agent"}
PROMETHEUS_CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%(rules)s]
scrape_configs:
  - job_name: liballoc
    static_configs: [{targets: ['127.0.0.1:%(port)d']}]
"""


def load_dashboards():
    dashboards = {}
    for path in sorted(glob.glob(os.path.join(OPTIONS.repository, "dashboards", "grafana", "*.json"))):
        with open(path, encoding="utf-8") as file:
            dashboards[os.path.basename(path)] = json.load(file)
    return dashboards


class LiveDashboardTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dashboards = load_dashboards()
        cls.services = []
        directory = tempfile.TemporaryDirectory(prefix="liballoc-dashboards-")
        cls.addClassCleanup(directory.cleanup)
        agent_port, grpc_port, prometheus_port = free_ports(3)
        cls.agent_url = "http://127.0.0.1:%d" % agent_port
        cls.prometheus_url = "http://127.0.0.1:%d" % prometheus_port
        segments = os.path.join(directory.name, "segments")
        os.mkdir(segments, 0o700)

        workload = cls.start("workload", [sys.executable, os.path.join(HERE, "workload.py")], directory.name,
                             dict(WORKLOAD_ENVIRONMENT, LD_PRELOAD=OPTIONS.library, LIBALLOC_SHM_DIR=segments))
        cls.pid = str(workload.pid)
        wait_until("a segment of the workload", lambda: os.listdir(segments), cls.services)
        cls.start("alloc-agent", [
            OPTIONS.agent, "--shm-dir", segments, "--http-listen", "127.0.0.1:%d" % agent_port,
            "--grpc-listen", "127.0.0.1:%d" % grpc_port], directory.name)
        wait_until("the workload in /metrics", lambda: 'pid="%s"' % cls.pid in get(cls.agent_url + "/metrics"),
                   cls.services)
        config = os.path.join(directory.name, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            rules = os.path.join(OPTIONS.repository, "dashboards", "prometheus", "*.yaml")
            file.write(PROMETHEUS_CONFIG % {"rules": json.dumps(rules), "port": agent_port})
        cls.start("prometheus", [
            OPTIONS.prometheus, "--config.file=" + config, "--storage.tsdb.path=" + os.path.join(directory.name, "tsdb"),
            "--web.listen-address=127.0.0.1:%d" % prometheus_port, "--log.level=warn"], directory.name)
        # Twice the window, so that rates have all of it, wherever the newest sample is.
        enough = 'count_over_time(liballoc_target_up{pid="%s"}[1h]) > %d' % (cls.pid, 2 * WINDOW_SECONDS)
        wait_until("%d scrapes of the workload" % (2 * WINDOW_SECONDS), lambda: cls.query(enough), cls.services)

    @classmethod
    def start(cls, name, command, directory, environment=None):
        service = Service(name, command, directory, environment)
        cls.addClassCleanup(service.stop)
        cls.services.append(service)
        return service

    @classmethod
    def api(cls, path, **parameters):
        reply = json.loads(get("%s/api/v1/%s?%s" % (cls.prometheus_url, path, urllib.parse.urlencode(parameters))))
        if reply["status"] != "success" or reply.get("warnings"):
            raise ServiceError("%s: %s" % (parameters, reply))
        return reply["data"]

    @classmethod
    def query(cls, expr):
        """Values of an expression now, of all its series."""
        return [float(r["value"][1]) for r in cls.api("query", query=expr)["result"]]

    @classmethod
    def query_range(cls, expr):
        """Values over the last few seconds, of all series; as Grafana asks for a curve."""
        now = time.time()
        result = cls.api("query_range", query=expr, start=now - 5, end=now, step=1)["result"]
        return [float(v) for r in result for _, v in r["values"]]

    def choose_variables(self, dashboard):
        """Asks for the values of each variable as Grafana does, in order, and chooses the workload or "All"."""
        values = {"__rate_interval": "%ds" % WINDOW_SECONDS}
        wanted = {"job": "liballoc", "instance": self.agent_url[len("http://"):], "service": SERVICE, "pid": self.pid}
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            name = variable["name"]
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            offered = self.api("label/%s/values" % label, **{"match[]": promql.substitute(series, values)})
            self.assertIn(wanted[name], offered, "what variable %s offers" % name)
            values[name] = variable["allValue"] if variable["includeAll"] else wanted[name]
        return values

    def test_every_query_of_every_panel_answers_with_data(self):
        asked, titles = 0, set()
        for name, dashboard in self.dashboards.items():
            values = self.choose_variables(dashboard)
            largest = {}
            titles |= {p["title"] for p in lint_dashboard.panels_of(dashboard)}
            for panel, target in lint_dashboard.targets_of(dashboard):
                with self.subTest(dashboard=name, panel=panel["title"], query=target["refId"]):
                    expr = promql.substitute(target["expr"], values)
                    found = self.query(expr) if target["instant"] else self.query_range(expr)
                    asked += 1
                    self.assertTrue(found, "no data for " + expr)
                    self.assertTrue(all(math.isfinite(v) for v in found), "%s: %s" % (expr, found))
                    largest[panel["title"]] = max(largest.get(panel["title"], 0), max(found))
            for title in BUSY & set(largest):
                with self.subTest(dashboard=name, panel=title):
                    self.assertGreater(largest[title], 0, "the workload is busy and the panel shows nothing")
        self.assertGreaterEqual(asked, 40)
        self.assertLessEqual(BUSY, titles, "panels that no dashboard has any more")

    def test_every_query_shows_one_process(self):
        for name, dashboard in self.dashboards.items():
            values = dict(self.choose_variables(dashboard), pid="0")
            for panel, target in lint_dashboard.targets_of(dashboard):
                if not any(m.startswith("liballoc_agent_") for m in promql.metric_names(target["expr"])):
                    with self.subTest(dashboard=name, panel=panel["title"], query=target["refId"]):
                        self.assertEqual(self.query(promql.substitute(target["expr"], values)), [])

    def test_every_metric_named_is_exported(self):
        text = get(self.agent_url + "/metrics")
        exported = set(re.findall(r"^([A-Za-z_:][\w:]*)[{ ]", text, re.MULTILINE))
        named = set()
        for dashboard in self.dashboards.values():
            for _, target in lint_dashboard.targets_of(dashboard):
                named |= promql.metric_names(target["expr"])
        for group in self.api("rules")["groups"]:
            for rule in group["rules"]:
                named |= promql.metric_names(rule["query"])
        self.assertGreaterEqual(len(named), 40)
        self.assertEqual(named - exported, set())

    def test_rules_evaluate_without_an_error_and_without_an_alert(self):
        def evaluated():
            groups = self.api("rules")["groups"]
            return groups if all(r["health"] != "unknown" for g in groups for r in g["rules"]) else None
        groups = wait_until("all rules evaluated", evaluated, self.services)
        self.assertTrue(groups)
        for group in groups:
            for rule in group["rules"]:
                self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""), rule["name"])
                self.assertEqual(rule["alerts"], [], rule["name"])


def main(argv):
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", default=os.environ.get("ALLOC_AGENT"), help="alloc-agent; default: $ALLOC_AGENT")
    parser.add_argument("--library", default=os.environ.get("LIBALLOC_SO"), help="liballoc.so; default: $LIBALLOC_SO")
    parser.add_argument("--prometheus", default="/usr/bin/prometheus")
    parser.add_argument("repository")
    OPTIONS = parser.parse_args(argv)
    for name in ("agent", "library", "prometheus", "repository"):
        path = getattr(OPTIONS, name)
        if not path or not os.path.exists(path):
            parser.error("--%s: no such file: %s" % (name, path))
        setattr(OPTIONS, name, os.path.abspath(path))
    unittest.main(argv=[sys.argv[0]])


if __name__ == "__main__":
    main(sys.argv[1:])
