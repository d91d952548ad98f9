#!/usr/bin/env python3
"""A second signer and a second encoder, which share no code with the library: Python's hashlib, json and urllib.

    judge.py judge            reads what mailru_sign and mailru_authorize_url answered, one case a line, and checks it
    judge.py make SEED COUNT  prints redirects and signed queries with what the library must say of them
"""

import hashlib
import json
import random
import string
import sys
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

SECRET_KEY = "3dad9cbf9baaa0360c0f2ba372d25716"


class Number(str):
    """A number as it was written."""


def read(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def scalar(value):
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def is_scalar(value):
    return isinstance(value, (str, bool))


def fits(given, sent):
    """Whether this text may be sent for this value."""
    if is_scalar(given):
        return sent == scalar(given)
    if isinstance(given, list) and all(map(is_scalar, given)):
        return sent == ",".join(map(scalar, given))
    return read(sent) == given


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def judge_signature(case):
    given = {name: value for name, value in read(case["given"]).items() if value is not None}
    shown, own = case["answer"], dict(case["own"])
    sent = dict(shown["params"])
    assert sent.pop("sig") == shown["sig"]
    assert sent.keys() == given.keys() | own.keys(), "other names"
    for name, value in own.items():
        assert sent[name] == value, name
    for name, value in given.items():
        assert fits(value, sent[name]), name
    pairs = sorted(sent.items(), key=lambda pair: pair[0].encode())
    text = case["uid"] + "".join(f"{name}={value}" for name, value in pairs)
    assert shown["sig"] == md5(text + case["key"]), "another signature"
    assert shown["base"].rsplit("<", 1)[0] == text, "another text"
    query = urlencode(pairs + [("sig", shown["sig"])], quote_via=quote, safe="")
    address, _, own_query = shown["url"].partition("?")
    assert address == case["address"]
    assert sorted(own_query.split("&")) == sorted(query.split("&")), "another encoding"


def judge_address(case):
    query = dict(parse_qsl(urlsplit(case["url"]).query, strict_parsing=True, keep_blank_values=True, errors="strict"))
    for name, value in case["given"].items():
        assert query.get(name) == value, name


def judge():
    count = 0
    for line in sys.stdin:
        case = json.loads(line)
        try:
            (judge_address if "url" in case else judge_signature)(case)
        except (AssertionError, KeyError, ValueError) as problem:
            sys.exit(f"{type(problem).__name__} {problem}: {line}")
        count += 1
    print(count)


def text(choices, longest=12):
    alphabets = [string.ascii_letters + string.digits, string.punctuation + " ", "абвгдёЖЩ", "\U0001f600\u00e9\u4e2d"]
    return "".join(choices.choice(choices.choice(alphabets)) for _ in range(choices.randrange(longest)))


def digits(choices):
    return str(choices.randrange(1, 10 ** choices.randrange(1, 20)))


def encoded(choices, pairs):
    """In one of the two ways in which browsers write a space."""
    return urlencode(pairs, quote_via=choices.choice([quote, quote_plus]))


def make_redirect(choices):
    state, code = "s" + text(choices), "c" + text(choices)
    pairs = [("code", code), ("state", state)]
    choices.shuffle(pairs)
    mark = choices.choice("?#")
    fits = choices.random() < 0.8
    return {
        "url": "https://example.org/back" + mark + encoded(choices, pairs),
        "state": state if fits else state + "x",
        "expected": code if fits else None,
    }


def make_query(choices):
    payment = {
        "app_id": digits(choices), "transaction_id": digits(choices), "service_id": digits(choices),
        "uid": digits(choices), choices.choice(["other_price", "mailiki_price", "sms_price"]): digits(choices),
    }
    if choices.random() < 0.5:
        payment["profit"] = digits(choices)
    if choices.random() < 0.3:
        payment["debug"] = "1"
    sig = md5("".join(f"{name}={payment[name]}" for name in sorted(payment)) + SECRET_KEY)
    expected = dict(payment)
    change = choices.randrange(6)
    if change == 0:
        name = choices.choice(sorted(payment))
        payment[name], expected = digits(choices) + payment[name], None
    elif change == 1:
        sig, expected = sig[:-1] + ("0" if sig[-1] != "0" else "1"), None
    pairs = list(payment.items()) + [("sig", sig)]
    choices.shuffle(pairs)
    return {"query": encoded(choices, pairs), "expected": expected}


def make(seed, count):
    choices = random.Random(seed)
    for number in range(count):
        print(json.dumps((make_redirect if number % 2 else make_query)(choices)))


if sys.argv[1] == "make":
    make(int(sys.argv[2]), int(sys.argv[3]))
else:
    judge()
