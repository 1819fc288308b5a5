"""What people do with calls: transfer, forward, write, watch, and the PIN for calls outside."""
import os
import socket
import ssl
import threading
import time
import unittest

from testbed import network, steps
from testbed.baresip import Baresip
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import PEOPLE
from testbed.interop import shows
from testbed.pbx import DOMAIN
from testbed.processes import PeerError, Workspace, wait_until
from testbed.sip import Dialog, SIPClient, address_of, offer

SESSION = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'testbed', 'desk_session.xml')

#: 102 and 103 are the PBX's, and no extensions of the site: calls to them are calls outside.
SITE_PEOPLE = {number: PEOPLE[number] for number in ('100', '101')}


class Services(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace)
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='manual')
        cls.bob, cls.carol = cls.branch.phone('101', answer='auto'), cls.branch.phone('102', answer='auto')
        steps.login(cls.branch, patient=False)

    def setUp(self):
        self.branch.forget()

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 8), 'a call is left at the edge')

    def dial(self, number, far):
        self.desk.dial(number)
        self.assertTrue(self.desk.established() and far.established())

    def forwarding_phone(self, number, password, target):
        """A phone at the PBX that sends each call on."""
        phone = SIPClient(number, password, DOMAIN, (network.PBX, 5060), network.address(35))
        self.addCleanup(phone.close)
        self.assertEqual(phone.register().status, 200)
        return phone

    @shows('blind-transfer')
    def test_blind_transfer(self):
        """The far end is sent to another number at the PBX; the desk is out of it then."""
        self.dial('101', self.bob)
        self.bob.mark()
        self.carol.mark()
        self.desk.command('transfer', f'sip:102@{network.EDGE}')
        refer = self.branch.pbx.wait_for(5, stage='accepted', method='REFER', from_user='100')
        self.assertIsNotNone(refer)
        self.assertTrue(self.carol.established(10), 'the one it was transferred to was not called')
        self.assertIsNotNone(self.branch.pbx.wait_for(5, stage='seen', method='INVITE', from_user='101', target='102'))
        self.desk.hang_up()
        self.bob.hang_up()

    @shows('forwarding')
    def test_call_forwarding_is_followed(self):
        """A 302 of the called, with an address of its own choice in it: the edge calls the number at the PBX."""
        forwarder = self.forwarding_phone('103', self.branch.pbx.users['103'], '102')
        self.desk.dial('103')
        invite = forwarder.wait_request('INVITE')
        forwarder.reply(invite, 302, 'Moved Temporarily', [('Contact', '<sip:102@203.0.113.9:5099>')])
        self.assertTrue(self.desk.established(10) and self.carol.established())
        self.assertIsNotNone(self.branch.pbx.wait_for(3, stage='accepted', method='INVITE', from_user='100', target='102'))
        self.desk.hang_up()
        self.assertIsNotNone(self.carol.closed())

    @shows('call-waiting', 'several-calls')
    def test_two_calls_at_once(self):
        """Call waiting: the second call rings while the first is up, and both are the desk's."""
        self.dial('101', self.bob)
        self.carol.dial('100')
        self.assertIsNotNone(self.desk.incoming())
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 2, 5))
        self.desk.answer()
        self.assertTrue(self.carol.established())
        self.desk.command('hangup')
        self.desk.command('hangup')
        self.assertIsNotNone(self.carol.closed())
        self.assertIsNotNone(self.bob.closed())


class PINProtection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace, people=SITE_PEOPLE, pin_protected=('100',))
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='manual')
        cls.bob, cls.carol = cls.branch.phone('101', answer='auto'), cls.branch.phone('102', answer='auto')
        steps.login(cls.branch, patient=False)

    def setUp(self):
        self.branch.forget()

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 8), 'a call is left at the edge')

    @shows('pin-protection')
    def test_inside_is_not_asked(self):
        self.desk.dial('101')
        self.assertTrue(self.desk.established())
        self.desk.hang_up()

    @shows('pin-protection', 'early-media')
    def test_outside_asks_and_the_same_call_goes_on(self):
        self.desk.dial('102')
        self.assertIsNotNone(self.desk.event('CALL_PROGRESS', seconds=5))
        self.assertFalse(self.branch.calls_at_pbx(), 'the PBX heard of the call before the PIN')
        self.desk.press('4711#')
        self.assertTrue(self.desk.established(10), self.branch.edge.log()[-1500:])
        self.assertTrue(self.carol.established())
        self.desk.rest(1.5)
        self.desk.hang_up()
        self.assertIsNotNone(self.carol.closed())
        steps.expect_tone(self.carol, self.branch.tone_of('HD0001'))
        self.assertNotIn('4711', self.branch.edge.log())

    @shows('pin-protection')
    def test_the_wrong_pin_calls_nobody(self):
        self.desk.dial('102')
        self.assertIsNotNone(self.desk.event('CALL_PROGRESS', seconds=5))
        self.desk.press('9999#')
        self.desk.rest(2)
        self.desk.hang_up()
        self.assertFalse(self.branch.calls_at_pbx())


class Sessions(unittest.TestCase):
    """What desk phones do in a call and baresip does not: SIPp is the phone, a scripted one its far end at Kamailio."""
    client = 'SIPp'

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace)
        cls.branch.start((), ())
        cls.desk = Desk('HD0001').sign_on()
        cls.addClassCleanup(cls.desk.close)
        log_in(cls.branch.edge, cls.desk)
        cls.far = SIPClient('101', cls.branch.pbx.users['101'], DOMAIN, (network.PBX, 5060), network.address(36))
        cls.addClassCleanup(cls.far.close)
        if cls.far.register().status != 200:
            raise PeerError('101 could not register at the PBX')

    def sipp(self):
        return self.workspace.start('sipp-desk', [
            'sipp', f'{network.EDGE}:5060', '-sf', SESSION, '-i', network.address(41), '-m', '1', '-nostdin', '-timeout', '20', '-trace_err',
            '-error_file', self.workspace.path('sipp-errors.log'),
            '-auth_uri', f'101@{DOMAIN}', '-key', 'device', 'HD0001', '-au', 'HD0001',
            '-ap', 'demo-HD0001'])

    @staticmethod
    def rest():
        """Two answers sent at once may overtake each other in Kamailio, whose processes share a socket."""
        time.sleep(0.5)

    def sipp_errors(self):
        path = self.workspace.path('sipp-errors.log')
        if not os.path.exists(path):
            return 'SIPp says nothing'
        with open(path, errors='replace') as file:
            return file.read()

    def take(self, method):
        request = self.far.wait_request(method)
        self.assertIsNotNone(request, f'no {method} came:\n{self.branch.edge.log()[-1500:]}')
        return request

    @shows('prack', 'early-media', 'update', 'session-timer', 'info', 're-invite', 'offerless')
    def test_a_session_with_everything_in_it(self):
        process = self.sipp()
        invite = self.take('INVITE')
        self.assertEqual(invite.get('From').split(';')[0], '"Alice Smith" <sip:100@pbx.example>')
        sdp = [('Content-Type', 'application/sdp')]
        self.far.reply(invite, 183, 'Session Progress', sdp + [('RSeq', '7'), ('Require', '100rel')], offer(self.far.local), 'far')
        prack = self.take('PRACK')
        self.assertEqual(prack.get('RAck'), f'7 {invite.get("CSeq")}')
        self.far.reply(prack, 200)
        self.rest()
        timer = [('Session-Expires', '1800;refresher=uac'), ('Require', 'timer'), ('Allow', 'INVITE, ACK, BYE, UPDATE, PRACK, INFO')]
        self.far.reply(invite, 200, 'OK', sdp + timer, offer(self.far.local), 'far')
        self.assertEqual(self.take('ACK').cseq, invite.cseq)
        update = self.take('UPDATE')
        self.assertEqual(update.get('Session-Expires'), '1800;refresher=uac')
        self.far.reply(update, 200, 'OK', timer)
        info = self.take('INFO')
        self.assertIn(b'hello', info.body)
        self.far.reply(info, 200)
        again = self.take('INVITE')
        self.assertEqual(again.body, b'')
        self.far.reply(again, 200, 'OK', sdp, offer(self.far.local))
        self.assertIn(f'c=IN IP4 {network.EDGE}'.encode(), self.take('ACK').body)
        self.far.reply(self.take('BYE'), 200)
        self.assertTrue(wait_until(lambda: not process.running, 10), 'SIPp waits for something')
        self.assertEqual(process.popen.returncode, 0, self.sipp_errors())
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 5))

    @shows('message', client='scripted')
    def test_messages(self):
        """Text both ways; what the desk writes is the person's."""
        text = [('Content-Type', 'text/plain')]
        done = in_background(lambda: self.desk.request('MESSAGE', f'sip:101@{DOMAIN}', headers=text, body=b'call me back')[1])
        message = self.take('MESSAGE')
        self.assertEqual((message.body, address_of(message.get('From'))), (b'call me back', f'sip:100@{DOMAIN}'))
        self.far.reply(message, 202, 'Accepted')
        self.assertEqual(done().status, 202)
        done = in_background(lambda: self.far.request('MESSAGE', f'sip:100@{DOMAIN}', headers=text, body=b'yes')[1])
        message = self.desk.wait_request('MESSAGE')
        self.assertEqual(message.body, b'yes')
        self.desk.reply(message, 200)
        self.assertEqual(done().status, 200)

    @shows('options', client='scripted')
    def test_options(self):
        """The PBX's side asks the desk; the desk's question ends at the edge."""
        done = in_background(lambda: self.far.request('OPTIONS', f'sip:100@{DOMAIN}')[1])
        self.desk.reply(self.desk.wait_request('OPTIONS'), 200)
        self.assertEqual(done().status, 200)
        self.assertEqual(self.desk.request('OPTIONS', f'sip:{DOMAIN}')[1].status, 200)

    @staticmethod
    def taken(request, tag):
        """The dialog of whoever takes a REFER or SUBSCRIBE."""
        return Dialog(request.call_id, request.get('To') + f';tag={tag}', request.get('From'), address_of(request.get('Contact')),
                      request.all('Record-Route'), 0)

    def tell(self, teller, dialog, listener, status, state):
        """How a transfer goes, from end to end."""
        fields = [('Event', 'refer'), ('Subscription-State', state), ('Content-Type', 'message/sipfrag')]
        told = in_background(lambda: teller.say(dialog, 'NOTIFY', headers=fields, body=f'SIP/2.0 {status}\r\n'.encode()))
        notify = listener.wait_request('NOTIFY')
        self.assertIsNotNone(notify, self.branch.edge.log()[-1500:])
        self.assertEqual((notify.body, notify.get('Event')), (f'SIP/2.0 {status}\r\n'.encode(), 'refer'))
        listener.reply(notify, 200)
        self.assertEqual(told().status, 200)

    @shows('refer-outside', client='scripted')
    def test_a_transfer_outside_a_call(self):
        """Click to dial: whoever sent it is told how it goes, in the dialog that the REFER has made."""
        for asker, asked, number in ((self.desk, self.far, '101'), (self.far, self.desk, '100')):
            with self.subTest(number):
                done = in_background(lambda: asker.request('REFER', f'sip:{number}@{DOMAIN}', headers=[('Refer-To', f'<sip:102@{DOMAIN}>')])[1])
                refer = asked.wait_request('REFER')
                self.assertIsNotNone(refer, self.branch.edge.log()[-1500:])
                self.assertEqual(refer.get('Refer-To'), f'<sip:102@{DOMAIN}>')
                asked.reply(refer, 202, 'Accepted', to_tag='taker')
                self.assertEqual(done().status, 202)
                dialog = self.taken(refer, 'taker')
                self.tell(asked, dialog, asker, '100 Trying', 'active;expires=60')
                self.tell(asked, dialog, asker, '486 Busy Here', 'terminated;reason=noresource')

    @shows('blf', client='scripted')
    def test_lamps(self):
        """A lamp that shows another number: dialog information in the watcher's terms, machines hidden."""
        fields = [('Event', 'dialog'), ('Accept', 'application/dialog-info+xml'), ('Expires', '600')]
        done = in_background(lambda: self.desk.request('SUBSCRIBE', f'sip:101@{DOMAIN}', headers=fields)[1])
        subscribe = self.take('SUBSCRIBE')
        self.far.reply(subscribe, 200, headers=[('Expires', '600')], to_tag='lamp')
        self.assertEqual(done().status, 200)
        body = (f'<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" '
                f'entity="sip:101@{network.PBX}"><dialog id="1"><state>confirmed</state></dialog></dialog-info>').encode()
        dialog = Dialog(subscribe.call_id, subscribe.get('To') + ';tag=lamp', subscribe.get('From'), address_of(subscribe.get('Contact')),
                        subscribe.all('Record-Route'), 0)
        fields = [('Event', 'dialog'), ('Subscription-State', 'active;expires=600'), ('Content-Type', 'application/dialog-info+xml')]
        done = in_background(lambda: self.far.say(dialog, 'NOTIFY', headers=fields, body=body))
        notify = self.desk.wait_request('NOTIFY')
        self.assertIsNotNone(notify)
        self.assertIn(f'entity="sip:101@{DOMAIN}"'.encode(), notify.body)
        self.assertNotIn(network.PBX.encode(), notify.body)
        self.desk.reply(notify, 200)
        self.assertEqual(done().status, 200)


class PlainPhones(unittest.TestCase):
    """Phones that are no hot desks, under their own credentials."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace, plain_phones=True)
        cls.branch.start((), ())
        cls.bob = cls.branch.phone('101', answer='auto')
        cls.plain = Baresip(cls.workspace, '102', cls.branch.pbx.users['102'], network.address(15), f'{network.EDGE}:5060',
                            DOMAIN, 'udp', 'manual', 600, name='plain').start()

    @shows('plain-registration')
    def test_calls_both_ways(self):
        self.assertTrue(self.plain.registered(), self.branch.edge.log()[-1500:])
        register = self.branch.pbx.requests(method='REGISTER', from_user='102', everything=True)[-1]
        self.assertEqual(register.transport, 'tls')
        self.assertIn(';edge-flow=', register.contact)
        self.assertNotIn(network.address(15), register.contact)
        self.plain.dial('101')
        self.assertTrue(self.plain.established() and self.bob.established())
        self.plain.hang_up()
        self.assertIsNotNone(self.bob.closed())
        self.plain.mark()
        self.bob.dial('102')
        self.assertIsNotNone(self.plain.incoming())
        self.plain.answer()
        self.assertTrue(self.bob.established())
        self.bob.hang_up()
        self.assertIsNotNone(self.plain.closed())

    @shows('plain-refresh', client='scripted')
    def test_refreshes_stay_at_the_branch(self):
        with SIPClient('103', self.branch.pbx.users['103'], DOMAIN, (network.EDGE, 5060), network.address(16)) as phone:
            self.assertEqual(phone.register(60).status, 200)
            before = len(self.branch.pbx.requests(method='REGISTER', from_user='103', everything=True))
            for _ in range(3):
                answer = phone.register(60)
                self.assertEqual(answer.status, 200)
                self.assertIn('expires=60', answer.get('Contact'))
            self.assertEqual(len(self.branch.pbx.requests(method='REGISTER', from_user='103', everything=True)), before)
            self.assertEqual(phone.register(0).status, 200)
            self.assertEqual(self.branch.pbx.requests(method='REGISTER', from_user='103', everything=True)[-1].target, '')


class AttendedTransfer(unittest.TestCase):
    """linphone asks back at 102 and joins the two: the call it names is the one the PBX knows."""
    client = 'linphone'

    @shows('attended-transfer', 'several-calls')
    def test_replaces_names_the_call_at_the_pbx(self):
        with Workspace() as workspace:
            branch = Branch(workspace)
            branch.start((), ())
            desk = branch.device('HD0001', kind='linphone', answer='manual')
            carol = branch.phone('102', answer='auto')
            steps.login(branch, patient=False)
            with SIPClient('101', branch.pbx.users['101'], DOMAIN, (network.PBX, 5060), network.address(36)) as far:
                self.assertEqual(far.register().status, 200)
                desk.dial('101')
                first = far.wait_request('INVITE')
                far.accept(first)
                self.assertIsNotNone(far.wait_request('ACK'))
                self.assertTrue(desk.established())
                branch.pbx.mark()
                desk.command('pause')
                hold = far.wait_request('INVITE')
                self.assertIsNotNone(hold, desk.process.output()[-800:])
                far.reply(hold, 200, 'OK', [('Content-Type', 'application/sdp')], offer(far.local, direction='recvonly'))
                self.assertIsNotNone(far.wait_request('ACK'))
                desk.dial('102')
                self.assertTrue(carol.established())
                second = branch.pbx.wait_for(5, stage='accepted', method='INVITE', from_user='100', target='102')
                self.assertIsNotNone(second)
                # The login was its first call.
                desk.command('transfer 2 --to-call 3')
                refer = far.wait_request('REFER', 8)
                self.assertIsNotNone(refer, branch.edge.log()[-1500:])
                target = refer.get('Refer-To')
                self.assertTrue(target.startswith(f'<sip:102@{DOMAIN}?Replaces={second.call_id}%3B'), target)
                self.assertNotIn('HD0001', refer.get('Referred-By'))
                far.reply(refer, 202, 'Accepted')


class TLSListener(unittest.TestCase):
    """The certificate phones are shown, and its renewal while the edge runs."""

    def shown(self, branch):
        context = ssl.create_default_context(cafile=branch.pki.ca)
        with socket.create_connection((network.EDGE, 5061), 5) as raw:
            with context.wrap_socket(raw, server_hostname=network.EDGE) as connection:
                return connection.getpeercert()['serialNumber']

    def degraded(self, branch):
        return ' '.join(branch.edge.status()['degraded'])

    @shows('reuse', client='scripted', transport='tls')
    def test_a_renewed_certificate_is_shown_after_a_reload(self):
        with Workspace() as workspace:
            branch = Branch(workspace, tls=True)
            branch.start((), ())
            before = self.shown(branch)
            context = ssl.create_default_context(cafile=branch.pki.ca)
            with SIPClient('HD0001', 'demo-HD0001', network.EDGE, (network.EDGE, 5061), network.address(17), 'tls', context) as desk:
                self.assertEqual(desk.register().status, 200)
                renewed = branch.pki.authority.issue('edge', 'edge', [f'IP:{network.EDGE}'])
                branch.edge.reload()
                self.assertTrue(wait_until(lambda: self.shown(branch) != before, 5))
                after = self.shown(branch)
                # A connection that stands goes on.
                self.assertEqual(desk.register().status, 200)
                with open(renewed.key, 'w') as file:
                    file.write('-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n')
                branch.edge.reload()
                self.assertTrue(wait_until(lambda: 'certificate from before' in self.degraded(branch), 5), self.degraded(branch))
                self.assertEqual(self.shown(branch), after)

def in_background(work):
    """Runs it beside the test; calling what comes back waits for the result."""
    result = []
    thread = threading.Thread(target=lambda: result.append(work()))
    thread.start()

    def join():
        thread.join(15)
        return result[0] if result else None
    return join
