"""How a phone fetches a file: plain HTTP/1.1 over a socket of its own address, as handsets do."""
import hashlib
import http.client
import ssl
import urllib.parse
from dataclasses import dataclass


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def identity(self):
        """What an outsider can tell apart: status, headers but for the date, body."""
        return self.status, tuple(sorted((n, v) for n, v in self.headers.items() if n != 'date')), self.body


class Fetcher:
    """Fetches from one source address; every exchange is kept in `seen` as (method, path, status)."""

    def __init__(self, source, user_agent=None, context=None):
        self.source, self.user_agent, self.context = source, user_agent, context
        self.seen = []

    def request(self, method, url, body=None, headers=None, seconds=10.0):
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
            answer = Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            connection.close()
        self.seen.append((method, path, answer.status))
        return answer

    def get(self, url, **options):
        return self.request('GET', url, **options)


def digest_of(data):
    return hashlib.md5(data).hexdigest()
