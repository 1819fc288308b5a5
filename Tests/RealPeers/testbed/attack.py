"""A device that says whatever it is told to, byte by byte, and the table of attacks it is told."""
import json
import os
import re
import select
import socket
import ssl
import time

from . import network
from .edge import ADDRESS
from .pbx import DOMAIN
from .sip import Message, answer_challenge, token

TABLE = os.path.join(os.path.dirname(__file__), '..', 'data', 'abuse.jsonl')
CARRIAGES = ('udp', 'tcp', 'split', 'tls')


def table():
    with open(TABLE) as file:
        return [json.loads(line) for line in file]


class Attacker:
    """One device on one socket. `carriage` is udp, tcp, tls (`ca` checks the edge), or split: TCP with one byte a segment."""

    def __init__(self, name, carriage, local, ca=None):
        self.name, self.carriage, self.local, self.ca = name, carriage, local, ca
        self.transport = 'tcp' if carriage == 'split' else carriage
        self.socket, self.stream, self.number = None, b'', 0
        self.reconnect()

    def reconnect(self):
        """A fresh socket, with the device registered on it."""
        self.close()
        self.stream = b''
        if self.transport == 'udp':
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((self.local, 0))
            self.socket.connect((ADDRESS, 5060))
        else:
            port = 5061 if self.transport == 'tls' else 5060
            self.socket = socket.create_connection((ADDRESS, port), 5, source_address=(self.local, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.transport == 'tls':
                context = ssl.create_default_context(cafile=self.ca)
                self.socket = context.wrap_socket(self.socket, server_hostname=ADDRESS)
        self.port = self.socket.getsockname()[1]
        row = {'method': 'REGISTER', 'uri': f'sip:{DOMAIN}', 'headers': [{'name': 'To', 'value': f'<sip:{self.name}@{DOMAIN}>'}]}
        carriage, self.carriage = self.carriage, self.transport
        status = self.attack(row, f'register-{self.name}-{token(4)}', 5)
        self.carriage = carriage
        if status != 200:
            raise AssertionError(f'{self.name} could not register: {status}')

    def close(self):
        if self.socket:
            self.socket.close()

    # What is said.

    def written(self, row, call_id, branch, authorization=None):
        method, end = row['method'], row.get('lineEnd', '\r\n')
        body = row.get('body', '')
        usual = [['Via', f'SIP/2.0/{self.transport.upper()} {self.local}:{self.port};branch={branch};rport'],
                 ['Max-Forwards', '70'], ['From', f'<sip:{self.name}@{DOMAIN}>;tag=ft'], ['To', f'<sip:somebody@{DOMAIN}>'],
                 ['Call-ID', call_id], ['CSeq', f'{self.number} {method}'],
                 ['Contact', f'<sip:{self.name}@{self.local}:{self.port}>'], ['Content-Length', str(len(body.encode()))]]
        if body and not any(line.startswith('c:') for line in row.get('lines', ())):
            usual.append(['Content-Type', 'application/sdp'])
        if method == 'REFER' and not any(line.startswith('Refer-To') for line in row.get('lines', ())):
            usual.append(['Refer-To', f'<sip:102@{DOMAIN}>'])
        if authorization:
            usual.append(['Authorization' if method == 'REGISTER' else 'Proxy-Authorization', authorization])
        for header in row.get('headers', ()):
            name, value = header['name'], header.get('value')
            value = value and value.replace('HD0001', self.name)
            place = next((i for i, line in enumerate(usual) if line[0] == name), None)
            if place is None:
                usual += [[name, value]] if value is not None else []
            elif value is None:
                del usual[place]
            else:
                usual[place][1] = value
        lines = [f'{method} {row["uri"]}{row.get("version", " SIP/2.0")}'] + row.get('lines', [])
        lines += [f'{name}: {value}' for name, value in usual]
        return (end.join(lines) + end + end + body).encode()

    def say(self, data):
        if self.carriage == 'split':
            for index in range(len(data)):
                self.socket.sendall(data[index:index + 1])
        else:
            self.socket.sendall(data)

    def attack(self, row, call_id, seconds):
        """Sends a request, answers a challenge, acknowledges a refusal; the last final status, or None."""
        status, authorization = None, None
        for _ in range(2):
            self.number += 1
            branch = f'z9hG4bK{token(6)}'
            try:
                self.say(self.written(row, call_id, branch, authorization))
                answer = self.final(seconds, branch if not any(h['name'] == 'Via' for h in row.get('headers', ())) else '')
            except OSError:
                return status
            if answer is None:
                return status
            status = answer.status
            if row['method'] == 'INVITE':
                self.acknowledge(row, answer)
            challenge = answer.get('WWW-Authenticate') or answer.get('Proxy-Authenticate')
            if status not in (401, 407) or not challenge:
                return status
            authorization = answer_challenge(challenge, row['method'], row['uri'], self.name, f'demo-{self.name}')
        return status

    def acknowledge(self, row, answer):
        fields = [(name, answer.get(name)) for name in ('Via', 'From', 'To', 'Call-ID')]
        fields += [('CSeq', f'{answer.cseq} ACK'), ('Max-Forwards', '70')]
        method = 'ACK' if answer.status >= 300 else 'BYE'
        if method == 'BYE':
            self.socket.sendall(Message(f'ACK {row["uri"]} SIP/2.0', fields).encoded())
            fields[0] = ('Via', f'SIP/2.0/{self.transport.upper()} {self.local}:{self.port};branch=z9hG4bK{token(6)};rport')
            fields[4] = ('CSeq', f'{answer.cseq + 1} BYE')
        self.socket.sendall(Message(f'{method} {row["uri"]} SIP/2.0', fields).encoded())

    # What is heard.

    def final(self, seconds, branch):
        """The final response to that branch ('': to any), within `seconds`."""
        end = time.monotonic() + seconds
        while True:
            message = self.next_message(end - time.monotonic())
            if message is None:
                return None
            if message.is_response and message.status >= 200 and branch in message.get('Via'):
                return message
            if not message.is_response and message.method != 'ACK':
                self.answer(message)

    def answer(self, request):
        fields = [('Via', v) for v in request.all('Via')] + [(n, request.get(n)) for n in ('From', 'To', 'Call-ID', 'CSeq')]
        self.socket.sendall(Message('SIP/2.0 200 OK', fields).encoded())

    def next_message(self, seconds):
        end = time.monotonic() + seconds
        while True:
            taken = self.taken()
            if taken:
                return Message.parse(taken)
            left = end - time.monotonic()
            pending = self.transport == 'tls' and self.socket.pending()
            if not pending and left <= 0 or not pending and not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                data = self.socket.recv(65536)
            except ConnectionRefusedError:
                continue
            if not data:
                raise OSError('the edge has closed the connection')
            if self.transport == 'udp':
                return Message.parse(data)
            self.stream += data

    def taken(self):
        self.stream = self.stream.lstrip(b'\r\n')
        head, found, rest = self.stream.partition(b'\r\n\r\n')
        if not found:
            return None
        length = int((re.search(rb'(?im)^content-length:\s*(\d+)', head) or [0, 0])[1])
        if len(rest) < length:
            return None
        self.stream = rest[length:]
        return head + found + rest[:length]
