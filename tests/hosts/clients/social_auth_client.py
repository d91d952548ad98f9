"""The Mail.ru login of social-auth-core as it is, against the sandbox: only its addresses are others. Prints "done"."""

import sys
import urllib.error
import urllib.parse
import urllib.request

from social_core.backends import mailru
from social_core.storage import UserMixin
from social_core.strategy import BaseStrategy

BASE = sys.argv[1]
SETTINGS = {"KEY": "423004", "SECRET": "3dad9cbf9baaa0360c0f2ba372d25716", "REDIRECT_IS_HTTPS": False}


class Nonce:
    """What says that a login's state is used once; there is one login here."""

    @staticmethod
    def use(scope, timestamp, state):
        return True

    @staticmethod
    def consume(scope, timestamp, state):
        return True


class Storage:
    """No users are kept: the login is followed up to what is known of the user."""

    user, nonce = UserMixin, Nonce


class Strategy(BaseStrategy):
    """A site, as far as a login needs one."""

    def __init__(self):
        self.session, self.request = {}, {}
        super().__init__(Storage())

    def get_setting(self, name):
        if name.startswith("SOCIAL_AUTH_MAILRU_OAUTH2_"):
            return SETTINGS[name.removeprefix("SOCIAL_AUTH_MAILRU_OAUTH2_")]
        raise KeyError(name)

    def request_data(self, merge=True):
        return self.request

    def request_host(self):
        return "site.example"

    def build_absolute_uri(self, path=None):
        return urllib.parse.urljoin("http://site.example", path or "")

    def session_get(self, name, default=None):
        return self.session.get(name, default)

    def session_set(self, name, value):
        self.session[name] = value

    def session_pop(self, name):
        return self.session.pop(name, None)

    def session_setdefault(self, name, value):
        return self.session.setdefault(name, value)


class Backend(mailru.MailruOAuth2):
    """Its backend, pointed at the sandbox."""

    AUTHORIZATION_URL = BASE + "/oauth/authorize"
    ACCESS_TOKEN_URL = BASE + "/oauth/token"

    def get_json(self, url, *args, **kwargs):
        return super().get_json(url.replace("https://www.appsmail.ru", BASE), *args, **kwargs)


class Stay(urllib.request.HTTPRedirectHandler):
    """Shows where a browser would be sent."""

    def redirect_request(self, *args):
        return None


def browse(url):
    try:
        urllib.request.build_opener(Stay).open(url)
    except urllib.error.HTTPError as answer:
        return answer.headers["location"]
    raise AssertionError("no redirect")


strategy = Strategy()
backend = Backend(strategy, redirect_uri="http://site.example/complete/mailru-oauth2/")
back = urllib.parse.urlsplit(browse(backend.auth_url()))
strategy.request = backend.data = dict(urllib.parse.parse_qsl(back.query))
backend.validate_state()
tokens = backend.request_access_token(
    backend.access_token_url(),
    data=backend.auth_complete_params(),
    headers=backend.auth_headers(),
    auth=backend.auth_complete_credentials(),
    method=backend.ACCESS_TOKEN_METHOD,
)
user = backend.user_data(tokens["access_token"])
details = backend.get_user_details(user)
assert details["email"] == "demo@mail.ru", details
assert details["first_name"] == "Мария" and user["uid"] == "1324730981306483817", user
print("done")
