"""Runs the cases of cases.tsv with what a program can do, and prints a line for each."""

import os
from collections import namedtuple

Case = namedtuple("Case", "name action circuit options method parameters code contains")

APP_ID, PRIVATE_KEY = "423004", "7815696ecbf1c96e6894b779456d330e"
SECRET_KEY, SESSION_KEY = "3dad9cbf9baaa0360c0f2ba372d25716", "be6ef89965d58e56dec21acb9b62bdaa"
REDIRECT_URI = "https://example.org/login"
UID, EMAIL, PASSWORD = "1324730981306483817", "demo@mail.ru", "demo"


def given(column):
    return None if column == "-" else column


def verdict(case, act):
    """act(case) returns a code's name and a text; what it raises is a failure of the program's own."""
    try:
        name, text = act(case)
    except Exception as error:
        return f"FAIL {case.name} {error!r}"
    if name == case.code and (case.contains == "-" or case.contains in text):
        return f"ok {case.name}"
    return f"FAIL {case.name} {name} {text}"


def run(act):
    with open(os.environ["MAILRU_CASES"], encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                print(verdict(Case(*line.rstrip("\n").split("\t")), act), flush=True)
