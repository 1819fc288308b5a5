"""How a phone fetches a file: plain HTTP/1.1 over a socket of its own address, as handsets do."""
import hashlib
import http.client
import re
import ssl
import urllib.parse
from dataclasses import dataclass, field


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    authenticate: list = field(default_factory=list)

    @property
    def challenges(self):
        """The parameters of each WWW-Authenticate, in order."""
        return [{name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', value)} for value in self.authenticate]

    @property
    def identity(self):
        """What an outsider can tell apart: status, headers but for the date, body."""
        return self.status, tuple(sorted((n, v) for n, v in self.headers.items() if n != 'date')), self.body


class Fetcher:
    """Fetches from one source address; every exchange is kept in `seen` as (method, path, status)."""

    def __init__(self, source, user_agent=None, context=None):
        self.source, self.user_agent, self.context = source, user_agent, context
        self.seen = []
        #: User and password that a challenge is answered with; the algorithms the phone knows.
        self.credentials, self.algorithms = (), ('MD5',)
        self._nonce, self._count = None, 0

    def request(self, method, url, body=None, headers=None, seconds=10.0):
        """As phones do: a challenge is answered once, with the first of the algorithms that the phone knows."""
        answer = self._request(method, url, body, headers, seconds)
        if answer.status != 401 or not self.credentials:
            return answer
        parts = urllib.parse.urlsplit(url)
        target = (parts.path or '/') + (f'?{parts.query}' if parts.query else '')
        for challenge in answer.challenges:
            if challenge['algorithm'] in self.algorithms:
                fields = dict(headers or {}) | {'Authorization': self.authorization(challenge, method, target)}
                return self._request(method, url, body, fields, seconds)
        return answer

    def authorization(self, challenge, method, target, count=None):
        digest = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256}[challenge['algorithm']]
        hashed = lambda text: digest(text.encode()).hexdigest()  # noqa: E731
        user, password = self.credentials
        self._count = self._count + 1 if challenge['nonce'] == self._nonce else 1
        self._nonce = challenge['nonce']
        nc, cnonce = f'{count or self._count:08x}', 'c0ffee'
        response = hashed(':'.join([hashed(f'{user}:{challenge["realm"]}:{password}'), challenge['nonce'], nc, cnonce, 'auth', hashed(f'{method}:{target}')]))
        return (f'Digest username="{user}", realm="{challenge["realm"]}", nonce="{challenge["nonce"]}", uri="{target}", algorithm={challenge["algorithm"]}, '
                f'response="{response}", qop=auth, nc={nc}, cnonce="{cnonce}"')

    def _request(self, method, url, body, headers, seconds):
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == 'https' else http.client.HTTPConnection
        options = {'context': self.context or ssl.create_default_context()} if parts.scheme == 'https' else {}
        connection = kind(parts.hostname, parts.port, timeout=seconds, source_address=(self.source, 0), **options)
        fields = dict(headers or {})
        if self.user_agent:
            fields.setdefault('User-Agent', self.user_agent)
        path = (parts.path or '/') + (f'?{parts.query}' if parts.query else '')
        try:
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            answer = Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read(), response.headers.get_all('WWW-Authenticate') or [])
        finally:
            connection.close()
        self.seen.append((method, path, answer.status))
        return answer

    def get(self, url, **options):
        return self.request('GET', url, **options)


def digest_of(data):
    return hashlib.md5(data).hexdigest()
