"""A small scriptable SIP user agent on plain sockets: says exactly what the test wants said.

It follows the rules a test relies on (digest, retransmission over UDP, ACK) and nothing more; `send_bytes` breaks
every rule there is."""
import hashlib
import os
import re
import select
import socket
import ssl
import time
from dataclasses import dataclass, field

from . import network
from .processes import PeerError

_T1 = 0.5


def token(size=8):
    return os.urandom(size).hex()


@dataclass
class Message:
    """A request or a response: the start line, header fields in order, the body."""
    start: str
    headers: list = field(default_factory=list)
    body: bytes = b''

    @classmethod
    def parse(cls, data):
        head, _, body = data.partition(b'\r\n\r\n')
        lines = re.sub(r'\r\n[ \t]+', ' ', head.decode('utf-8', 'replace')).split('\r\n')
        headers = []
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers.append((name.strip(), value.strip()))
        return cls(lines[0], headers, body)

    _COMPACT = {'v': 'via', 'f': 'from', 't': 'to', 'i': 'call-id', 'm': 'contact', 'l': 'content-length',
                'c': 'content-type', 'k': 'supported', 'e': 'content-encoding', 's': 'subject', 'o': 'event'}

    def all(self, name):
        wanted = name.lower()
        return [v for n, v in self.headers if self._COMPACT.get(n.lower(), n.lower()) == wanted]

    def get(self, name, default=''):
        return next(iter(self.all(name)), default)

    @property
    def is_response(self):
        return self.start.startswith('SIP/2.0 ')

    @property
    def status(self):
        return int(self.start.split(' ', 2)[1]) if self.is_response else 0

    @property
    def reason(self):
        return self.start.split(' ', 2)[2] if self.is_response else ''

    @property
    def method(self):
        return self.get('CSeq').split()[-1] if self.is_response else self.start.split(' ', 1)[0]

    @property
    def uri(self):
        return '' if self.is_response else self.start.split(' ')[1]

    @property
    def cseq(self):
        return int(self.get('CSeq', '0').split()[0])

    @property
    def call_id(self):
        return self.get('Call-ID')

    def tag(self, name):
        found = re.search(r';\s*tag=([^;>\s]+)', self.get(name).rpartition('>')[2] or self.get(name), re.I)
        return found.group(1) if found else ''

    @property
    def branch(self):
        found = re.search(r';\s*branch=([^;,\s]+)', self.get('Via'), re.I)
        return found.group(1) if found else ''

    def encoded(self):
        head = [self.start] + [f'{name}: {value}' for name, value in self.headers if name.lower() != 'content-length']
        head.append(f'Content-Length: {len(self.body)}')
        return '\r\n'.join(head).encode() + b'\r\n\r\n' + self.body


def address_of(value):
    """The URI of a name-addr or addr-spec."""
    found = re.search(r'<([^>]*)>', value)
    return found.group(1) if found else value.split(';')[0].strip()


def answer_challenge(challenge, method, uri, user, password, count=1):
    """Digest credentials (RFC 7616) for a WWW-Authenticate or Proxy-Authenticate value."""
    fields = {name.lower(): quoted or bare
              for name, quoted, bare in re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))', challenge)}
    algorithm = fields.get('algorithm', 'MD5')
    digest = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256}.get(algorithm.upper())
    if digest is None:
        raise PeerError(f'cannot answer a challenge with {algorithm}')
    h = lambda text: digest(text.encode()).hexdigest()
    realm, nonce = fields.get('realm', ''), fields.get('nonce', '')
    a1, a2 = h(f'{user}:{realm}:{password}'), h(f'{method}:{uri}')
    values = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', f'algorithm={algorithm}']
    if 'auth' in [q.strip() for q in fields.get('qop', '').split(',')]:
        cnonce, nc = token(), f'{count:08x}'
        values += [f'response="{h(f"{a1}:{nonce}:{nc}:{cnonce}:auth:{a2}")}"', 'qop=auth', f'nc={nc}', f'cnonce="{cnonce}"']
    else:
        values.append(f'response="{h(f"{a1}:{nonce}:{a2}")}"')
    if 'opaque' in fields:
        values.append(f'opaque="{fields["opaque"]}"')
    return 'Digest ' + ', '.join(values)


def offer(address, port=30000, direction='sendrecv', formats='8 0 101'):
    """An SDP offer for one audio stream."""
    lines = ['v=0', f'o=- {int(time.time())} 1 IN IP4 {address}', 's=-', f'c=IN IP4 {address}', 't=0 0',
             f'm=audio {port} RTP/AVP {formats}', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:0 PCMU/8000',
             'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15', 'a=ptime:20', f'a={direction}']
    return ('\r\n'.join(lines) + '\r\n').encode()


@dataclass
class Dialog:
    """What a UAC or UAS must remember between requests."""
    call_id: str
    local: str
    remote: str
    target: str
    routes: list
    cseq: int


class SIPClient:
    """One user agent on one socket. `server` is where everything goes; over TLS `context` checks the far end."""

    def __init__(self, user, password, domain, server, local=network.address(14), transport='udp', context=None,
                 server_name=None, auth_user=None, port=0):
        self.user, self.password, self.domain, self.server = user, password, domain, server
        self.auth_user = auth_user or user
        self.transport = transport
        self._inbox, self._stream, self._nonce_count = [], b'', 0
        #: The credentials it has shown last.
        self.shown = None
        if transport == 'udp':
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((local, port))
        else:
            self.socket = socket.create_connection(server, 5, source_address=(local, port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if transport == 'tls':
                self.socket = (context or ssl.create_default_context()).wrap_socket(
                    self.socket, server_hostname=server_name or domain)
        self.local, self.port = self.socket.getsockname()[:2]
        self.contact = f'<sip:{user}@{self.local}:{self.port};transport={transport}>'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # Bytes.

    def send_bytes(self, data):
        if self.transport == 'udp':
            self.socket.sendto(data, self.server)
        else:
            self.socket.sendall(data)

    def send(self, message):
        self.send_bytes(message.encoded())

    def _receive(self, seconds):
        """One more message within `seconds`, or None; an exception where the connection was closed."""
        end = time.monotonic() + seconds
        while True:
            message = self._next_of_stream()
            if message:
                return message
            left = end - time.monotonic()
            pending = self.transport == 'tls' and self.socket.pending()
            if left < 0 or not (pending or select.select([self.socket], [], [], left)[0]):
                return None
            if self.transport == 'udp':
                try:
                    data = self.socket.recv(65535)
                except ConnectionRefusedError:
                    continue
                if data.strip():
                    return Message.parse(data)
            else:
                data = self.socket.recv(65535)
                if not data:
                    raise ConnectionResetError('the far end closed the connection')
                self._stream += data

    def _next_of_stream(self):
        self._stream = self._stream.lstrip(b'\r\n')
        head, found, rest = self._stream.partition(b'\r\n\r\n')
        if not found:
            return None
        length = re.search(rb'(?im)^(?:content-length|l)\s*:\s*(\d+)', head)
        size = int(length.group(1)) if length else 0
        if len(rest) < size:
            return None
        self._stream = rest[size:]
        return Message.parse(head + found + rest[:size])

    def wait(self, wanted, seconds=5.0):
        """The first message, old or new, for which `wanted` is true; it is taken out of the inbox. Or None."""
        end = time.monotonic() + seconds
        while True:
            for message in self._inbox:
                if wanted(message):
                    self._inbox.remove(message)
                    return message
            left = end - time.monotonic()
            message = self._receive(left) if left > 0 else None
            if message is None:
                return None
            self._inbox.append(message)

    def wait_request(self, method, seconds=5.0):
        return self.wait(lambda m: not m.is_response and m.method == method, seconds)

    # Requests.

    def build(self, method, uri, call_id=None, from_tag=None, to=None, cseq=1, headers=(), body=b'', branch=None,
              routes=(), from_value=None, contact=True):
        """A request with the mandatory header fields; `headers` come behind them."""
        fields = [
            ('Via', f'SIP/2.0/{self.transport.upper()} {self.local}:{self.port};rport;branch={branch or "z9hG4bK" + token()}'),
            ('Max-Forwards', '70'),
            ('From', from_value or f'<sip:{self.user}@{self.domain}>;tag={from_tag or token()}'),
            ('To', to or f'<{uri}>'), ('Call-ID', call_id or token(12)), ('CSeq', f'{cseq} {method}')]
        fields += [('Route', route) for route in routes]
        if contact and method in ('INVITE', 'REGISTER', 'SUBSCRIBE', 'REFER', 'UPDATE', 'NOTIFY'):
            fields.append(('Contact', self.contact))
        fields.append(('User-Agent', 'probe'))
        return Message(f'{method} {uri} SIP/2.0', fields + list(headers), body)

    def transact(self, request, seconds=8.0, on_provisional=None):
        """Sends, repeats over UDP as RFC 3261 §17.1 says, and gives the final response (or None). The ACK of a
        failed INVITE is sent."""
        branch, started, interval = request.branch, time.monotonic(), _T1
        wanted = lambda m: m.is_response and m.branch == branch and m.cseq == request.cseq
        self.send(request)
        again, provisional = started + interval, False
        while True:
            now = time.monotonic()
            if now - started > seconds:
                return None
            patience = min(started + seconds, again) - now if self.transport == 'udp' else started + seconds - now
            response = self.wait(wanted, max(patience, 0.01))
            if response is None:
                if self.transport == 'udp' and time.monotonic() >= again:
                    if not (provisional and request.method == 'INVITE'):
                        self.send(request)
                    interval = min(interval * 2, 4.0)
                    again = time.monotonic() + interval
                continue
            if response.status < 200:
                provisional = True
                if on_provisional:
                    on_provisional(response)
                continue
            if request.method == 'INVITE' and response.status >= 300:
                self._acknowledge_failure(request, response)
            return response

    def _acknowledge_failure(self, request, response):
        fields = [('Via', request.get('Via')), ('Max-Forwards', '70'), ('From', request.get('From')),
                  ('To', response.get('To')), ('Call-ID', request.call_id), ('CSeq', f'{request.cseq} ACK')]
        fields += [('Route', r) for r in request.all('Route')]
        self.send(Message(f'ACK {request.uri} SIP/2.0', fields))

    def request(self, method, uri, seconds=8.0, authenticate=True, on_provisional=None, **parts):
        """Builds, sends and answers one challenge. Gives the request that was sent last and its response."""
        request = self.build(method, uri, **parts)
        response = self.transact(request, seconds, on_provisional)
        for status, asks, answers in ((401, 'WWW-Authenticate', 'Authorization'),
                                      (407, 'Proxy-Authenticate', 'Proxy-Authorization')):
            if authenticate and response and response.status == status and response.get(asks):
                self._nonce_count += 1
                credentials = self.shown = answer_challenge(response.get(asks), method, uri, self.auth_user, self.password)
                request.headers = [(n, v) for n, v in request.headers if n not in ('Via', 'CSeq')]
                via = f'SIP/2.0/{self.transport.upper()} {self.local}:{self.port};rport;branch=z9hG4bK{token()}'
                request.headers[:0] = [('Via', via), ('CSeq', f'{parts.get("cseq", 1) + 1} {method}')]
                request.headers.append((answers, credentials))
                response = self.transact(request, seconds, on_provisional)
                break
        return request, response

    def register(self, expires=60, **parts):
        self._registration = getattr(self, '_registration', None) or token(12)
        self._registration_cseq = getattr(self, '_registration_cseq', 0) + 2
        uri = f'sip:{self.domain}'
        _, response = self.request(
            'REGISTER', uri, call_id=self._registration, cseq=self._registration_cseq,
            to=f'<sip:{self.user}@{self.domain}>', headers=[('Expires', str(expires))], **parts)
        return response

    def uri(self, target):
        return target if ':' in target else f'sip:{target}@{self.domain}'

    def invite(self, target, seconds=10.0, body=None, headers=(), on_provisional=None, **parts):
        """Calls; the final response, and the dialog where it is a 2xx (its ACK is sent)."""
        uri = self.uri(target)
        sdp = offer(self.local) if body is None else body
        fields = ([('Content-Type', 'application/sdp')] if sdp else []) + list(headers)
        request, response = self.request('INVITE', uri, seconds, on_provisional=on_provisional, body=sdp,
                                         headers=fields, **parts)
        if response is None or response.status >= 300:
            return response, None
        dialog = self.dialog(request, response)
        self.send(self.in_dialog(dialog, 'ACK', cseq=request.cseq))
        return response, dialog

    def dialog(self, request, response):
        """The dialog of the calling side that a 2xx makes."""
        return Dialog(request.call_id, request.get('From'), response.get('To'), address_of(response.get('Contact')),
                      response.all('Record-Route')[::-1], request.cseq)

    def in_dialog(self, dialog, method, cseq=None, headers=(), body=b''):
        if cseq is None:
            dialog.cseq += 1
            cseq = dialog.cseq
        return self.build(method, dialog.target, call_id=dialog.call_id, from_value=dialog.local, to=dialog.remote,
                          cseq=cseq, routes=dialog.routes, headers=headers, body=body)

    def say(self, dialog, method, seconds=5.0, **parts):
        """A request inside a dialog; its final response."""
        return self.transact(self.in_dialog(dialog, method, **parts), seconds)

    def press_by_info(self, dialog, digits, kind='relay'):
        """Keys by SIP INFO, in one of the two forms phones use; the responses' status codes."""
        statuses = []
        for digit in digits:
            if kind == 'relay':
                headers, body = [('Content-Type', 'application/dtmf-relay')], f'Signal={digit}\r\nDuration=160\r\n'
            else:
                headers, body = [('Content-Type', 'application/dtmf')], digit
            response = self.say(dialog, 'INFO', headers=headers, body=body.encode())
            statuses.append(response.status if response else 0)
        return statuses

    def hang_up(self, dialog):
        response = self.say(dialog, 'BYE')
        return response.status if response else 0

    # Answers.

    def reply(self, request, status, reason='OK', headers=(), body=b'', to_tag=None):
        fields = [('Via', v) for v in request.all('Via')]
        fields += [('Record-Route', r) for r in request.all('Record-Route')]
        to = request.get('To')
        if status > 100 and not request.tag('To'):
            to += f';tag={to_tag or "t" + request.branch[-12:]}'
        fields += [('From', request.get('From')), ('To', to), ('Call-ID', request.call_id), ('CSeq', request.get('CSeq'))]
        if request.method in ('INVITE', 'SUBSCRIBE', 'REFER') and 100 < status < 300:
            fields.append(('Contact', self.contact))
        self.send(Message(f'SIP/2.0 {status} {reason}', fields + list(headers), body))

    def accept(self, request, body=None):
        """200 to an INVITE; the dialog of the called side."""
        self.reply(request, 200, headers=[('Content-Type', 'application/sdp')],
                   body=offer(self.local) if body is None else body)
        return Dialog(request.call_id, request.get('To') + f';tag=t{request.branch[-12:]}', request.get('From'),
                      address_of(request.get('Contact')), request.all('Record-Route'), 0)
