"""The scenarios that captures/ holds, with what each must come to: said here by hand, checked against every
recording, and written beside it for the tests that replay the phone side."""
from dataclasses import dataclass, field

from . import steps
from .pbx import PSAP, TRUNK


def _request(method, from_user, target=None):
    return {'method': method, 'from': from_user} | ({'target': target} if target else {})


def _verdict(device, target, verdict, status=None):
    return {'device': device, 'method': 'INVITE', 'target': target, 'verdict': verdict} | (
        {'status': status} if status else {})


def _typed(device, digits):
    return {'device': device, 'digits': digits}


_SITE = [_request('REGISTER', TRUNK)]
_REGISTER_100 = [_request('REGISTER', '100')]
_LOGIN_100 = _verdict('HD0001', '*77*100*', 'login')
_PIN_100 = _typed('HD0001', '4711#')


def _call(from_user, target):
    return [_request('INVITE', from_user, target), _request('ACK', from_user), _request('BYE', from_user)]


@dataclass
class Scenario:
    """`reaches_pbx`: the requests the PBX must accept, in order, each once however often it was challenged or sent;
    requests inside a dialog go to a Contact and so have no `target`. `typed`: DTMF is masked in captures, so what
    was typed in each login call stands here. `verdicts`: on each call a phone began, in order."""
    name: str
    summary: str
    run: object
    reaches_pbx: list
    verdicts: list
    typed: list = field(default_factory=list)
    devices: tuple = ('HD0001',)
    phones: tuple = ()

    def expectation(self, transport):
        return {'scenario': self.name, 'summary': self.summary, 'transport': transport, 'devices': list(self.devices),
                'typed': self.typed, 'verdicts': self.verdicts, 'reaches_pbx': self.reaches_pbx}


def _idle_refused(branch):
    steps.refused_when_idle(branch)


def _emergency(branch):
    steps.emergency(branch)


def _login(branch):
    steps.login(branch)


def _lockout(branch):
    steps.wrong_pins(branch, 'HD0001', '102')
    steps.locked_out(branch, 'HD0001', '102')


def _call_out(branch):
    steps.login(branch)
    steps.call_out(branch)


def _call_in(branch):
    steps.login(branch)
    steps.call_in(branch)


def _roam(branch):
    steps.login(branch)
    steps.roam(branch)
    steps.refused_when_idle(branch, 'HD0001', hint=False)


def _logout_by_code(branch):
    steps.login(branch)
    steps.logout(branch)
    steps.refused_when_idle(branch, hint=False)


def _logout_by_key(branch):
    steps.login(branch)
    steps.logout_by_key(branch)
    steps.refused_when_idle(branch, hint=False)


_REFUSED_101 = _verdict('HD0001', '101', 'refuse', 403)

ALL = [
    Scenario('idle-refused', 'An idle hot desk calls 101: refused at the branch, with a spoken hint.', _idle_refused,
             _SITE, [_REFUSED_101]),
    Scenario('emergency-from-idle', 'An idle hot desk calls 112 and speaks with the emergency answer point.', _emergency,
             _SITE + _call(TRUNK, '112'), [_verdict('HD0001', '112', 'emergency')], phones=(PSAP,)),
    Scenario('login', 'Extension 100 logs in at an idle hot desk with *77*100* and its PIN.', _login,
             _SITE + _REGISTER_100, [_LOGIN_100], [_PIN_100]),
    Scenario('wrong-pin-lockout', 'Three wrong PINs for 102, then the right one: locked out.', _lockout, _SITE,
             [_verdict('HD0001', '*77*102*', 'login'), _verdict('HD0001', '*77*102*', 'login')],
             [_typed('HD0001', '1357#2468#3691#'), _typed('HD0001', '8524#')]),
    Scenario('call-out', 'After a login 100 calls 101 at the PBX; both speak.', _call_out,
             _SITE + _REGISTER_100 + _call('100', '101'), [_LOGIN_100, _verdict('HD0001', '101', 'forward')], [_PIN_100],
             phones=('101',)),
    Scenario('call-in', 'After a login 101 calls 100, which is the hot desk now; both speak.', _call_in,
             _SITE + _REGISTER_100 + _call('101', '100'), [_LOGIN_100], [_PIN_100], phones=('101',)),
    Scenario('roam', 'Extension 100 logs in at a second hot desk; the first becomes idle and is refused.', _roam,
             _SITE + _REGISTER_100,
             [_LOGIN_100, _verdict('HD0002', '*77*100*', 'login'), _REFUSED_101], [_PIN_100, _typed('HD0002', '4711#')],
             devices=('HD0001', 'HD0002')),
    Scenario('logout-by-code', 'A hot desk is given back by dialling *77*5*.', _logout_by_code,
             _SITE + _REGISTER_100 + _REGISTER_100, [_LOGIN_100, _verdict('HD0001', '*77*5*', 'logout'), _REFUSED_101],
             [_PIN_100]),
    Scenario('logout-by-key', 'A hot desk is given back with its key, which dials the code escaped.', _logout_by_key,
             _SITE + _REGISTER_100 + _REGISTER_100, [_LOGIN_100, _verdict('HD0001', '*77*5*', 'logout'), _REFUSED_101],
             [_PIN_100]),
]


def named(name):
    return next(scenario for scenario in ALL if scenario.name == name)


def reached(pbx):
    """What the PBX accepted, in the form of `reaches_pbx`. REGISTERs of the PBX's own phones are not the edge's;
    an ACK or BYE counts for the dialog's caller, whichever side sent it; repeats are left out."""
    seen, found = set(), []
    callers = {}
    for request in pbx.requests(everything=True):
        if request.method == 'REGISTER' and request.transport != 'tls':
            continue
        if request.method == 'NOTIFY' or (request.method == 'OPTIONS'):
            continue
        key = (request.method, request.call_id, request.cseq)
        if key in seen:
            continue
        seen.add(key)
        if request.method == 'INVITE' and not request.to_tag:
            callers[request.call_id] = request.from_user
            found.append(_request('INVITE', request.from_user, request.target))
        elif request.method == 'REGISTER':
            found.append(_request('REGISTER', request.to_user))
        else:
            found.append(_request(request.method, callers.get(request.call_id, request.from_user)))
    return found
