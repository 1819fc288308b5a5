"""A simulated desk phone: it boots, finds its server, fetches as its vendor's phones do, reads the file with an
independent reader, registers with what it says, and acts on check-sync. What it has read stays, as in flash."""
import threading
import time

from testbed.processes import PeerError, wait_until
from testbed.sip import SIPClient, offer

from . import vendors
from .fetching import Fetcher, digest_of


class SimPhone:
    """`server` is the address it was told (by DHCP, PnP or redirection); it is forgotten for what a file says."""

    def __init__(self, model, mac, address, server=None, firmware=None, file_mac=None, agent_mac=None):
        vendor, model = model.split('-', 1)
        self.kind = vendors.KINDS[vendor]
        self.model, self.mac, self.address = model, mac.lower().replace(':', ''), address
        self.file_mac = file_mac or self.mac
        self.agent = self.kind.agent(model, firmware or self.kind.firmware, agent_mac or self.mac)
        self.fetcher = Fetcher(address, self.agent)
        self.server = server
        self.settings = None
        self.sip = None
        self.boots = self.reloads = 0
        self._digests = {}
        self._thread = self._stop = None
        self.notified = []
        self.problem = None

    # Flash and power.

    def factory_reset(self, server=None):
        self.power_off()
        self.server, self.settings, self._digests = server, None, {}

    def power_off(self):
        if self._thread:
            self._stop.set()
            self._thread.join()
            self._thread = None
        if self.sip:
            self.sip.close()
            self.sip = None

    def boot(self, follow=True):
        """Fetches, then registers. With `follow`, it acts on what it is told from then on, in a thread of its own."""
        self.power_off()
        self.boots += 1
        self.provision()
        if self.settings and self.settings.password:
            self.register()
            if follow:
                self.follow()
        return self

    # Fetching.

    def provision(self):
        """Asks for all its files in its vendor's order; asks again where a file named another server. True: what it
        read has changed."""
        for _ in range(3):
            before = self.server
            changed = self._provision_once()
            if self.server == before:
                return changed
        raise PeerError(f'{self.mac} is sent from server to server')

    def _provision_once(self):
        if not self.server:
            return False
        changed, waiting = False, self.kind.urls(self.server, self.file_mac, self.model)
        while waiting:
            url = waiting.pop(0)
            answer = self.fetcher.get(url)
            if answer.status != 200 or not answer.body:
                continue
            name = url.rsplit('/', 1)[1]
            named = self.kind.named_by(name, answer.body)
            if named is not None:
                # An index takes the place of the rest.
                waiting = [url[:-len(name)] + file for file in named + self.kind.optional(self.file_mac, self.model)]
                continue
            # The same file again changes nothing.
            if self._digests.get(name) == digest_of(answer.body):
                continue
            self._digests[name] = digest_of(answer.body)
            settings = self.kind.read(answer.body, self.settings, self.mac)
            if settings is None:
                continue
            changed = True
            before, self.settings = self.settings, settings
            # What a file does not name stays, as in flash.
            self.fetcher.credentials = settings.fetch or self.fetcher.credentials
            if settings.url and settings.url != self.server and not self._is_here(settings.url):
                if not settings.user and before:
                    self.settings = before
                self.server = settings.url
                return True
        return changed

    def _is_here(self, url):
        """A file of the folder it is fetching from."""
        return self.server.endswith('/') and url.rsplit('/', 1)[0] + '/' == self.server

    # SIP.

    def register(self, seconds=8.0):
        s = self.settings
        self.sip = SIPClient(
            s.user, s.password, s.domain, (s.proxy_host, s.proxy_port), self.address, s.transport, auth_user=s.auth_user)
        response = self.sip.register(s.expires)
        if response is None or response.status != 200:
            raise PeerError(f'{self.mac} could not register as {s.user}: {response and response.start}')

    def follow(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self):
        try:
            while not self._stop.is_set():
                request = self.sip.wait(lambda m: not m.is_response, 0.1)
                if request:
                    self._act(request)
        except (OSError, PeerError) as error:
            self.problem = error

    def _act(self, request):
        event = request.get('Event')
        self.notified.append((request.method, event))
        if request.method != 'NOTIFY' or not self.kind.accepts(event):
            self.sip.reply(request, 489 if request.method == 'NOTIFY' else 405)
            return
        if self.kind.challenges and not request.get('Authorization'):
            self.sip.reply(request, 401, 'Unauthorized', [('WWW-Authenticate', 'Digest realm="phone", nonce="n1", qop="auth"')])
            return
        self.sip.reply(request, 200)
        if self.kind.reboots(event, self.settings):
            self.boots += 1
        self.reloads += 1
        self.provision()

    # What its user does; the thread rests meanwhile.

    def log_in(self, number, pin, until=None):
        """Dials the login code and types the PIN; what the phone shows changes by itself afterwards. Its user listens
        to the end, or hangs up once `until` is true."""
        self._pause()
        try:
            response, dialog = self.sip.invite(f'*77*{number}*', body=offer(self.address))
            if dialog is None:
                raise PeerError(f'{self.mac}: the login call was answered {response and response.start}')
            self.sip.press_by_info(dialog, pin + '#')
            if until and wait_until(until, 10):
                self.sip.hang_up(dialog)
                return
            bye = self.sip.wait_request('BYE', 20)
            if bye is None:
                raise PeerError(f'{self.mac}: the login call did not end')
            self.sip.reply(bye, 200)
        finally:
            self.follow()

    def press(self, label):
        """Presses a key of the phone: it dials what the key holds, and waits until the far end hangs up."""
        number = self.key(label).value
        self._pause()
        try:
            response, dialog = self.sip.invite(number, body=offer(self.address))
            if dialog:
                bye = self.sip.wait_request('BYE', 20)
                if bye:
                    self.sip.reply(bye, 200)
            return response.status if response else 0
        finally:
            self.follow()

    def _pause(self):
        if self._thread:
            self._stop.set()
            self._thread.join()
            self._thread = None

    # What is on the screen.

    @property
    def screen(self):
        return self.settings.screen if self.settings else None

    def key(self, label):
        return next(key for key in self.settings.keys.values() if key and key.label == label)

    def keys(self):
        """(kind, value) of the programmable keys in use, in the order of the phone, but for the line."""
        keys = ((place, key) for place, key in self.settings.keys.items() if not str(place).startswith('softkey'))
        return [(key.kind, key.value) for _, key in keys if key and key.kind != 'line']

    def wait_screen(self, text, seconds=15.0):
        return wait_until(lambda: self.screen == text, seconds, 0.05) is not None


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
