"""The call that every client performs, and what the server answers."""

import hashlib
import json
from urllib.parse import quote

APP_ID = "423004"
PRIVATE_KEY = "7815696ecbf1c96e6894b779456d330e"
ACCESS_TOKEN = "be6ef89965d58e56dec21acb9b62bdaa"
UID = "1324730981306483817"
METHOD = "friends.get"
PARAMS = {
    "uid": "15410773191172635989",
    "ext": 1,
    "offset": 40,
    "limit": 20,
    "fields": "nick,birthday,pic_50",
    "query": "Евгений Маслов & Ко",
}

NAMES = [("Мария", "Соколова", "Маша"), ("Евгений", "Маслов", "Женя"), ("Ольга", "Ёлкина", "Оля \"Ёлка\""),
         ("Пётр", "Щукин", "Петя & Ко"), ("Анна", "Юрьева", "Аня 🎈")]


def query():
    """The signed query, made by other means than the clients'."""
    signed = {name: str(value) for name, value in PARAMS.items()}
    signed |= {"method": METHOD, "app_id": APP_ID, "session_key": ACCESS_TOKEN}
    base = UID + "".join(f"{name}={signed[name]}" for name in sorted(signed)) + PRIVATE_KEY
    signed = dict(sorted(signed.items())) | {"sig": hashlib.md5(base.encode()).hexdigest()}
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in signed.items())


def environment(url, ca_file=None):
    """What a client is told, as variables."""
    variables = {"URL": url, "QUERY": query(), "METHOD": METHOD, "PARAMS": json.dumps(PARAMS, ensure_ascii=False),
                 "APP_ID": APP_ID, "PRIVATE_KEY": PRIVATE_KEY, "ACCESS_TOKEN": ACCESS_TOKEN, "UID": UID}
    if ca_file:
        variables["CA_FILE"] = str(ca_file)
    return {f"BENCH_{name}": value for name, value in variables.items()}


def user(number):
    """One of the answer's users, with the fields that the platform documents."""
    first_name, last_name, nick = NAMES[number % len(NAMES)]
    page = f"user{number}"
    return {
        "uid": str(11425330190814458227 + number * 7919),
        "first_name": first_name,
        "last_name": last_name,
        "nick": nick,
        "sex": number % 2,
        "birthday": f"{number % 28 + 1:02}.{number % 12 + 1:02}.{1960 + number % 45}",
        "age": 66 - number % 45,
        "has_pic": 1,
        "pic": f"http://avt.appsmail.ru/mail/{page}/_avatar",
        "pic_50": f"http://avt.appsmail.ru/mail/{page}/_avatar50",
        "link": f"http://my.mail.ru/mail/{page}/",
        "is_online": number % 3 == 0,
        "friends_count": number * 31 % 500,
        "app_installed": number % 2,
        "location": {"country": {"id": "24", "name": "Россия"}, "city": {"id": "25", "name": "Москва"}},
    }


def answer(size):
    """A list of users of about so many bytes, as the server writes it."""
    users, length = [], 0
    while length < size:
        users.append(json.dumps(user(len(users)), ensure_ascii=False, separators=(",", ":")))
        length += len(users[-1].encode()) + 1
    return ("[" + ",".join(users) + "]").encode()
