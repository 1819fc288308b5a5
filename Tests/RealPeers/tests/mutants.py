"""Requests that nobody has thought of: the rows of the table of attacks, cut, crossed and mixed at random, sent to the real process
from idle and logged-in devices; judged at the PBX, and at its end by two foreign parsers as every test is."""
import os
import random
import re
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from testbed import network
from testbed.attack import Attacker, table
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import EMERGENCY
from testbed.pbx import DOMAIN, PSAP, TRUNK, USERS
from testbed.processes import Workspace
from testbed.sip import token

#: `make abuse` sends more, and others each time; it says which.
FULL = bool(os.environ.get('ABUSE_FULL'))
SEED, COUNT = (os.environ.get('SEED') or token(4), 3000) if FULL else ('edge', 150)
PEOPLE = {'100': ('Alice Smith', '4711'), '104': ('Dan Lee', '4711')}
#: Device, carriage, who sits there.
SEATS = (('HD0001', 'udp', None), ('HD0002', 'tcp', None), ('HD0003', 'udp', '100'), ('HD0004', 'tcp', '104'))
PIECES = ('%39', '%31%31', ';', ',', '?', '@', '<', '>', '"', '\\', ' ', '\t', '\r\n ', '\x7f', '\x00', ':', '#', '*', '+', '-', '.', '(', ')', '911', '112',
          '101', '100', 'HD0001', 'HD0002', 'boss', ';tag=null-tag', ';tag=x', '%2A77%2A', '*77*5*', 'tel:', 'sips:', 'urn:service:sos', ';user=phone',
          ';maddr=203.0.113.9', ';lr', '[::1]', '%00', '%0d%0a', 'é', '=', '&', "'", '/', '|', '~', '0', '9')
LINES = ('Route: <sip:203.0.113.9;lr>', 'Replaces: a;to-tag=b;from-tag=c', 'Referred-By: <sip:boss@x>', 'P-Asserted-Identity: <sip:boss@x>',
         'From : <sip:boss@x>;tag=q', 'f: <sip:boss@x>;tag=q', 'Supported: path', 'Require: x', 'Event: dialog', 'Expires: 0', 'Contact: <sip:boss@203.0.113.9>',
         'm: *', 'Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKx', f'To: <sip:101@{DOMAIN}>;tag=z', 'Refer-To: <sip:19005550100@x>', 'y: boss', 'X: \r\n boss', ' folded',
         'Max-Forwards: 1', 'Content-Encoding: gzip')
METHODS = ('INVITE', 'REFER', 'MESSAGE', 'SUBSCRIBE', 'PUBLISH', 'INFO', 'UPDATE', 'NOTIFY', 'BYE', 'ACK', 'CANCEL', 'PRACK', 'OPTIONS', 'invite', 'INVITE ', 'REGISTER')


class Mutator:
    def __init__(self, seed, name):
        self.random, self.name = random.Random(f'{seed} {name}'), name
        self.rows = [row for row in table() if row['idle']['what'] not in ('silence', 'unread')]

    def inserted(self, text):
        place = self.random.randint(0, len(text))
        return text[:place] + self.random.choice(PIECES) + text[place + self.random.choice((0, 0, 1)):]

    def next(self):
        row = dict(self.random.choice(self.rows))
        row['headers'], row['lines'] = [dict(header) for header in row['headers']], list(row['lines'])
        for _ in range(self.random.randint(1, 4)):
            self.random.choice((self.target, self.spelling, self.spelling, self.line, self.method, self.cross, self.header))(row)
        return row

    def target(self, row):
        row['uri'] = self.random.choice(self.rows)['uri']

    def spelling(self, row):
        row['uri'] = self.inserted(row['uri'])

    def line(self, row):
        row['lines'].insert(self.random.randint(0, len(row['lines'])), self.random.choice(LINES))

    def method(self, row):
        row['method'] = self.random.choice(METHODS)

    def cross(self, row):
        other = self.random.choice(self.rows)
        row['lines'], row['body'] = row['lines'] + other['lines'], other['body']

    def header(self, row):
        usual = {'From': f'<sip:{self.name}@{DOMAIN}>;tag=ft', 'To': f'<sip:101@{DOMAIN}>', 'Contact': f'<sip:{self.name}@127.0.0.1>',
                 'CSeq': f'77 {row["method"]}', 'Max-Forwards': '70'}
        name = self.random.choice(sorted(usual))
        row['headers'].append({'name': name, 'value': self.inserted(usual[name])})


class Mutants(unittest.TestCase):
    def attack(self, name, carriage, local):
        """Sends them; by Call-ID, what was sent."""
        mutator, attacker, sent = Mutator(SEED, name), Attacker(name, carriage, local), {}
        for number in range(COUNT):
            row, call_id = mutator.next(), f'mutant-{name}-{number}-x'
            sent[call_id] = row
            status = attacker.attack(row, call_id, 0.15)
            if status is None and carriage != 'udp':
                # It may wait for the rest of a message, or have closed the connection.
                attacker.reconnect()
        attacker.close()
        return sent

    def test_nobody_gets_further_by_chance(self):
        if FULL:
            print(f'\n  SEED={SEED}')
        with Workspace() as workspace:
            users = USERS | {number: f'demo-{number}' for number in PEOPLE}
            branch = Branch(workspace, plain_phones=True, people=PEOPLE, devices=tuple(name for name, _, _ in SEATS), pbx_options={'users': users},
                            outside_prefixes=('0', '9'))
            branch.start((), ())
            places = {name: network.address(60 + index) for index, (name, _, _) in enumerate(SEATS)}
            for name, _, person in SEATS:
                with Desk(name, local=places[name], domain=DOMAIN).sign_on() as desk:
                    if person:
                        log_in(branch.edge, desk, person, pin=PEOPLE[person][1])
            with ThreadPoolExecutor(len(SEATS)) as pool:
                runs = [pool.submit(self.attack, name, carriage, places[name]) for name, carriage, _ in SEATS]
                sent = {call: row for run in runs for call, row in run.result().items()}
            time.sleep(1)
            seated = {name: person for name, _, person in SEATS}
            seen = [r for r in branch.pbx.requests('seen', everything=True) if r.call_id in sent and r.method != 'ACK']
            self.assertGreater(len(seen), COUNT / 4)
            wrong = [(r.method, r.target, r.from_user, r.auth_user, sent[r.call_id]) for r in seen if not self.may(r, seated[re.search(r'HD\d+', r.call_id)[0]])]
            self.assertEqual(wrong[:5], [])
            self.assertEqual(branch.edge.status()['site'], 'branch-01', 'it is still there')

    @staticmethod
    def may(request, person):
        """Help for everybody; anything else for whoever sits there, in that person's name and by that person's credentials."""
        is_help = request.method in ('INVITE', 'CANCEL', 'BYE') and request.target in (*EMERGENCY, PSAP) and request.from_user in (TRUNK, person)
        return (is_help or request.from_user == person) and request.auth_user in ('', request.from_user)
