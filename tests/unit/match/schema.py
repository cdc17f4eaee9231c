# SPDX-License-Identifier: Apache-2.0
"""schema.py SCHEMA FILE...: a line a file, "accepts" or "refuses". Exit 77: no jsonschema here."""
import json
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)


def members(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def read(path):
    with open(path, "rb") as file:
        return json.loads(file.read().decode(), object_pairs_hook=members)


def accepts(validator, path):
    try:
        return validator.is_valid(read(path))
    except ValueError:
        return False


schema = read(sys.argv[1])
Draft202012Validator.check_schema(schema)
for name in sys.argv[2:]:
    print("accepts" if accepts(Draft202012Validator(schema), name) else "refuses")
