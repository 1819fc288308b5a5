"""baresip without sound card or screen, driven over its control port."""
import glob
import json
import os
import shutil
import socket
import time

from . import audio
from .processes import PeerError, wait_until

_MODULES = ('/usr/lib/baresip/modules', '/usr/lib/*/baresip/modules', '/usr/local/lib/baresip/modules')


def _module_folder():
    for pattern in _MODULES:
        for folder in glob.glob(pattern):
            return folder
    raise PeerError('the modules of baresip were not found: is baresip-core installed?')


class Baresip:
    """One phone. `address` is its own loopback address for SIP, media and control, so that every phone may have
    port 5060 and a capture tells them apart.

    proxy: "HOST:PORT" everything goes to. source: a wav to play, or a frequency in hertz.
    encryption: None, or "srtp" (offered in RTP/AVP) or "srtp-mand" (RTP/SAVP). keys: "rtpevent" or "info".
    modules, contacts: further application modules, and lines of its address book. rate: of a wav that is played; what it makes
    of another rate than the codec's is weak above 1 kHz."""

    def __init__(self, workspace, user, password, address, proxy, domain, transport='udp', answer='manual',
                 source=440, expires=60, name=None, register=True, codecs='PCMA/8000/1,PCMU/8000/1', auth_user=None, authority=None,
                 encryption=None, keys='rtpevent', modules=(), contacts='', rate=audio.RATE):
        self.workspace, self.user, self.address, self.domain = workspace, user, address, domain
        place = f'[{address}]' if ':' in address else address
        self.transport = transport
        self.name = name or f'baresip-{user}'
        self.folder = workspace.make_folder(self.name)
        self.proxy = proxy
        # It binds media to every address there is, so its ports must be clear of the edge's.
        # Its own sine source knows 48 kHz only, so a tone is a wav as well.
        sound = source if isinstance(source, str) else audio.write_tone(os.path.join(self.folder, 'tone.wav'), source)
        basic = ''.join(f'module {m}.so\n' for m in ('g711', 'g722', 'sndfile', 'aufile', 'aubridge', 'srtp'))
        with open(os.path.join(self.folder, 'config'), 'w') as f:
            f.write(f'poll_method epoll\nsip_listen {place}:5060\nnet_interface {address}\n'
                    f'call_local_timeout 120\ncall_max_calls 4\naudio_player aubridge,none-{self.name}\n'
                    f'audio_source aufile,{sound}\naudio_alert aubridge,alert-{self.name}\n'
                    f'ausrc_srate {rate}\nauplay_srate 8000\nausrc_channels 1\nauplay_channels 1\naudio_level no\n'
                    'audio_buffer 20-160\nrtp_ports 22000-25999\nrtp_stats no\nrtcp_mux no\n'
                    f'module_path {_module_folder()}\n{basic}'
                    'module_tmp uuid.so\nmodule_tmp account.so\nmodule_app ctrl_tcp.so\nmodule_app menu.so\n'
                    + ''.join(f'module_app {m}.so\n' for m in modules) +
                    f'{f"sip_cafile {authority}{chr(10)}" if transport == "tls" else ""}'
                    f'ctrl_tcp_listen {place}:4444\nsnd_path {self.folder}\nmenu_bell no\n')
        with open(os.path.join(self.folder, 'accounts'), 'w') as f:
            f.write(f'<sip:{user}@{domain};transport={transport}>;auth_user={auth_user or user};auth_pass={password};'
                    f'outbound="sip:{proxy};transport={transport}";regint={expires if register else 0};'
                    f'answermode={answer};audio_codecs={codecs};ptime=20;dtmfmode={keys}'
                    f'{f";mediaenc={encryption}" if encryption else ""}\n')
        with open(os.path.join(self.folder, 'contacts'), 'w') as f:
            f.write(f'{contacts}\n' if contacts else '')
        self.process = self._control = None
        self._buffer, self._answers, self.events = b'', [], []
        self._mark = 0

    def start(self):
        self.process = self.workspace.start(self.name, ['baresip', '-6' if ':' in self.address else '-4', '-f', self.folder], cwd=self.folder)
        # The control port serves one connection: the first must be the one that is kept.
        if not wait_until(self._connect, 8, 0.05):
            raise PeerError(f'{self.name} did not start:\n{self.process.output()[-2000:]}')
        return self

    def _connect(self):
        if not self.process.running:
            raise PeerError(f'{self.name} ended:\n{self.process.output()[-2000:]}')
        try:
            self._control = socket.create_connection((self.address, 4444), 0.5)
        except OSError:
            return False
        return True

    def stop(self):
        if self._control:
            self._control.close()
            self._control = None
        if self.process:
            self.workspace.stop(self.process)
            self.process = None

    def kill(self):
        if self.process:
            self.process.kill()
        self.stop()

    # Control: netstrings of JSON, answers and events mixed.

    def _pump(self, seconds=0.0):
        end = time.monotonic() + seconds
        while self._control:
            self._control.settimeout(max(0.005, end - time.monotonic()))
            try:
                data = self._control.recv(65536)
                if not data:
                    return
                self._buffer += data
            except (TimeoutError, socket.timeout):
                pass
            self._split()
            if time.monotonic() >= end:
                return

    def _split(self):
        while b':' in self._buffer:
            length, _, rest = self._buffer.partition(b':')
            size = int(length)
            if len(rest) < size + 1:
                return
            message = json.loads(rest[:size])
            self._buffer = rest[size + 1:]
            (self.events if message.get('event') else self._answers).append(message)

    def command(self, command, parameters=None, seconds=3.0):
        token = str(time.monotonic_ns())
        message = {'command': command, 'token': token}
        if parameters is not None:
            message['params'] = parameters
        data = json.dumps(message).encode()
        self._control.sendall(b'%d:%s,' % (len(data), data))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._pump(0.02)
            for answer in self._answers:
                if answer.get('token') == token:
                    self._answers.remove(answer)
                    return answer
        raise PeerError(f'{self.name} did not answer {command}')

    def mark(self):
        """Forgets the events so far."""
        self._pump()
        self._mark = len(self.events)

    def event(self, *kinds, seconds=5.0):
        """The first event of one of these types since `mark`, or None."""
        end = time.monotonic() + seconds
        while True:
            for event in self.events[self._mark:]:
                if event.get('type') in kinds:
                    return event
            if time.monotonic() >= end:
                return None
            self._pump(0.05)

    def rest(self, seconds):
        """Lets time pass while events are read."""
        self._pump(seconds)

    # What a person does.

    def registered(self, seconds=6.0):
        # REGISTER_OK may come before the control connection is up, so the screen is read too.
        return bool(wait_until(
            lambda: self.event('REGISTER_OK', seconds=0.05) or '200 OK' in self.process.output(), seconds, 0.05))

    def dial(self, target):
        self.mark()
        uri = target if ':' in target else f'sip:{target}@{self.domain}'
        answer = self.command('dial', uri)
        if not answer.get('ok'):
            raise PeerError(f'{self.name} cannot dial {uri}: {answer}')

    def established(self, seconds=8.0):
        event = self.event('CALL_ESTABLISHED', 'CALL_CLOSED', seconds=seconds)
        return event is not None and event['type'] == 'CALL_ESTABLISHED'

    def closed(self, seconds=8.0):
        """Waits for the end of the call; its reason ("403 Forbidden"), or None if it goes on."""
        event = self.event('CALL_CLOSED', seconds=seconds)
        return (event.get('param') or '') if event else None

    def incoming(self, seconds=8.0):
        return self.event('CALL_INCOMING', seconds=seconds)

    def answer(self):
        return self.command('accept')

    def press(self, digits):
        """Keys by RFC 4733, one after the other at the pace of a person."""
        for digit in digits:
            self.command('sndcode', digit)
            self.rest(0.25)

    def hang_up(self):
        self.command('hangup')
        return self.closed(4)

    def digits_received(self):
        self._pump()
        return ''.join(e.get('param') or '' for e in self.events[self._mark:] if e.get('type') == 'CALL_DTMF_START')

    # What was heard. One file per call and codec change; complete once the call has ended.

    def recordings(self):
        return sorted(glob.glob(os.path.join(self.folder, 'dump-*-dec.wav')), key=os.path.getmtime)

    def forget_recordings(self):
        """Between scenarios with no call up: what is heard next is told apart from what was."""
        for path in glob.glob(os.path.join(self.folder, 'dump-*.wav')):
            os.remove(path)

    def heard(self):
        """All that was heard since `forget_recordings`, as samples."""
        samples = []
        for path in self.recordings():
            samples += audio.read(path)
        return samples

    def keep_recordings(self, folder):
        os.makedirs(folder, exist_ok=True)
        return [shutil.copy(path, os.path.join(folder, f'{self.name}-{i}.wav'))
                for i, path in enumerate(self.recordings())]
