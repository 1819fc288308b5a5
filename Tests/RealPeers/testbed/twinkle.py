"""Twinkle without its window and without sound: what it does beside calls. Its command line on a pipe."""
import os
import subprocess

from . import network
from .processes import PeerError


class Twinkle:
    """One phone that registers, asks for its voicemail lamp, publishes that it is there, and writes and reads messages.
    It always speaks from 127.0.0.1, so each network has a port of its own."""

    def __init__(self, workspace, user, password, server, name='twinkle'):
        self.workspace, self.name = workspace, name
        self.folder = workspace.make_folder(name)
        profile = {
            'user_name': user, 'user_domain': server, 'auth_name': user, 'auth_pass': password, 'registrar': server,
            'register_at_startup': 'yes', 'registration_time': 120, 'mwi_sollicited': 'yes', 'mwi_user': user, 'mwi_server': server,
            'mwi_subscription_time': 600, 'sip_transport': 'udp'}
        system = {'dev_ringtone': 'null', 'dev_speaker': 'null', 'dev_mic': 'null', 'log_show_sip': 'yes', 'sip_udp_port': 5070 + network.NETWORK}
        for file, settings in (('desk.cfg', profile), ('twinkle.sys', system)):
            workspace.write(f'{name}/.twinkle/{file}', ''.join(f'{key}={value}\n' for key, value in settings.items()))
        self.process = None

    def start(self):
        self.process = self.workspace.start(
            self.name, ['twinkle-console', 'desk.cfg'], cwd=self.folder, env=dict(os.environ, HOME=self.folder, TERM='dumb'),
            stdin=subprocess.PIPE)
        if not self.process.said('registration succeeded', 8):
            raise PeerError(f'{self.name} is not registered:\n{self.process.output()[-1500:]}')
        return self

    def command(self, line):
        self.process.popen.stdin.write(f'{line}\n'.encode())
        self.process.popen.stdin.flush()

    def shows(self, text, seconds=5.0):
        """Whether the screen shows it."""
        return self.process.said(text, seconds)
