#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make.py > rule.schema.json: the language of rules as a JSON Schema (2020-12).

The words (events, verbs, resources, ...) are read from the C tables that the loader reads them
with, and ranges of durations and bytes become patterns here, so that schema and loader accept and
refuse the same files. tests/unit/match/schema.c holds both together. What no schema can see is on
the level of the text: see rules/README.md."""
import json
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
S = 10**9
DURATIONS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": S, "m": 60 * S, "h": 3600 * S, "d": 86400 * S}
BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
DAY = 86400 * S


def words(name, file):
    """The strings of the C table NAME, in their order."""
    text = (TOP / "userspace" / file).read_text()
    body = re.search(re.escape(name) + r"\[[^]]*\]\s*=\s*\{(.*?)\};", text, re.S).group(1)
    return re.findall(r'"([^"]*)"', re.sub(r"/\*.*?\*/", "", body, flags=re.S))


def catalogue():
    """Rows of the catalogue: signal, unit, the resource that it feeds or None."""
    text = (TOP / "userspace/base/catalogue.c").read_text()
    names = dict(re.findall(r'\[(KM_\w+)\]\s*=\s*"(\w+)"', (TOP / "userspace/base/resource.c").read_text()))
    rows = re.findall(r'\[KM_SIG_\w+\]\s*=\s*\{\s*"([^"]+)",\s*"([^"]+)",'
                      r'[^,]+,\s*\w+,\s*\w+,\s*(\w+),', text)
    return [(signal, unit, names.get(resource)) for signal, unit, resource in rows]


def number(low, high):
    """A pattern of the whole numbers from LOW to HIGH, zeros in front allowed."""
    parts = []

    def same_length(a, b):
        if a == b:
            return [a]
        first = next(i for i in range(len(a)) if a[i] != b[i])
        head, x, y, tail = a[:first], int(a[first]), int(b[first]), len(a) - first - 1
        if tail == 0:
            return [f"{head}[{x}-{y}]"]
        low_open, high_open = a[first + 1:] != "0" * tail, b[first + 1:] != "9" * tail
        out = []
        if low_open:
            out += same_length(a, head + str(x) + "9" * tail)
            x += 1
        if high_open:
            y -= 1
        if x <= y:
            out.append(f"{head}{x if x == y else f'[{x}-{y}]'}[0-9]{{{tail}}}")
        if high_open:
            out += same_length(head + str(y + 1) + "0" * tail, b)
        return out

    while low <= high:
        top = min(high, 10 ** len(str(low)) - 1)
        parts += same_length(str(low), str(top))
        low = top + 1
    return "0*(" + "|".join(parts) + ")"


def in_units(units, low, high):
    parts = []
    for unit, factor in units.items():
        first, last = -(-low // factor), high // factor
        if first <= last:
            parts.append(number(first, last) + unit)
    return "|".join(parts)


def whole(pattern):
    """Python's $ also stands before a last newline."""
    return {"type": "string", "pattern": f"^({pattern})$(?!\\n)"}


def duration(low, high):
    return whole(in_units(DURATIONS, low, high))


def count(low, high):
    return {"type": "integer", "minimum": low, "maximum": high}


def enum(values):
    return {"enum": values}


def obj(properties, required=(), **more):
    out = {"type": "object", "additionalProperties": False}
    if required:
        out["required"] = list(required)
    return out | {"properties": properties} | more


def array(items, most, **more):
    return {"type": "array", "minItems": 1, "maxItems": most, "items": items} | more


def has(key, *values):
    return {"required": [key], "properties": {key: {"enum": list(values)}}}


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


PERCENT = r"0*[0-9]{1,2}(\.[0-9]+)?|0*100(\.0+)?"
ZERO = {"anyOf": [{"const": 0}, {"type": "string", "pattern": r"^0+(\.0+)?%"}]}
FULL = {"anyOf": [{"const": 1}, {"type": "string", "pattern": r"^0*100(\.0+)?%"}]}
SHARE = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, whole(f"({PERCENT})%")]}
GLOB = whole(r"[A-Za-z0-9._@:/\\>*?-]{1,255}") | {"not": {"pattern": r"^\*+$"}}
MONTHS = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])"
DAYS = f"20[0-9]{{2}}-({MONTHS})|20([02468][048]|[13579][26])-02-29"
TIME = whole("([01][0-9]|2[0-3]):[0-5][0-9]")
LONGER = duration(10**6, 30 * DAY)

events = words("km_event_names", "attribute/attribute.c")[1:]
states = words("km_cond_state_names", "match/leaf.c")
signals_rows = catalogue()
resources = [row[2] for row in signals_rows if row[2]]
entities = words("km_entity_names", "base/catalogue.c")
# Taking back is the ladder's business, not a step's.
verbs = [verb for verb in words("km_verb_names", "base/verb.c")[1:] if verb != "undo"]
kinds = words("km_forecast_kind_names", "predict/predict.c")
hows = words("km_end_how_names", "match/leaf.c")
place_healths = words("km_place_health_names", "attribute/endpoint.c")[1:]
traffics = words("km_traffic_names", "attribute/endpoint.c")
whose = words("km_incident_whose_names", "match/leaf.c")
texts = words("text_of", "match/text.c")
modes = words("km_mode_names", "match/rule.c")
otherwise = words("km_otherwise_names", "match/rule.c")
signals = words("signals", "match/step.c")
captures = words("km_capture_names", "collect/capture.c")
days = words("day_names", "base/calendar.c")


def constant(text):
    """A C constant of base/verb.c: numbers, shifts, products, names of macros."""
    while names := re.findall(r"[A-Z]\w+_\w+|[A-Z]{4,}", text := re.sub(r"\b(\d+)U?L*\b", r"\1", text)):
        for name in names:
            text = text.replace(name, f"({MACROS[name]})")
    return eval(text)  # pylint: disable=eval-used


def uses():
    """Ways to use a verb: verb, key, object, implied, key of the amount, unit, least, most, longest."""
    body = re.search(r"km_verb_uses\[\] = \{(.*?)\n\};", VERB_C, re.S).group(1)
    by_enum = dict(re.findall(r'\[(KM_\w+)\]\s*=\s*"(\w+)"', VERB_C))
    for row in re.findall(r"\{(.*?)\}", body, re.S):
        cells = [cell.strip() for cell in row.split(",")]
        key, name, amount_key = (None if cell == "NULL" else cell.strip('"')
                                 for cell in (cells[1], cells[2], cells[4]))
        low, high, longest = (constant(cell) for cell in cells[6:9])
        kind = {"KM_AMOUNT_COUNT": count, "KM_AMOUNT_BYTES": in_bytes,
                "KM_AMOUNT_BYTES_RATE": in_bytes_a_second, "KM_AMOUNT_SHARE": in_share}.get(cells[5])
        if cells[5] == "KM_AMOUNT_WORD":
            kind = one_of("km_verb_words")
        yield {"verb": by_enum[cells[0]], "key": key, "object": name, "implied": cells[3] == "true",
               "amount": amount_key and (amount_key, kind(low, high)),
               "for": longest and duration(S, longest)}


def form_keys(use):
    return {use.get("key"), (use.get("amount") or [None])[0], "for"} - {None}


def form(use):
    """The members that a step has for one use of its verb."""
    properties, required = {}, []
    if use.get("key"):
        properties[use["key"]] = {"const": use["object"]} if use["object"] else OBJECT
        required += [] if use["implied"] else [use["key"]]
    if use.get("amount"):
        properties[use["amount"][0]] = use["amount"][1]
        required.append(use["amount"][0])
    if use.get("for"):
        properties["for"] = use["for"]
        required.append("for")
    if use["verb"] == "signal":
        properties["signal"] = enum(signals)
        required.append("signal")
    none = [{"required": [key]} for key in ARGUMENTS if key not in properties]
    return {"properties": properties, "required": required, "not": {"anyOf": none}}


def once(use):
    """What a plan has once: a verb, or a verb on one object."""
    if not use.get("object"):
        return has("do", use["verb"])
    named = has(use["key"], use["object"])
    return {"allOf": [has("do", use["verb"]), {"anyOf": [named, {"not": {"required": [use["key"]]}}]}
                      if use["implied"] else named]}


def one_of(table):
    """One of the words of a table; which number each has is the loader's."""
    return lambda low, high: enum(words(table, "base/verb.c"))


def in_bytes(low, high):
    return whole(in_units(BYTES, low, high))


def in_bytes_a_second(low, high):
    return whole(f"({in_units(BYTES, low, high)})/s") | {"maxLength": 33}


def in_share(low, high):
    """Of a million: whole percents."""
    low, high = low // 10000, high // 10000
    return {"anyOf": [{"type": "number", "minimum": low / 100, "maximum": high / 100},
                      whole(f"({number(low, high)}|{number(low, high - 1)}\\.[0-9]+|{high}\\.0+)%")]}


VERB_C = (TOP / "userspace/base/verb.c").read_text()
MACROS = {name: value for file in ("base/base.h", "base/verb.h", "base/verb.c")
          for name, value in re.findall(r"#define (\w+) +(\S.*)", (TOP / "userspace" / file).read_text())}
OBJECT = whole("[A-Za-z0-9_][A-Za-z0-9._-]{0,30}")
USES = {verb: [use for use in uses() if use["verb"] == verb] or [{"verb": verb}] for verb in verbs}
# Members of a step that only some verbs take.
ARGUMENTS = ["signal"] + sorted({key for ways in USES.values() for use in ways
                                 for key in form_keys(use)})
# By what no plan does twice; which names of objects are the same no schema can see.
ONCE = [once(use) for verb in verbs if verb != "signal" for use in USES[verb]
        if use.get("object") or not use.get("key")] + [has("signal", signal) for signal in signals]


SOME_SHARE = {"allOf": [SHARE, {"not": ZERO}, {"not": FULL}]}
QUANTITIES = {
    "bytes": whole(in_units(BYTES, 1, 2**53)),
    "bytes_rate": whole(f"({in_units(BYTES, 1, 2**53)})/s") | {"maxLength": 33},
    "share": SOME_SHARE,
    "time": duration(1, 3600 * S),
    "days": duration(1, 3650 * DURATIONS["d"]),
    "time_rate": whole(f"({in_units(DURATIONS, 1, 2**53)})/s") | {"maxLength": 33},
    "rate": whole(r"[0-9]{1,12}(\.[0-9]{1,6})?/s") | {"not": {"pattern": "^[0.]+/"}},
    "count": count(0, 2**53),
}


def quantity(unit, limited):
    """The name of how values of UNIT are written."""
    kind = {"bytes": "bytes", "bytes/s": "bytes_rate", "ppm": "share", "ns": "time", "us": "time", "s": "days",
            "us/s": "time_rate"}.get(
        unit, "rate" if unit.endswith("/s") else "count")
    return f"{kind}_or_share" if limited else kind


def bounds():
    """What a level is compared with, by the unit of what is measured."""
    by_kind = {}
    for signal, unit, resource in signals_rows:
        row = by_kind.setdefault(quantity(unit, resource), ([], []))
        row[0].append(signal)
        if resource:
            row[1].append(resource)
    return [{"if": {"anyOf": [has("signal", *names)] + ([has("resource", *of)] if of else [])},
             "then": {"properties": {key: ref(kind) for key in BOUNDS}}}
            for kind, (names, of) in sorted(by_kind.items())]


BOUNDS = {"above": {}, "below": {}, "until_below": {}, "until_above": {}}
ONE_BOUND = [
    {"required": ["above"], "not": {"anyOf": [{"required": ["below"]}, {"required": ["until_above"]}]}},
    {"required": ["below"], "not": {"anyOf": [{"required": ["above"]}, {"required": ["until_below"]}]}},
]


def obj_with(key, values):
    return {"required": [key], "properties": {key: {"enum": values}}}


def excludes(op, values):
    """Of VALUES of OP's "is" only one can be said in one "all"."""
    def item(value):
        return {"required": [op], "properties": {op: has("is", value)}}
    one_of = {"required": [op], "properties": {op: obj_with("is", values)}}
    return [{"if": {"contains": item(value)},
             "then": {"items": {"if": one_of, "then": item(value)}}} for value in values]


conditions = {
    "forecast": obj({
        "kind": enum(kinds),
        "resource": ref("resource"),
        "probability": {"allOf": [SHARE, {"not": ZERO}]},
        "within": duration(S, 30 * DAY),
        "for": LONGER,
    }, ["kind", "probability"], **{
        "if": has("kind", "exhaustion"),
        "then": {"required": ["resource", "within"]},
        "else": {"not": {"required": ["resource"]}},
    }),
    "event": obj({
        "is": enum(events),
        "how": enum(hows),
        "by": whole("[ -~]{1,31}"),
        "count": count(1, 16),
        "within": duration(S, 30 * DAY),
    }, ["is"], allOf=[
        {"if": {"required": ["how"]}, "then": has("is", "ended")},
        {"if": {"required": ["by"]},
         "then": {"anyOf": [has("is", "signaled"), has("how", "signaled", "outsider")]}},
    ], oneOf=[
        {"required": ["count", "within"], "properties": {"count": {"minimum": 2}}},
        {"properties": {"count": {"const": 1}}, "not": {"required": ["within"]}},
    ]),
    "state": obj({"is": enum(states), "for": LONGER}, ["is"]),
    "level": obj({"resource": ref("resource"), "signal": enum([row[0] for row in signals_rows]),
                  "of": enum(["self", "host"])} | BOUNDS | {"for": LONGER}, oneOf=ONE_BOUND,
                 allOf=[{"oneOf": [{"required": ["resource"]}, {"required": ["signal"]}]}] + bounds()),
    "incident": obj({"of": enum(whose), "for": LONGER}, ["of"]),
    "endpoint": obj({
        "name": whole(r"[A-Za-z0-9._*?-]{1,31}"),
        "primary": enum(place_healths),
        "standby": enum(place_healths),
        "traffic": enum(traffics),
        "forecast": enum(["dependency", "degradation"]),
        "probability": {"allOf": [SHARE, {"not": ZERO}]},
        "for": LONGER,
    }, anyOf=[{"required": [key]} for key in ("primary", "standby", "traffic", "forecast")],
        dependentRequired={"forecast": ["probability"], "probability": ["forecast"]},
        **{"if": {"required": ["for"]},
           "then": {"anyOf": [{"required": [key]} for key in ("primary", "standby", "traffic")]}}),
    "text": obj({
        "of": enum(texts),
        "check": whole(r"[ -~]{0,63}"),
        "matches": whole(r"[ -~]{1,127}"),
        "for": LONGER,
    }, ["of", "matches"]),
    "deployed": obj({"within": duration(S, 30 * DAY)}, ["within"]),
    "all": {"type": "array", "minItems": 1, "items": ref("condition"),
            "allOf": excludes("event", events) +
            excludes("state", states[:2]) + excludes("state", states[2:])},
    "any": {"type": "array", "minItems": 1, "items": ref("condition")},
    "not": ref("condition"),
}

step = obj({
    "do": enum(verbs),
    "timeout": duration(10**8, 600 * S),
    "on_failure": enum(otherwise),
    "evidence": {"type": "array", "minItems": 1, "uniqueItems": True, "items": enum(captures)},
    **{key: {} for key in ARGUMENTS},
}, ["do"], allOf=[
    {"if": has("do", verb), "then": {"anyOf": [form(use) for use in ways]}}
    for verb, ways in USES.items()
] + [{"if": has("do", "notify"), "then": {"not": {"required": ["on_failure"]}}}])

plan = array(ref("step"), 8, allOf=[
    # behind a stop nothing is left to repair
    {"if": {"minItems": n + 1}, "then": {"prefixItems": [{}] * (n - 1) + [{"not": has("do", "stop")}]}}
    for n in range(1, 8)
] + [{"contains": one, "minContains": 0, "maxContains": 1} for one in ONCE])

verify = {"oneOf": [
    obj({
        "within": duration(10**8, DAY),
        "that": obj({
            "up": {"const": True},
            "up_for": duration(10**6, DAY),
            "forecast_gone": {"const": True},
            "healthy": {"const": True},
            "endpoint_answers": {"const": True},
            "no_end": {"const": True},
            "below": obj({"resource": ref("resource"), "share": {"allOf": [SHARE, {"not": ZERO}]}},
                         ["resource", "share"]),
        }, minProperties=1),
    }, ["within", "that"]),
    obj({"not_measured": {"const": True}}, ["not_measured"]),
]}

guard = obj({
    "mode": enum(modes),
    "cooldown": duration(0, 30 * DAY),
    "budget": obj({"count": count(1, 64), "per": duration(S, 30 * DAY)}, ["count", "per"]),
    "min_healthy": count(0, 2048),
    "backoff": obj({key: duration(10**6, DAY) for key in ("base", "max", "reset")},
                   ["base", "max", "reset"]),
    "approval": duration(S, 7 * DAY),
    "windows": array(obj({
        "days": {"type": "array", "minItems": 1, "uniqueItems": True, "items": enum(days)},
        "from": TIME,
        "to": TIME,
    }, ["from", "to"]), 8),
})

globs = array(GLOB, 64, uniqueItems=True)
other = [entity for entity in entities if entity != "service"]
scope = {"oneOf": [
    obj({
        "entity": enum(["service"]),
        "services": globs, "units": globs, "images": globs,
        "labels": {"type": "object", "minProperties": 1, "maxProperties": 16,
                   "propertyNames": whole("[A-Za-z0-9._/:@-]{1,63}"),
                   "additionalProperties": whole("[A-Za-z0-9._/:@*?-]{1,63}")},
        "all": {"const": False},
    }, anyOf=[{"required": [key]} for key in ("services", "units", "images", "labels")]),
    obj({"entity": enum(entities), "all": {"const": True}}, ["all"]),
    obj({"entity": enum(other), "names": globs, "all": {"const": False}}, ["entity", "names"]),
]}


def text(most):
    return {"type": "string", "pattern": "[^ \\t\\r\\n]", "maxLength": most}


has_forecast = {"anyOf": [
    {"required": ["forecast"]},
    {"required": ["all"], "properties": {"all": {"contains": ref("has_forecast")}}},
    {"required": ["any"], "properties": {"any": {"contains": ref("has_forecast")}}},
    {"required": ["not"], "properties": {"not": ref("has_forecast")}},
]}


def that(*keys):
    return {"properties": {"verify": {"required": ["that"], "properties": {
        "that": {"anyOf": [{"required": [key]} for key in keys]}}}}}


schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A rule of kmend",
    "description": "Made by make.py; rules/README.md is the reference. Only the text itself is beyond a "
                   "schema: its size and depth, keys that appear twice, how many conditions there are.",
} | obj({
    "version": {"const": 1},
    "id": whole("[a-z][a-z0-9]*(-[a-z0-9]+)*") | {"maxLength": 255},
    "summary": text(511),
    "why": text(511),
    "owner": text(255),
    "maturity": enum(["experimental", "stable"]),
    "expires": whole(DAYS),
    "references": array({"type": "string", "minLength": 1, "maxLength": 255}, 16, uniqueItems=True),
    "scope": scope,
    "when": ref("condition"),
    "unless": ref("condition"),
    "plan": plan,
    "verify": verify,
    "otherwise": enum(otherwise),
    "guard": guard,
}, ["version", "id", "summary", "why", "owner", "maturity", "scope", "when", "plan", "verify"], allOf=[
    # a forecast can be gone only if one spoke
    {"if": that("forecast_gone"), "then": {"properties": {"when": ref("has_forecast")}}},
    # a service that the plan stops is not up
    {"if": {"properties": {"plan": {"contains": has("do", "stop")}}}, "then": {"not": that("up", "up_for")}},
]) | {"$defs": {
    "resource": enum(resources),
    **QUANTITIES,
    "bytes_or_share": {"anyOf": [SOME_SHARE, QUANTITIES["bytes"]]},
    "count_or_share": {"anyOf": [SOME_SHARE, count(2, 2**53)]},
    "condition": obj(conditions, minProperties=1, maxProperties=1),
    "has_forecast": has_forecast,
    "step": step,
}}

if __name__ == "__main__":
    print(json.dumps(schema, indent="\t"))
