# promql.py - as much PromQL as the dashboard tests need: which series an expression selects, and Grafana's variables.
# Reads expressions, never evaluates or checks them: whether one is valid is promtool's and Prometheus's to say.
import collections
import re

# One selector of an expression. `matchers` is {label: (operator, value)}, `range` the text between the brackets or "",
# `function` the innermost function around it or "".
Selector = collections.namedtuple("Selector", "metric matchers range function")

_TOKEN = re.compile(r"""
    (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<variable>\$\{\w+(?::\w+)?\}|\$\w+)
  | (?P<name>[A-Za-z_:][\w:]*)
  | (?P<number>\d[\w.]*)
  | (?P<comment>\#[^\n]*)
  | (?P<space>\s+)
  | (?P<symbol>=~|!~|!=|==|<=|>=|.)
""", re.VERBOSE)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_AGGREGATORS = {"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk",
                "quantile"}
_KEYWORDS = {"and", "or", "unless", "offset", "bool", "atan2", "start", "end", "inf", "nan"} | _GROUPING | _AGGREGATORS


class PromqlError(ValueError):
    """An expression that this reader cannot make sense of."""


def _tokens(expr):
    found = []
    for match in _TOKEN.finditer(expr):
        if match.lastgroup not in ("space", "comment"):
            found.append((match.lastgroup, match.group()))
    return found


def _matchers(tokens, at, expr):
    """Reads `{label="value", ...}` at tokens[at]; the matchers and the index behind them."""
    matchers = {}
    at += 1
    while at < len(tokens) and tokens[at][1] != "}":
        if tokens[at][1] == ",":
            at += 1
            continue
        if at + 2 >= len(tokens) or tokens[at + 1][1] not in ("=", "!=", "=~", "!~") or tokens[at + 2][0] != "string":
            raise PromqlError("bad label matchers in %r" % expr)
        matchers[tokens[at][1]] = (tokens[at + 1][1], tokens[at + 2][1][1:-1])
        at += 3
    if at == len(tokens):
        raise PromqlError("unclosed { in %r" % expr)
    return matchers, at + 1


def selectors(expr):
    """All selectors of an expression, from left to right."""
    tokens, found, around, at = _tokens(expr), [], [], 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if text in _GROUPING and following == "(":
            while at < len(tokens) and tokens[at][1] != ")":
                at += 1
        elif text == "(":
            before = tokens[at - 1] if at else ("", "")
            is_call = before[0] == "name" and before[1] not in _KEYWORDS
            around.append(before[1] if is_call else (around[-1] if around else ""))
        elif text == ")":
            if not around:
                raise PromqlError("a ) without its ( in %r" % expr)
            around.pop()
        elif text == "{" or (kind == "name" and following != "(" and text.lower() not in _KEYWORDS):
            metric = ""
            if kind == "name":
                metric, at = text, at + 1
            matchers, span = {}, ""
            if at < len(tokens) and tokens[at][1] == "{":
                matchers, at = _matchers(tokens, at, expr)
            if at < len(tokens) and tokens[at][1] == "[":
                end = at
                while end < len(tokens) and tokens[end][1] != "]":
                    end += 1
                span, at = "".join(t[1] for t in tokens[at + 1:end]), end + 1
            found.append(Selector(metric, matchers, span, around[-1] if around else ""))
            continue
        at += 1
    if around:
        raise PromqlError("unclosed ( in %r" % expr)
    return found


def metric_names(expr):
    """Names of all metrics that an expression selects."""
    return {s.metric for s in selectors(expr) if s.metric}


_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


def variables(text):
    """Names of Grafana's variables in a text: $x, ${x} and ${x:format}."""
    return {m.group(1) or m.group(2) for m in _VARIABLE.finditer(text)}


def substitute(text, values):
    """The text with each variable replaced; KeyError names one that has no value."""
    return _VARIABLE.sub(lambda m: values[m.group(1) or m.group(2)], text)
