"""What the PBX's side begins, with real phones at the desk: both at once, forks, faxes, late offers, lamps, presence."""
import socket
import ssl
import time
import unittest

from testbed import capture, network, steps
from testbed.baresip import Baresip
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.edge import captures_in
from testbed.interop import shows
from testbed.pbx import DOMAIN
from testbed.processes import Workspace, wait_until
from testbed.sip import Dialog, SIPClient, address_of, offer
from testbed.twinkle import Twinkle
from testbed.wan import WAN, Line

from .services import in_background

SDP = [('Content-Type', 'application/sdp')]


def far_end(test, branch, number, host):
    """A scripted phone at the PBX."""
    far = SIPClient(number, branch.pbx.users[number], DOMAIN, (network.PBX, 5060), network.address(host))
    test.addClassCleanup(far.close) if isinstance(test, type) else test.addCleanup(far.close)
    if far.register().status != 200:
        raise AssertionError(f'{number} could not register at the PBX')
    return far


def notify(watched, subscribe, event, kind, body, tag='watched'):
    """A SUBSCRIBE is taken, and its first NOTIFY sent; the answer to that."""
    watched.reply(subscribe, 200, headers=[('Expires', '600')], to_tag=tag)
    dialog = Dialog(subscribe.call_id, subscribe.get('To') + f';tag={tag}', subscribe.get('From'), address_of(subscribe.get('Contact')),
                    subscribe.all('Record-Route'), 0)
    fields = [('Event', event), ('Subscription-State', 'active;expires=600'), ('Content-Type', kind)]
    return watched.say(dialog, 'NOTIFY', headers=fields, body=body.encode())


class FarEnd(unittest.TestCase):
    """baresip is the desk; what it talks to is scripted, behind Kamailio."""

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace)
        cls.branch.start((), ())
        cls.desk = cls.branch.device('HD0001', answer='manual')
        steps.login(cls.branch, patient=False)
        cls.far = far_end(cls, cls.branch, '101', 36)

    def setUp(self):
        self.branch.forget()

    def tearDown(self):
        self.assertTrue(wait_until(lambda: self.branch.edge.status()['calls'] == 0, 8), 'a call is left at the edge')

    def take(self, far, method, seconds=5):
        request = far.wait_request(method, seconds)
        self.assertIsNotNone(request, f'no {method} came:\n{self.branch.edge.log()[-1500:]}')
        return request

    def talk(self):
        self.desk.dial('101')
        dialog = self.far.accept(self.take(self.far, 'INVITE'))
        self.take(self.far, 'ACK')
        self.assertTrue(self.desk.established())
        return dialog

    def hang_up(self, dialog):
        self.assertEqual(self.far.hang_up(dialog), 200)
        self.assertIsNotNone(self.desk.closed())

    @shows('glare', 're-invite')
    def test_both_offer_at_once(self):
        """RFC 3261 §14: while the desk's re-INVITE is under way the far end's gets 491, and the other way round."""
        dialog = self.talk()
        self.desk.command('hold')
        hold = self.take(self.far, 'INVITE')
        answer = self.far.say(dialog, 'INVITE', headers=SDP, body=offer(self.far.local))
        self.assertIn(answer.status, (491, 500), answer.reason)
        self.far.reply(hold, 491, 'Request Pending')
        self.take(self.far, 'ACK')
        # Nothing has changed: the call goes on, and the far end's next offer is taken.
        answer = self.far.say(dialog, 'INVITE', headers=SDP, body=offer(self.far.local, direction='sendonly'))
        self.assertEqual(answer.status, 200)
        self.far.send(self.far.in_dialog(dialog, 'ACK', cseq=dialog.cseq))
        self.hang_up(dialog)

    @shows('fax')
    def test_a_fax_offer_is_refused_and_the_call_goes_on(self):
        dialog = self.talk()
        fax = b'v=0\r\no=- 1 2 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=image 30010 udptl t38\r\na=T38FaxVersion:0\r\n'
        local = self.far.local.encode()
        answer = self.far.say(dialog, 'INVITE', headers=SDP, body=fax % (local, local))
        self.assertEqual(answer.status, 488)
        answer = self.far.say(dialog, 'INVITE', headers=SDP, body=offer(self.far.local))
        self.assertEqual(answer.status, 200)
        self.far.send(self.far.in_dialog(dialog, 'ACK', cseq=dialog.cseq))
        self.hang_up(dialog)

    @shows('no-audio')
    def test_a_call_without_audio_is_refused(self):
        video = f'v=0\r\no=- 1 2 IN IP4 {self.far.local}\r\ns=-\r\nc=IN IP4 {self.far.local}\r\nt=0 0\r\nm=video 30010 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n'
        self.desk.mark()
        self.assertEqual(self.far.invite('100', body=video.encode())[0].status, 488)
        self.assertIsNone(self.desk.event('CALL_INCOMING', seconds=0.5))

    @shows('offerless')
    def test_an_invite_without_offer(self):
        """The desk makes the offer in its 200; the answer comes in the ACK."""
        self.desk.mark()
        done = in_background(lambda: self.far.request('INVITE', f'sip:100@{DOMAIN}', 10, headers=[], body=b''))
        self.assertIsNotNone(self.desk.incoming())
        self.desk.answer()
        request, ok = done()
        self.assertEqual(ok.status, 200)
        self.assertIn(f'c=IN IP4 {network.EDGE}'.encode(), ok.body)
        dialog = self.far.dialog(request, ok)
        self.far.send(self.far.in_dialog(dialog, 'ACK', cseq=request.cseq, headers=SDP, body=offer(self.far.local)))
        self.assertTrue(self.desk.established())
        self.hang_up(dialog)

    @shows('large', client='scripted')
    def test_large_datagrams_both_ways(self):
        """Text of 12,000 bytes, from a desk by UDP and to it."""
        with Desk('HD0002', local=network.address(18)).sign_on() as desk:
            log_in(self.branch.edge, desk, '102')
            text = [('Content-Type', 'text/plain')]
            body = b'0123456789ab' * 1000
            with far_end(self, self.branch, '103', 38) as carol:
                done = in_background(lambda: desk.request('MESSAGE', f'sip:103@{DOMAIN}', headers=text, body=body)[1])
                message = self.take(carol, 'MESSAGE')
                self.assertEqual(message.body, body)
                carol.reply(message, 200)
                self.assertEqual(done().status, 200)
                done = in_background(lambda: carol.request('MESSAGE', f'sip:102@{DOMAIN}', headers=text, body=body)[1])
                message = self.take(desk, 'MESSAGE')
                self.assertEqual((message.body, message.get('Via').split()[0]), (body, 'SIP/2.0/UDP'))
                desk.reply(message, 200)
                self.assertEqual(done().status, 200)


class Forks(unittest.TestCase):
    """Two phones of 101 at Kamailio, both scripted; the desk is baresip."""

    @shows('forking', 'early-media', 'cancel')
    def test_two_phones_ring_and_the_second_answers(self):
        """Kamailio forks: two early dialogs, each with its own media; the one that loses is cancelled."""
        workspace = Workspace()
        self.addCleanup(workspace.close)
        branch = Branch(workspace, pbx_options={'forking': True})
        branch.start((), ())
        desk = branch.device('HD0001', answer='manual')
        steps.login(branch, patient=False)
        far, other = far_end(self, branch, '101', 36), far_end(self, branch, '101', 37)

        def take(phone, method):
            request = phone.wait_request(method)
            self.assertIsNotNone(request, f'no {method} came:\n{branch.edge.log()[-1500:]}')
            return request
        desk.mark()
        desk.dial('101')
        first, second = take(far, 'INVITE'), take(other, 'INVITE')
        far.reply(first, 183, 'Session Progress', SDP, offer(far.local), 'one')
        self.assertIsNotNone(desk.event('CALL_PROGRESS', seconds=5))
        other.reply(second, 180, 'Ringing', to_tag='two')
        time.sleep(0.3)
        other.reply(second, 200, 'OK', SDP, offer(other.local), 'two')
        ack = take(other, 'ACK')
        self.assertEqual(ack.tag('To'), 'two')
        self.assertTrue(desk.established())
        far.reply(take(far, 'CANCEL'), 200)
        far.reply(first, 487, 'Request Terminated', to_tag='one')
        desk.hang_up()
        bye = take(other, 'BYE')
        self.assertEqual(bye.tag('To'), 'two')
        other.reply(bye, 200)
        self.assertIsNotNone(desk.closed())


class Lamps(unittest.TestCase):
    """Voicemail lamp and presence, as phones that were written by others ask for them."""

    @shows('mwi', client='scripted')
    def test_the_voicemail_lamp(self):
        """The phone asks about its own account, HD0001; at the PBX that is 100, whose mailbox 103 keeps here."""
        with Workspace() as workspace:
            branch = Branch(workspace, pbx_options={'mailboxes': '103'})
            branch.start((), ())
            mailbox = far_end(self, branch, '103', 36)
            with Desk(local=network.address(17)).sign_on() as desk:
                log_in(branch.edge, desk)
                fields = [('Event', 'message-summary'), ('Accept', 'application/simple-message-summary'), ('Expires', '600')]
                done = in_background(lambda: desk.request('SUBSCRIBE', f'sip:HD0001@{DOMAIN}', headers=fields)[1])
                subscribe = mailbox.wait_request('SUBSCRIBE')
                self.assertIsNotNone(subscribe, branch.edge.log()[-1500:])
                self.assertEqual((address_of(subscribe.get('From')), subscribe.get('Event')), (f'sip:100@{DOMAIN}', 'message-summary'))
                body = f'Messages-Waiting: yes\r\nMessage-Account: sip:100@{network.PBX}\r\nVoice-Message: 2/8 (0/2)\r\n'
                told = in_background(lambda: notify(mailbox, subscribe, 'message-summary', 'application/simple-message-summary', body))
                lamp = desk.wait_request('NOTIFY')
                self.assertEqual(lamp.body.decode(), body.replace(f'100@{network.PBX}', f'HD0001@{DOMAIN}'))
                desk.reply(lamp, 200)
                self.assertEqual((done().status, told().status), (200, 200))

    @shows('mwi', 'message', 'registration', client='Twinkle')
    def test_the_voicemail_lamp_and_messages_at_twinkle(self):
        """It asks about HD0001, its account, and is told of 100's mailbox in its own terms; text goes both ways."""
        with Workspace() as workspace:
            branch = Branch(workspace, pbx_options={'mailboxes': '103'})
            branch.start((), ())
            mailbox = far_end(self, branch, '103', 36)
            with Desk('HD0001', local=network.address(17)).sign_on() as desk:
                log_in(branch.edge, desk)
            phone = Twinkle(workspace, 'HD0001', 'demo-HD0001', network.EDGE).start()
            subscribe = mailbox.wait_request('SUBSCRIBE', 8)
            self.assertIsNotNone(subscribe, branch.edge.log()[-1500:] + phone.process.output()[-1500:])
            self.assertEqual((address_of(subscribe.get('From')), subscribe.get('Event')), (f'sip:100@{DOMAIN}', 'message-summary'))
            body = f'Messages-Waiting: yes\r\nMessage-Account: sip:100@{network.PBX}\r\nVoice-Message: 2/8 (0/2)\r\n'
            self.assertEqual(notify(mailbox, subscribe, 'message-summary', 'application/simple-message-summary', body).status, 200)
            phone.command('message 103 seen')
            message = mailbox.wait_request('MESSAGE')
            self.assertIsNotNone(message, branch.edge.log()[-1500:] + phone.process.output()[-1500:])
            self.assertEqual((message.body, address_of(message.get('From'))), (b'seen', f'sip:100@{DOMAIN}'))
            mailbox.reply(message, 200)
            answer = mailbox.request('MESSAGE', f'sip:100@{DOMAIN}', headers=[('Content-Type', 'text/plain')], body=b'come')[1]
            self.assertEqual(answer.status, 200)
            self.assertTrue(phone.shows('come'), phone.process.output()[-1500:])

    @shows('presence')
    def test_presence_of_a_colleague_at_baresip_ends_with_the_session(self):
        with Workspace() as workspace:
            captured = workspace.make_folder('captured')
            branch = Branch(workspace, capture=captured)
            branch.start((), ())
            colleague = far_end(self, branch, '101', 36)
            desk = branch.device('HD0001', answer='manual')
            steps.login(branch, patient=False)
            desk.stop()
            watcher = Baresip(workspace, 'HD0001', 'demo-HD0001', network.address(11), f'{network.EDGE}:5060', network.EDGE, name='watcher',
                              modules=('contact', 'presence'), contacts=f'"Bob" <sip:101@{DOMAIN}>;presence=p2p').start()
            self.assertTrue(watcher.registered())
            subscribe = colleague.wait_request('SUBSCRIBE', 15)
            self.assertIsNotNone(subscribe, branch.edge.log()[-1500:] + watcher.process.output()[-1500:])
            self.assertEqual((address_of(subscribe.get('From')), subscribe.get('Event')), (f'sip:100@{DOMAIN}', 'presence'))
            body = (f'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:101@{network.PBX}"><tuple id="t">'
                    '<status><basic>open</basic></status></tuple></presence>')
            self.assertEqual(notify(colleague, subscribe, 'presence', 'application/pidf+xml', body).status, 200)
            self.assertTrue(wait_until(lambda: 'Online' in str(watcher.command('contacts')), 5), watcher.command('contacts'))
            # 100 sits down elsewhere: whoever comes to this desk next sees nothing of what 100 watched, and 101 hears that nobody looks.
            with Desk('HD0002', local=network.address(17)).sign_on() as other:
                log_in(branch.edge, other)
            end = colleague.wait(lambda m: m.method == 'SUBSCRIBE' and not m.is_response and m.get('Expires') == '0')
            self.assertIsNotNone(end, branch.edge.log()[-1500:])
            self.assertEqual((end.call_id, end.tag('To')), (subscribe.call_id, 'watched'))
            colleague.reply(end, 200, headers=[('Expires', '0')])
            self.assertTrue(wait_until(lambda: 'Online' not in str(watcher.command('contacts')), 5), watcher.command('contacts'))
            branch.edge.stop()
            said = {(row + [''] * 3)[:3] == ['', '', '200'] or row[1] for path in captures_in(captured) for row in capture.fields(
                path, ('sip.Method', 'sip.Subscription-State', 'sip.Status-Code'), f'ip.addr == {watcher.address} && sip.CSeq.method == "NOTIFY"')}
            self.assertLessEqual({'terminated;reason=noresource', True}, said, 'the last NOTIFY, and the phone has taken it')


class Paths(unittest.TestCase):
    """Networks that the loopback is not: a path that takes 1500 bytes at once, and IPv6."""

    @shows('large', client='scripted')
    def test_large_datagrams_are_fragments_on_the_line(self):
        """Text of 12,000 bytes by UDP between namespaces: nine pieces each way, put together by the kernels."""
        with Workspace() as workspace, WAN(workspace, Line(), mtu=1500) as wan:
            with wan.branch.inside():
                branch = Branch(workspace, address=WAN.BRANCH)
                branch.start((), ())
                wire = capture.Wire(workspace, 'fragments', device=wan.branch.device, wanted='ip[6:2] & 0x3fff != 0')
                far = far_end(self, branch, '103', 38)
            with wan.pbx.inside():
                desk = Desk('HD0001', local=WAN.PBX, domain=WAN.BRANCH, server=(WAN.BRANCH, 5060))
            with desk.sign_on():
                log_in(branch.edge, desk)
                text, body = [('Content-Type', 'text/plain')], b'0123456789ab' * 1000
                for sender, target, taker in ((desk, '103', far), (far, '100', desk)):
                    done = in_background(lambda: sender.request('MESSAGE', f'sip:{target}@{DOMAIN}', headers=text, body=body)[1])
                    message = taker.wait_request('MESSAGE')
                    self.assertIsNotNone(message, branch.edge.log()[-1500:])
                    self.assertEqual(message.body, body)
                    taker.reply(message, 200)
                    self.assertEqual(done().status, 200)
            def pieces():
                return capture.fields(wire.path, ('ip.src', 'ip.frag_offset'), 'ip.flags.mf == 1 || ip.frag_offset > 0', growing=True)
            wait_until(lambda: len(pieces()) >= 18, 5, 0.2)
            wire.stop()
            for source in (WAN.PBX, WAN.BRANCH):
                self.assertGreaterEqual(len({offset for address, offset in pieces() if address == source}), 9, pieces())

    @shows('ipv6', 'registration', 'login', 'call-out', 'call-in', transport='udp, IPv6')
    def test_a_phone_by_ipv6(self):
        """The phone speaks IPv6, the PBX IPv4: login by keys in its audio, calls both ways, each end heard by the other."""
        with Workspace() as workspace, WAN(workspace, Line()) as wan:
            with wan.branch.inside():
                branch = Branch(workspace, sixth=WAN.BRANCH_SIX)
                branch.start(('101',), ())
            with wan.pbx.inside():
                desk = Baresip(workspace, 'HD0001', 'demo-HD0001', WAN.PBX_SIX, f'[{WAN.BRANCH_SIX}]:5060', f'[{WAN.BRANCH_SIX}]', source=700,
                               answer='auto').start()
            branch.devices['HD0001'] = desk
            self.assertTrue(desk.registered(), desk.process.output()[-1500:] + branch.edge.log()[-1500:])
            steps.login(branch, patient=False)
            bob = branch.phones['101']
            for caller, called, number in ((desk, bob, '101'), (bob, desk, '100')):
                branch.forget()
                caller.dial(number)
                self.assertTrue(caller.established() and called.established(), branch.edge.log()[-1500:])
                caller.rest(1.5)
                caller.hang_up()
                self.assertIsNotNone(called.closed())
                steps.expect_tone(bob, 700)
                steps.expect_tone(desk, branch.tone_of('101'))


class SlowSenders(unittest.TestCase):
    """Case 30: a byte now and then holds a connection for so long and no longer, and nobody else waits for it."""

    @staticmethod
    def connect(port, authority=None):
        """A connection that never waits; with `authority`, after its TLS handshake."""
        connection = socket.create_connection((network.EDGE, port), 5)
        if authority:
            connection = ssl.create_default_context(cafile=authority).wrap_socket(connection, server_hostname=network.EDGE)
        connection.setblocking(False)
        return connection

    def test_a_byte_now_and_then(self):
        """A request by TCP and by TLS, and the first words of a TLS handshake; a byte each 2.5 and each 10 seconds."""
        words, hello = b'INVITE sip:911@pbx.example SIP/2.0', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(32)
        with Workspace() as workspace, Desk(local=network.address(17)) as desk:
            branch = Branch(workspace, tls=True)
            branch.start((), ())
            began = time.monotonic()
            senders = {
                f'{name}, each {pause} s': [connection, said, pause, began, None]
                for pause in (2.5, 10)
                for name, connection, said in (
                    ('TCP', self.connect(5060), words), ('TLS', self.connect(5061, branch.pki.ca), words), ('handshake', self.connect(5061), hello))}
            while time.monotonic() - began < 24 and any(ended is None for *_, ended in senders.values()):
                for sender in senders.values():
                    self.step(sender, time.monotonic())
                self.assertEqual(desk.register().status, 200)
                time.sleep(0.1)
            for name, (connection, *_, ended) in senders.items():
                connection.close()
                with self.subTest(name):
                    self.assertIsNotNone(ended, 'the connection is still there')
                    self.assertGreater(ended - began, 9)
                    self.assertLess(ended - began, 20)
            self.assertFalse(branch.calls_at_pbx())

    @staticmethod
    def step(sender, now):
        """Sends the next byte when it is time, and looks whether the edge has hung up."""
        connection, said, pause, due, ended = sender
        if ended is not None:
            return
        try:
            if now >= due and said:
                connection.send(said[:1])
                sender[1:4] = said[1:], pause, due + pause
            if connection.recv(4096) == b'':
                sender[4] = now
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            sender[4] = now
