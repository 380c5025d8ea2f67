#!/usr/bin/python3
# lint_dashboard.py - the rules of form that every Grafana dashboard of ours keeps, without a Grafana.
# Reads JSON files only. It must never need a network, a running server or a package beyond Python's own library.
"""usage: lint_dashboard.py [--promtool PATH] DASHBOARD.json...

Prints one line per violation, "file: rule: what"; exit code 1 when there are any. With --promtool, each expression is
also parsed by Prometheus's own parser."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import promql

SCHEMA_VERSION = 42
UNITS = {"none", "short", "bytes", "Bps", "ops", "s", "percentunit"}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
BUILT_IN = {"__rate_interval", "__interval", "__range"}
RATES = {"rate", "irate", "increase"}
AGENT_MATCHERS = {"job": ("=~", "$job"), "instance": ("=~", "$instance")}
PROCESS_MATCHERS = {"service": ("=", "$service"), "pid": ("=", "$pid")}
# What a variable that may have several values is asked to be, beside its name.
MANY = {"label", "multi", "includeAll", "allValue"}


def panels_of(dashboard):
    """All panels that show data; rows are left out, what a collapsed row holds is not."""
    found = []
    for panel in dashboard.get("panels", []):
        found.extend(panel.get("panels", []) if panel.get("type") == "row" else [panel])
    return found


def targets_of(dashboard):
    """(panel, target) of every query."""
    return [(p, t) for p in panels_of(dashboard) for t in p.get("targets", [])]


def check_head(dashboard):
    if not isinstance(dashboard.get("uid"), str) or not dashboard["uid"]:
        yield "uid", "no fixed uid: links and provisioning need one"
    if dashboard.get("id") is not None:
        yield "id", "id %r belongs to one Grafana's database; leave it out" % dashboard["id"]
    if dashboard.get("schemaVersion") != SCHEMA_VERSION:
        yield "schema-version", "schemaVersion is %r, not %d" % (dashboard.get("schemaVersion"), SCHEMA_VERSION)
    if not dashboard.get("title"):
        yield "title", "the dashboard has no title"
    if dashboard.get("editable") is not False:
        yield "editable", "a provisioned dashboard is not editable: its source is elsewhere"


def check_datasources(value, path="dashboard"):
    """No data source but the variable, anywhere."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "datasource" and inner != DATASOURCE:
                yield "datasource", "%s.datasource is %s, not the variable" % (path, json.dumps(inner))
            else:
                yield from check_datasources(inner, "%s.%s" % (path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from check_datasources(inner, "%s[%d]" % (path, index))


def check_variables(dashboard):
    by_name = {v.get("name"): v for v in dashboard.get("templating", {}).get("list", [])}
    source = by_name.get("datasource", {})
    if (source.get("type"), source.get("query"), source.get("label")) != ("datasource", "prometheus", "Data source"):
        yield "variable-datasource", "no variable datasource of type datasource, query prometheus, label Data source"
    for name in ("job", "instance"):
        variable = by_name.get(name, {})
        wanted = {"label": name, "multi": True, "includeAll": True, "allValue": ".+"}
        if variable.get("type") != "query" or {k: variable.get(k) for k in MANY} != wanted:
            yield "variable-" + name, "no query variable %s with %s" % (name, json.dumps(wanted, sort_keys=True))
    for name, variable in by_name.items():
        if variable.get("type") != "query":
            continue
        query = variable.get("query", {}).get("query", "")
        if variable.get("datasource") != DATASOURCE:
            yield "variable-query", "variable %s has no data source, or not the variable's" % name
        if not query.startswith("label_values(") or not query.endswith(", %s)" % name):
            yield "variable-query", "variable %s: %r is not label_values(series, %s)" % (name, query, name)
        # Each narrows what the one before it has chosen.
        before = [n for n in by_name if n not in ("datasource", name)]
        before = before[:list(n for n in by_name if n != "datasource").index(name)]
        missing = set(before) - promql.variables(query)
        if missing:
            yield "variable-chain", "variable %s is not narrowed by %s" % (name, ", ".join(sorted(missing)))
    used = promql.variables(json.dumps(dashboard))
    for name in by_name:
        if name not in used:
            yield "variable-unused", "variable %s is used nowhere" % name
    for name in sorted(used - set(by_name) - BUILT_IN):
        yield "variable-unknown", "$%s is no variable of the dashboard" % name


def check_layout(dashboard):
    ids, taken = {}, {}
    for panel in dashboard.get("panels", []):
        for one in [panel] + panel.get("panels", []):
            number, title = one.get("id"), one.get("title")
            if not isinstance(number, int) or number < 1:
                yield "panel-id", "panel %r has id %r, not a number from 1" % (title, number)
            elif number in ids:
                yield "panel-id", "panels %r and %r share id %d" % (ids[number], title, number)
            ids[number] = title
        place = panel.get("gridPos", {})
        x, y, w, h = (place.get(k, -1) for k in "xywh")
        if x < 0 or y < 0 or w < 1 or h < 1 or x + w > 24:
            yield "grid", "panel %r lies outside of the 24 columns: %s" % (panel.get("title"), json.dumps(place))
            continue
        overlapped = set()
        for cell in ((column, line) for column in range(x, x + w) for line in range(y, y + h)):
            if cell in taken:
                overlapped.add(taken[cell])
            taken[cell] = panel.get("title")
        for other in sorted(overlapped, key=str):
            yield "grid", "panel %r overlaps %r" % (panel.get("title"), other)


def check_panels(dashboard):
    if not panels_of(dashboard):
        yield "panels", "the dashboard has no panel"
    for panel in panels_of(dashboard):
        title = panel.get("title")
        if not title:
            yield "panel-title", "panel %r has no title" % panel.get("id")
        if len(panel.get("description", "")) < 10:
            yield "panel-description", "panel %r does not say what it shows" % title
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
        if unit not in UNITS:
            yield "panel-unit", "panel %r has unit %r; allowed: %s" % (title, unit, ", ".join(sorted(UNITS)))
        if "datasource" not in panel or not all("datasource" in t for t in panel.get("targets", [])):
            yield "datasource", "panel %r or a target of it names no data source" % title
        if not panel.get("targets"):
            yield "panel-targets", "panel %r has no query" % title
        letters = [t.get("refId") for t in panel.get("targets", [])]
        if len(set(letters)) != len(letters) or None in letters:
            yield "ref-id", "panel %r: refIds %s are not distinct" % (title, letters)
        for target in panel.get("targets", []):
            if not target.get("legendFormat"):
                yield "legend", "panel %r, query %s has no legend" % (title, target.get("refId"))


def unit_of(metric, rated):
    """The units that suit a metric; empty = any count."""
    if "_bytes" in metric:
        return {"Bps"} if rated else {"bytes"}
    if "_seconds" in metric:
        return {"percentunit", "s"} if rated else {"s"}
    return {"ops"} if rated else {"short", "none"}


def check_expression(panel, target):
    where = "panel %r, query %s" % (panel.get("title"), target.get("refId"))
    try:
        selected = promql.selectors(target.get("expr", ""))
    except promql.PromqlError as error:
        yield "promql", "%s: %s" % (where, error)
        return
    if not selected:
        yield "promql", "%s selects nothing: %r" % (where, target.get("expr", ""))
    units = set()
    for s in selected:
        if not s.metric.startswith("liballoc_"):
            yield "metric", "%s: %r is not a metric of ours" % (where, s.metric)
        wanted = dict(AGENT_MATCHERS)
        if not s.metric.startswith("liballoc_agent_"):
            wanted.update(PROCESS_MATCHERS)
        for label, matcher in wanted.items():
            if s.matchers.get(label) != matcher:
                yield "matcher-" + label, '%s: %s lacks %s%s"%s"' % ((where, s.metric, label) + matcher)
        rated = s.function in RATES
        if s.metric.endswith("_total") != rated:
            yield "rate", "%s: %s %s" % (where, s.metric, "is a gauge" if rated else "is a counter without a rate")
        if s.range and s.range != "$__rate_interval":
            yield "rate-interval", "%s: range [%s] of %s is not $__rate_interval" % (where, s.range, s.metric)
        units |= unit_of(s.metric, rated)
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    if units and unit in UNITS and unit not in units:
        yield "unit-of-metric", "%s: unit %s for metrics in %s" % (where, unit, " or ".join(sorted(units)))


def parse_with_promtool(promtool, dashboard):
    """What Prometheus's parser says, one expression at a time so that a violation names its panel."""
    values = {name: "x" for name in promql.variables(json.dumps(dashboard))}
    values["__rate_interval"] = values["__interval"] = values["__range"] = "1m"
    for panel, target in targets_of(dashboard):
        rule = {"record": "x:y", "expr": promql.substitute(target.get("expr", ""), values)}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
            json.dump({"groups": [{"name": "x", "rules": [rule]}]}, rules)  # JSON is YAML
            rules.flush()
            done = subprocess.run([promtool, "check", "rules", rules.name], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = " ".join(done.stderr.split()) or "exit code %d" % done.returncode
            yield "promql", "panel %r, query %s: %s" % (panel.get("title"), target.get("refId"), message)


def lint(dashboard, promtool=None):
    """All violations of one dashboard as (rule, what)."""
    found = []
    for check in (check_head, check_datasources, check_variables, check_layout, check_panels):
        found.extend(check(dashboard))
    for panel, target in targets_of(dashboard):
        found.extend(check_expression(panel, target))
    if promtool:
        found.extend(parse_with_promtool(promtool, dashboard))
    return found


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promtool")
    parser.add_argument("dashboards", nargs="+")
    options = parser.parse_args(argv)
    violations, uids = 0, {}
    for path in options.dashboards:
        with open(path, encoding="utf-8") as file:
            try:
                dashboard = json.load(file)
            except ValueError as error:
                print("%s: json: %s" % (path, error))
                violations += 1
                continue
        found = lint(dashboard, options.promtool)
        uid = dashboard.get("uid")
        if uid in uids:
            found.append(("uid", "uid %r is also that of %s" % (uid, uids[uid])))
        uids[uid] = path
        for rule, what in found:
            print("%s: %s: %s" % (os.path.basename(path), rule, what))
        violations += len(found)
    print("%d dashboards, %d violations" % (len(options.dashboards), violations))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
