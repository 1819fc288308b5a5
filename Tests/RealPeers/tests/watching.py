"""Lamps and presence from end to end: linphone watches, and Kamailio tells it of its calls (RFC 4235) and of who is there."""
import unittest
from xml.etree import ElementTree

from testbed import network
from testbed.branch import Branch
from testbed.desk import Desk, log_in
from testbed.interop import shows
from testbed.linphone import LinphoneLibrary
from testbed.pbx import DOMAIN
from testbed.processes import Workspace, wait_until

from .services import in_background


class Watching(unittest.TestCase):
    """101 and 102 are the PBX's phones; 100 sits down at HD0001, 103 has a plain phone at the branch."""
    client = 'linphone'

    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.addClassCleanup(cls.workspace.close)
        cls.branch = Branch(cls.workspace, plain_phones=True, pbx_options={'presence': True})
        cls.branch.start((), ())
        cls.bob, cls.carol = cls.branch.phone('101', answer='manual'), cls.branch.phone('102')

    def setUp(self):
        self.branch.forget()
        self.typist = Desk('HD0001', local=network.address(17)).sign_on()
        self.addCleanup(self.typist.close)
        log_in(self.branch.edge, self.typist)

    def phone(self, user, host, domain, **options):
        password = self.branch.pbx.users.get(user, f'demo-{user}')
        phone = LinphoneLibrary(self.workspace, user, password, network.address(host), f'{network.EDGE}:5060', domain, DOMAIN,
                                name=f'{user}-{self._testMethodName}', **options).start()
        self.addCleanup(phone.stop)
        self.assertTrue(phone.registered(), self.told(phone))
        return phone

    def desk(self, **options):
        return self.phone('HD0001', 11, network.EDGE, **options)

    def plain(self, **options):
        return self.phone('103', 15, DOMAIN, **options)

    def told(self, phone):
        return phone.process.output()[-2000:] + self.branch.edge.log()[-2000:]

    def subscribes(self, **wanted):
        return [r for r in self.branch.pbx.requests(method='SUBSCRIBE', transport='tls') if all(getattr(r, k) == v for k, v in wanted.items())]

    def assert_lamp(self, phone, state, remote):
        """It was told that 101 is in this state with that number, in words it can use."""
        wanted = (f'sip:101@{DOMAIN}', state, f'sip:{remote}@{DOMAIN}')
        lamps = lambda: [said for said in phone.reports(what='notify', name='bob', package='dialog') if wanted in self.lamps(said['body'])]
        lamp = wait_until(lamps, 6)
        self.assertTrue(lamp, f'{wanted}: {self.told(phone)}')
        self.assertNotIn(network.PBX, lamp[0]['body'])

    @staticmethod
    def lamps(body):
        """Whose dialogs there are, in which state and with whom (RFC 4235)."""
        document = ElementTree.fromstring(body)
        space = '{urn:ietf:params:xml:ns:dialog-info}'
        return [(document.get('entity'), dialog.findtext(f'{space}state'), dialog.findtext(f'{space}remote/{space}identity'))
                for dialog in document.iter(f'{space}dialog')]

    def ring(self, call):
        """101 is called, and lets it ring."""
        self.bob.mark()
        made = call()
        self.assertIsNotNone(self.bob.incoming())
        return made

    def call_between_colleagues(self, *phones):
        """102 calls 101, and each of these sees it come and go."""
        self.ring(lambda: self.carol.dial('101'))
        for phone in phones:
            self.assert_lamp(phone, 'early', '102')
        self.bob.answer()
        self.assertTrue(self.carol.established())
        for phone in phones:
            self.assert_lamp(phone, 'confirmed', '102')
        self.carol.hang_up()
        for phone in phones:
            self.assert_lamp(phone, 'terminated', '102')
            phone.mark()

    def log_out(self):
        self.branch.edge.ask('logout', device='HD0001')
        self.assertTrue(self.branch.edge.wait_extension('HD0001', None))

    @shows('blf')
    def test_the_lamps_of_a_desk_are_the_persons(self):
        desk = self.desk()
        desk.watch('bob', f'sip:101@{DOMAIN}')
        self.assertTrue(desk.report(what='subscription', name='bob', state='active'), self.told(desk))
        first, = self.subscribes(to_tag='')
        self.assertEqual((first.from_user, first.auth_user, first.target, first.expires), ('100', '100', '101', '600'))
        self.call_between_colleagues(desk)
        # 100 calls 101: the desk is told its own name, which is what it knows itself by.
        call = self.ring(lambda: in_background(lambda: self.typist.invite(f'sip:101@{DOMAIN}')[1]))
        self.assert_lamp(desk, 'early', 'HD0001')
        self.bob.answer()
        self.assert_lamp(desk, 'confirmed', 'HD0001')
        self.assertFalse([said for said in desk.reports(what='notify') if 'sip:100@' in said['body']])
        self.typist.hang_up(call())
        self.assert_lamp(desk, 'terminated', 'HD0001')
        # It goes on for another ten minutes, in the same dialog.
        desk.mark()
        desk.tell('refresh', name='bob')
        again = wait_until(lambda: self.subscribes(call_id=first.call_id, expires='600')[1:], 6)
        self.assertTrue(again and again[0].to_tag, self.told(desk))
        self.assertTrue(desk.report(what='notify', name='bob'), self.told(desk))
        desk.mark()
        self.call_between_colleagues(desk)
        self.log_out()
        self.assertTrue(desk.report(what='subscription', name='bob', state='terminated'), self.told(desk))
        self.assertTrue(wait_until(lambda: self.subscribes(call_id=first.call_id, expires='0'), 5))
        # What 101 does is no business of an idle desk.
        before = len(self.subscribes())
        self.ring(lambda: self.carol.dial('101'))
        self.carol.hang_up()
        desk.watch('again', f'sip:101@{DOMAIN}')
        self.assertTrue(desk.report(what='subscription', name='again', state='error'), self.told(desk))
        self.assertEqual((desk.reports(what='notify'), len(self.subscribes())), ([], before))

    @shows('blf')
    def test_the_lamps_of_a_plain_phone(self):
        plain = self.plain()
        plain.watch('bob', f'sip:101@{DOMAIN}')
        self.assertTrue(plain.report(what='subscription', name='bob', state='active'), self.told(plain))
        first, = self.subscribes(to_tag='')
        self.assertEqual((first.from_user, first.auth_user), ('103', '103'))
        self.call_between_colleagues(plain)
        plain.tell('refresh', name='bob')
        self.assertTrue(wait_until(lambda: self.subscribes(call_id=first.call_id, expires='600')[1:], 6), self.told(plain))
        # A logout elsewhere is nothing to it.
        self.log_out()
        self.call_between_colleagues(plain)
        plain.tell('leave', name='bob')
        self.assertTrue(plain.report(what='subscription', name='bob', state='terminated'), self.told(plain))
        self.assertTrue(wait_until(lambda: self.subscribes(call_id=first.call_id, expires='0'), 5))

    @shows('presence')
    def test_presence_both_ways(self):
        """Both publish that they are there, and each watches the other; the desk only as long as the person sits there."""
        desk, plain = self.desk(publishes=True), self.plain(publishes=True)
        desk.tell('friend', uri=f'sip:103@{DOMAIN}')
        plain.tell('friend', uri=f'sip:100@{DOMAIN}')
        self.assertTrue(plain.report(10, what='presence', uri=f'sip:100@{DOMAIN}', open=True), self.told(plain))
        self.assertTrue(desk.report(10, what='presence', uri=f'sip:103@{DOMAIN}', open=True), self.told(desk))
        published = {(r.from_user, r.target) for r in self.branch.pbx.requests(method='PUBLISH', transport='tls')}
        self.assertEqual(published, {('100', '100'), ('103', '103')})
        watched, = self.subscribes(from_user='100')
        desk.mark()
        self.log_out()
        self.assertTrue(wait_until(lambda: self.subscribes(call_id=watched.call_id, expires='0'), 5), self.branch.edge.log()[-1500:])
        # What the phone asks for by itself now is not asked of the PBX.
        before = len(self.subscribes(from_user='100'))
        desk.tell('unfriend', uri=f'sip:103@{DOMAIN}')
        desk.tell('friend', uri=f'sip:101@{DOMAIN}')
        self.assertTrue(self.branch.edge.wait_log('refused device=HD0001'), self.told(desk))
        self.assertEqual(len(self.subscribes(from_user='100')), before)
