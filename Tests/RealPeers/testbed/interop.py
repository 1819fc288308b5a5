"""Which test shows which behaviour, with which client and PBX. docs/interop.md is made of what the tests say here.

A test names what it shows, in the words of `BEHAVIOURS`:

    @shows('hold', 're-invite')
    def test_hold_and_resume(self): ...

Who takes part is said by the class: `client` (or `kind`; baresip where it says nothing), `transport` of the phone
(udp), `pbx_name` (Kamailio); `@shows('message', client='SIPp')` says it for one test. A run appends what came of each test to
the file INTEROP_RESULTS; tools/interop.py makes the table of it. A behaviour that is proved in virtual time too names
the Swift test function.
"""
import json
import os

#: Name, what it is, and the Swift test functions that prove it in virtual time, or ''.
BEHAVIOURS = (
    ('registration', 'Registration of a hot desk', ''),
    ('login', 'Login by code and PIN', ''),
    ('roaming', 'The session moves to another desk', ''),
    ('logout', 'Logout by code and by key', ''),
    ('emergency', 'Emergency call: idle, logged in, locked out', ''),
    ('call-back', 'Call back after an emergency call', ''),
    ('call-out', 'Call to the PBX', ''),
    ('call-in', 'Call from the PBX', ''),
    ('hold', 'Hold and resume', ''),
    ('re-invite', 're-INVITE, both ways', ''),
    ('update', 'UPDATE, both ways', ''),
    ('glare', 'Glare (491)', ''),
    ('early-media', 'Early media', ''),
    ('forking', 'Several early dialogs', ''),
    ('prack', 'PRACK, 100rel', ''),
    ('cancel', 'CANCEL, and its races', ''),
    ('session-timer', 'Session timers', ''),
    ('blind-transfer', 'Blind transfer', ''),
    ('attended-transfer', 'Attended transfer (Replaces)', ''),
    ('forwarding', 'Call forwarding by 3xx, judged again', ''),
    ('call-waiting', 'Call waiting', ''),
    ('several-calls', 'Several calls of one device', ''),
    ('busy', 'Busy and do not disturb (486)', ''),
    ('not-there', 'Nobody there (404, 480)', ''),
    ('dtmf', 'Keys in a call, both ways', ''),
    ('mwi', 'Voicemail lamp', ''),
    ('blf', 'Busy lamps', ''),
    ('presence', 'Presence', ''),
    ('message', 'MESSAGE', ''),
    ('info', 'INFO', ''),
    ('options', 'OPTIONS, both ways', ''),
    ('fax', 'Fax offer', ''),
    ('no-audio', 'Session without audio', ''),
    ('ipv6', 'IPv6', ''),
    ('offerless', 'INVITE without offer', ''),
    ('large', 'Large messages over UDP, and the way to TCP', ''),
    ('reuse', 'Connections of phones used again (TCP, TLS)', ''),
    ('srtp', 'SRTP', ''),
    ('plain-registration', 'Plain phone: registration with Contact rewritten, Path', ''),
    ('plain-refresh', 'Plain phone: refreshes absorbed', ''),
    ('plain-flow', 'Plain phone: followed to another address', ''),
    ('pin-protection', 'PIN asked again before a call outside', ''),
    ('second-login', 'Login over a session of somebody else', ''),
    ('call-after-logout', 'A call outlives the logout', ''),
)
NAMES = {name for name, _, _ in BEHAVIOURS}


def shows(*behaviours, client=None, transport=None, pbx=None):
    unknown = set(behaviours) - NAMES
    if unknown or not behaviours:
        raise ValueError(f'not in BEHAVIOURS: {", ".join(sorted(unknown)) or "nothing"}')

    def mark(test):
        test.shows = behaviours, {'client': client, 'transport': transport, 'pbx': pbx}
        return test
    return mark


def note(test, passed):
    """Writes down what came of a test, where a run is to be written down."""
    path = os.environ.get('INTEROP_RESULTS')
    declared = getattr(getattr(test, getattr(test, '_testMethodName', ''), None), 'shows', None)
    if not path or declared is None:
        return
    behaviours, said = declared
    usual = {'client': getattr(test, 'client', None) or getattr(test, 'kind', None) or 'baresip',
             'transport': getattr(test, 'transport', None) or 'udp', 'pbx': getattr(test, 'pbx_name', None) or 'Kamailio'}
    who = {key: said[key] or value for key, value in usual.items()}
    with open(path, 'a') as file:
        for name in behaviours:
            file.write(json.dumps({'behaviour': name, **who, 'test': test.id().removeprefix('tests.'), 'passed': passed}) + '\n')
