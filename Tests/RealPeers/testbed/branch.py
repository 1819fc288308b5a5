"""A whole branch with its PBX: keys, demo PBX, edge, hot desks on one side and PBX phones on the other."""
import os

from .baresip import Baresip
from .edge import ADDRESS, Edge, SiteFile, captures_in
from .linphone import Linphone
from .pbx import DOMAIN, PSAP, TRUNK, DemoPBX
from .pki import SitePKI
from .processes import PeerError, Workspace
from . import audio, network, opinion

#: Loopback address and tone, in hertz, of everybody who may speak.
DEVICES = {'HD0001': (network.address(11), 700), 'HD0002': (network.address(12), 850), 'HD0003': (network.address(13), 950)}
PBX_PHONES = {'101': (network.address(31), 1100), '102': (network.address(32), 1500), '103': (network.address(33), 1900),
              PSAP: (network.address(34), 1300)}


class Branch:
    """`site` may be a ready site file of somebody else (its path, with its control socket); else one is made
    from `site_options`, see `SiteFile`."""

    def __init__(self, workspace=None, transport='udp', pki=None, site=None, pbx_options=None, **site_options):
        self.workspace = workspace or Workspace()
        self.transport = transport
        self.pki = pki or SitePKI(self.workspace.path('pki'))
        self.pbx = DemoPBX(self.workspace, self.pki, **(pbx_options or {}))
        self.site = None
        if site is None:
            # What the edge approves stands in its log at this level only.
            site_options.setdefault('log_level', 'debug')
            self.captured = site_options.setdefault('capture', self.workspace.path('captured'))
            self.workspace.before_closing.append(self.second_opinion)
            self.site = SiteFile(self.workspace.path('site'), self.pki, **site_options)
            self.edge = Edge(self.workspace, self.site.write(), self.site.control)
        else:
            self.edge = Edge(self.workspace, *site)
        self.phones, self.devices = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.workspace.close()

    def start(self, phones=('101', PSAP), devices=('HD0001',), kind='baresip'):
        self.pbx.start()
        for number in phones:
            self.phone(number)
        self.edge.start()
        for name in devices:
            self.device(name, kind)
        return self

    def phone(self, number, answer='auto', **options):
        """A phone on the PBX's side, registered there."""
        if number not in self.phones:
            address, tone = PBX_PHONES[number]
            phone = Baresip(self.workspace, number, self.pbx.users[number], address,
                            f'{self.pbx.address}:{self.pbx.port}', DOMAIN, 'udp', answer, options.pop('source', tone), **options)
            self.phones[number] = phone.start()
            if not phone.registered():
                raise PeerError(f'{phone.name} is not registered at the PBX:\n{phone.process.output()[-1500:]}')
        return self.phones[number]

    @property
    def psap(self):
        return self.phone(PSAP)

    def device(self, name, kind='baresip', answer='auto', password=None, wait=True, **options):
        """A hot desk at the branch, registered at the edge."""
        if name in self.devices:
            return self.devices[name]
        address, tone = DEVICES[name]
        secret = f'demo-{name}' if password is None else password
        port = 5061 if self.transport == 'tls' else 5060
        if kind == 'linphone':
            source = audio.write_tone(self.workspace.path(f'{name}.wav'), tone)
            device = Linphone(self.workspace, name, secret, address, f'{ADDRESS}:{port}', ADDRESS, DOMAIN,
                              self.transport, source, answer, **options)
        else:
            device = Baresip(self.workspace, name, secret, address, f'{ADDRESS}:{port}', ADDRESS, self.transport,
                             answer, options.pop('source', tone), authority=self.pki.ca, **options)
        self.devices[name] = device.start()
        if wait and not device.registered():
            raise PeerError(f'{name} is not registered at the edge:\n{device.process.output()[-1500:]}\n'
                            f'{self.edge.log()[-2500:]}')
        return device

    def tone_of(self, name):
        return (DEVICES.get(name) or PBX_PHONES[name])[1]

    def everybody(self):
        return list(self.devices.values()) + list(self.phones.values())

    def forget(self):
        """Begins a step: what is heard, seen and logged from here on is its own."""
        self.pbx.mark()
        for phone in self.everybody():
            phone.mark()
            phone.forget_recordings()

    def calls_at_pbx(self):
        """Requests that reached the PBX since `forget`, whatever became of them, without the edge's own REGISTERs."""
        own = (TRUNK,)
        return [r for r in self.pbx.requests(stage='seen')
                if r.method not in ('REGISTER', 'OPTIONS', 'ACK') and not (r.method == 'NOTIFY' and r.from_user in own)]

    def second_opinion(self):
        """Every request that reached the PBX by TLS was read by Kamailio and by tshark as the edge has approved it."""
        allowed = [said for log in self.workspace.logs() for said in opinion.approved(log)]
        if not allowed:
            return
        wrong = opinion.mismatches(opinion.by_kamailio(self.pbx), allowed, False)
        if self.captured:
            wrong += opinion.mismatches(opinion.by_tshark(captures_in(self.captured)), allowed, True)
        if wrong:
            raise AssertionError(f'reached the PBX and was never approved: {wrong}')

    def evidence(self, folder):
        """Keeps logs and recordings where somebody may look at them later."""
        os.makedirs(folder, exist_ok=True)
        for phone in self.everybody():
            if isinstance(phone, Baresip):
                phone.keep_recordings(folder)
        self.pbx.write_judgement()
