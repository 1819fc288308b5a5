"""linphone's library without its command line, in a process of its own: what a desk phone made of it does with lamps and
presence. linphone_library.py CONFIG reads commands on standard input and says what the library reports on standard output,
one JSON object a line; see `LinphoneLibrary`."""
import ctypes
import json
import os
import select
import sys
from ctypes import CFUNCTYPE, c_char_p, c_int, c_void_p

#: LinphoneSubscriptionState and LinphoneRegistrationState, in the order of its enumerations.
SUBSCRIPTION = ('none', 'outgoing', 'incoming', 'pending', 'active', 'terminated', 'error', 'expiring')
REGISTRATION = ('none', 'progress', 'registered', 'cleared', 'failed')
_LINES = 4096


def _library():
    library = ctypes.CDLL('liblinphone.so.10')
    pointers = ('factory_get', 'factory_create_core_cbs', 'factory_create_core_3', 'core_create_address', 'core_create_subscribe',
                'core_create_friend_with_address', 'friend_get_presence_model', 'friend_get_address', 'event_ref')
    texts = ('content_get_utf8_text', 'address_as_string_uri_only')
    for name in pointers + texts:
        getattr(library, f'linphone_{name}').restype = c_char_p if name in texts else c_void_p
    return library


def _call(function, *arguments):
    """Pointers must not be cut to the width of an int."""
    return function(*[c_void_p(a) if isinstance(a, int) and a > 0xFFFFFF else a for a in arguments])


class Core:
    def __init__(self, config):
        self.library = library = _library()
        factory = library.linphone_factory_get()
        self.core = _call(library.linphone_factory_create_core_3, factory, config.encode(), None, None)
        callbacks = _call(library.linphone_factory_create_core_cbs, factory)
        self._kept = []
        for name, types, does in (
                ('registration_state_changed', (c_void_p, c_void_p, c_int, c_char_p), self._registered),
                ('subscription_state_changed', (c_void_p, c_void_p, c_int), self._subscription),
                ('notify_received', (c_void_p, c_void_p, c_char_p, c_void_p), self._notified),
                ('notify_presence_received', (c_void_p, c_void_p), self._presence)):
            callback = CFUNCTYPE(None, *types)(does)
            self._kept.append(callback)
            _call(getattr(library, f'linphone_core_cbs_set_{name}'), callbacks, callback)
        _call(library.linphone_core_add_callbacks, self.core, callbacks)
        self._events, self._friends = {}, {}
        if _call(library.linphone_core_start, self.core):
            sys.exit('linphone does not start')

    @staticmethod
    def _say(what, **fields):
        print(json.dumps({'what': what} | fields), flush=True)

    def _registered(self, core, proxy, state, message):
        self._say('registration', state=REGISTRATION[state], said=(message or b'').decode())

    def _name_of(self, event):
        return next((name for name, known in self._events.items() if known == event), None)

    def _subscription(self, core, event, state):
        self._say('subscription', name=self._name_of(event), state=SUBSCRIPTION[state])

    def _notified(self, core, event, package, content):
        body = _call(self.library.linphone_content_get_utf8_text, content) if content else b''
        self._say('notify', name=self._name_of(event), package=package.decode(), body=(body or b'').decode('utf-8', 'replace'))

    def _presence(self, core, friend):
        address = _call(self.library.linphone_friend_get_address, friend)
        uri = _call(self.library.linphone_address_as_string_uri_only, address)
        model = _call(self.library.linphone_friend_get_presence_model, friend)
        opened = bool(model) and _call(self.library.linphone_presence_model_get_basic_status, model) == 0
        self._say('presence', uri=uri.decode(), open=opened)

    # Commands.

    def watch(self, name, uri, package, expires):
        address = _call(self.library.linphone_core_create_address, self.core, uri.encode())
        event = _call(self.library.linphone_core_create_subscribe, self.core, address, package.encode(), expires)
        self._events[name] = _call(self.library.linphone_event_ref, event)
        _call(self.library.linphone_event_add_custom_header, event, b'Accept', b'application/dialog-info+xml')
        _call(self.library.linphone_event_send_subscribe, event, None)

    def refresh(self, name):
        _call(self.library.linphone_event_refresh_subscribe, self._events[name])

    def leave(self, name):
        _call(self.library.linphone_event_terminate, self._events[name])

    def friend(self, uri):
        friend = self._friends[uri] = _call(self.library.linphone_core_create_friend_with_address, self.core, uri.encode())
        _call(self.library.linphone_friend_enable_subscribes, friend, 1)
        # Whoever asks whether this phone is there is told so.
        _call(self.library.linphone_friend_set_inc_subscribe_policy, friend, 2)
        _call(self.library.linphone_core_add_friend, self.core, friend)

    def unfriend(self, uri):
        _call(self.library.linphone_core_remove_friend, self.core, self._friends[uri])

    def run(self):
        pending = b''
        while True:
            _call(self.library.linphone_core_iterate, self.core)
            if not select.select([0], [], [], 0.02)[0]:
                continue
            data = os.read(0, _LINES)
            if not data:
                return
            *lines, pending = (pending + data).split(b'\n')
            for line in lines:
                command = json.loads(line)
                getattr(self, command.pop('do'))(**command)


if __name__ == '__main__':
    Core(sys.argv[1]).run()
