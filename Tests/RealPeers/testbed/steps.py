"""The steps of the main scenario. Each does what a person would, then judges: by what phones heard and showed, by
what reached the PBX, and by the edge's status. Demo, tests and recordings all use these."""
import os
import time

from . import audio
from .edge import PEOPLE
from .pbx import PSAP, TRUNK

RECORDINGS = '/usr/share/asterisk/sounds/en_US_f_Allison'
ENTER_EXTENSION, ENTER_PIN, INCORRECT = 'agent-user', 'confbridge-pin', 'vm-incorrect'
LOGGED_IN, LOGGED_OUT, LOCKED_OUT = 'agent-loginok', 'agent-loggedoff', 'confbridge-pin-bad'
LOGIN_HINT = 'feature-not-avail-line'


class StepFailed(AssertionError):
    pass


def expect(condition, what):
    if not condition:
        raise StepFailed(what)


def recording(name):
    return os.path.join(RECORDINGS, f'{name}.wav')


def seconds_of(name):
    return len(audio.read(recording(name))) / audio.RATE


def expect_heard(phone, name, wideband=False):
    """`wideband`: the recording that goes out in G.722, which is another."""
    reference = audio.read_g722(recording(name).replace('.wav', '.g722')) if wideband else audio.read(recording(name))
    match = audio.find_recording(phone.heard(), reference)
    expect(match.found, f'{phone.name} did not hear "{name}" (found {match.score:.0%} of it)')
    return match


def expect_not_heard(phone, name):
    match = audio.find_recording(phone.heard(), audio.read(recording(name)))
    expect(not match.found, f'{phone.name} heard "{name}" ({match.score:.0%} of it)')


def expect_tone(phone, hertz):
    share = audio.tone_share(phone.heard(), hertz)
    expect(share > 0.7, f'{phone.name} did not hear the tone of {hertz} Hz (share {share:.2f})')


def expect_nothing_at_pbx(branch):
    reached = [f'{r.method} {r.target}' for r in branch.calls_at_pbx()]
    expect(not reached, f'the PBX saw {", ".join(reached)}')


def settle(branch, seconds=0.4):
    """Lets the last datagrams arrive and phones close their recordings."""
    for phone in branch.everybody():
        if hasattr(phone, 'rest'):
            phone.rest(0.01)
    time.sleep(seconds)


def registers(branch, device='HD0001', kind='baresip'):
    branch.device(device, kind)
    state = branch.edge.device(device)
    expect(state and state['registered'], f'the edge does not show {device} as registered')
    expect(state.get('extension') is None, f'{device} is not idle')
    return f'{device} is registered at the edge from {state["address"]}, and idle'


def refused_when_idle(branch, device='HD0001', target='101', hint=True):
    phone = branch.device(device)
    branch.forget()
    phone.dial(target)
    reason = phone.closed(15)
    expect(reason is not None, f'the call of the idle {device} was not refused')
    expect('403' in reason or 'orbidden' in reason or reason in ('error', 'ended', 'rejected'),
           f'refused with "{reason}", not with 403')
    settle(branch)
    expect_nothing_at_pbx(branch)
    if hint:
        expect_heard(phone, LOGIN_HINT)
    return f'refused with "{reason}"' + (', the hint was heard' if hint else '') + '; the PBX saw nothing'


def emergency(branch, device='HD0001', number='112', talk=2.0, identity=TRUNK):
    phone, psap = branch.device(device), branch.psap
    branch.forget()
    phone.dial(number)
    expect(phone.established(10), f'the emergency call from {device} was not answered')
    expect(psap.established(3), 'the emergency answer point has no call')
    time.sleep(talk)
    phone.hang_up()
    psap.closed(5)
    settle(branch)
    call = branch.pbx.wait_for(1, method='INVITE', target=number)
    expect(call, f'the PBX saw no INVITE for {number}')
    expect(call.from_user == identity, f'the PBX saw the call from {call.from_user}, not from {identity}')
    expect_tone(phone, branch.tone_of(PSAP))
    expect_tone(psap, branch.tone_of(device))
    return f'the answer point spoke with {call.from_user} (signed by {call.auth_user}), audio heard both ways'


def dial_login(branch, device, number, code=None):
    """Dials the login code; the call is up and the PIN is asked for when this returns."""
    phone = branch.device(device)
    phone.dial(f'*77*{number}*' if code is None else code)
    expect(phone.established(8), f'the login call from {device} was not answered')
    return phone


def login(branch, device='HD0001', number='100', code=None, pin=None, patient=True):
    """A good login. `patient`: the prompt is heard to its end; else the PIN is typed into it."""
    branch.forget()
    phone = dial_login(branch, device, number, code)
    time.sleep(seconds_of(ENTER_PIN) + 0.7 if patient else 0.8)
    phone.press((pin or PEOPLE[number][1]) + '#')
    expect(phone.closed(20) is not None, f'the edge did not end the login call from {device}')
    settle(branch)
    expect(branch.edge.wait_extension(device, number, 3), f'{device} does not show {number}')
    if patient:
        expect_heard(phone, ENTER_PIN)
    expect_heard(phone, LOGGED_IN)
    expect(branch.pbx.wait_registered(number), f'{number} is not registered at the PBX')
    expect(not [r for r in branch.calls_at_pbx()], 'the login call reached the PBX')
    return f'{number} ({PEOPLE[number][0]}) is logged in at {device}; prompt and confirmation were heard'


def shows_session(branch, device='HD0001', number='100'):
    state = branch.edge.device(device)
    expect(state['extension'] == number, f'status shows {state["extension"]} at {device}')
    expect(state['person'] == PEOPLE[number][0], f'status shows "{state["person"]}" at {device}')
    return f'{device}: {number} {state["person"]}, since {time.strftime("%H:%M:%S", time.localtime(state["since"]))}'


def call_out(branch, device='HD0001', number='100', target='101', talk=2.5):
    phone, far = branch.device(device), branch.phone(target)
    branch.forget()
    phone.dial(target)
    expect(phone.established(10), f'the call of {number} to {target} was not answered')
    expect(far.established(3), f'{target} has no call')
    time.sleep(talk)
    phone.hang_up()
    expect(far.closed(5) is not None, f'the call did not end at {target}')
    settle(branch)
    invite = branch.pbx.wait_for(1, method='INVITE', target=target)
    expect(invite and invite.from_user == number and invite.auth_user == number,
           f'the PBX saw the call from {invite and invite.from_user}, signed by {invite and invite.auth_user}')
    expect(branch.pbx.wait_for(2, method='BYE'), 'the PBX saw no BYE')
    expect_tone(phone, branch.tone_of(target))
    expect_tone(far, branch.tone_of(device))
    return f'{target} spoke with {number} through the trunk, audio heard both ways'


def call_in(branch, device='HD0001', number='100', source='101', talk=2.5):
    phone, far = branch.device(device), branch.phone(source)
    branch.forget()
    far.dial(number)
    expect(far.established(10), f'the call of {source} to {number} was not answered')
    expect(phone.established(3), f'{device} has no call')
    time.sleep(talk)
    far.hang_up()
    expect(phone.closed(5) is not None, f'the call did not end at {device}')
    settle(branch)
    expect_tone(phone, branch.tone_of(source))
    expect_tone(far, branch.tone_of(device))
    return f'{source} reached {number} at {device}, audio heard both ways'


def call_back(branch, number, device='HD0001'):
    """The emergency answer point calls back, after whom it has spoken with."""
    return call_in(branch, device, number, PSAP)


def wrong_pins(branch, device='HD0002', number='102', pins=('1357', '2468', '3691')):
    """As many wrong PINs as lock, in one call; then the right one must not help."""
    branch.forget()
    phone = dial_login(branch, device, number)
    failed = f'loginFailed device={device} extension={number}'
    before = branch.edge.log().count(failed)
    for index, pin in enumerate(pins, 1):
        phone.press(pin + '#')
        expect(branch.edge.wait_log(failed, before + index), f'the edge has not judged "{pin}"')
    expect(phone.closed(25) is not None, 'the edge did not end the call after the last wrong PIN')
    settle(branch)
    expect_heard(phone, INCORRECT)
    expect(branch.edge.extension_on(device) is None, f'{device} is logged in after wrong PINs')
    expect_nothing_at_pbx(branch)
    return f'{len(pins)} wrong PINs for {number} at {device}: "login incorrect" was heard, nobody is logged in'


def locked_out(branch, device='HD0002', number='102'):
    branch.forget()
    phone = branch.device(device)
    phone.dial(f'*77*{number}*')
    if phone.established(8):
        phone.rest(1.0)
        phone.press(PEOPLE[number][1] + '#')
    if phone.closed(20) is None:
        phone.hang_up()
    settle(branch)
    expect(branch.edge.extension_on(device) is None, f'{device} was logged in while locked out')
    expect_heard(phone, LOCKED_OUT)
    expect(not branch.pbx.requests(method='REGISTER', from_user=number), f'{number} was registered at the PBX')
    return f'the right PIN does not help now: {device} hears that it is locked out'


def roam(branch, number='100', old='HD0001', new='HD0002'):
    branch.device(new)
    said = login(branch, new, number)
    expect(branch.edge.wait_extension(old, None, 2), f'{old} still shows {number}')
    expect(branch.pbx.has_registered(number), f'{number} was taken off the PBX')
    return f'{said}; {old} is idle'


def logout(branch, device='HD0001', number='100', code='*77*5*', is_called_back=False):
    """`is_called_back`: an emergency call was made as this extension, so the PBX must still reach the device by it."""
    branch.forget()
    phone = branch.device(device)
    phone.dial(code)
    phone.established(5)
    if phone.closed(15) is None:
        phone.hang_up()
    settle(branch)
    expect(branch.edge.wait_extension(device, None, 2), f'{device} is not idle')
    expect_heard(phone, LOGGED_OUT)
    expect_nothing_at_pbx(branch)
    if is_called_back:
        expect(branch.pbx.has_registered(number), f'{number} was taken off the PBX')
        return f'{device} is idle again, {number} stays at the PBX for a call back'
    expect(branch.pbx.wait_registered(number, False), f'{number} was not taken off the PBX')
    return f'{device} is idle again, {number} was taken off the PBX'


def logout_by_key(branch, device='HD0001', number='100'):
    """As a BLF key dials it: escaped, with user=phone."""
    address = branch.device(device).domain
    return logout(branch, device, number, f'sip:%2A77%2A5%2A@{address};user=phone')


def time_to_first_call(branch, device='HD0001', number='100', target='101'):
    """Seconds from the last key of the PIN to the moment the PBX accepts the first call."""
    branch.phone(target)
    branch.forget()
    phone = dial_login(branch, device, number)
    time.sleep(0.8)
    phone.press(PEOPLE[number][1])
    began = time.time()
    phone.command('sndcode', '#')
    expect(branch.edge.wait_extension(device, number, 5), f'{device} does not show {number}')
    phone.hang_up()
    phone.dial(target)
    invite = branch.pbx.wait_for(8, method='INVITE', target=target)
    expect(invite, 'the PBX accepted no call')
    phone.established(3)
    phone.hang_up()
    return invite.at - began


def login_and_call(branch, device='HD0001', number='100', target='101'):
    seconds = time_to_first_call(branch, device, number, target)
    settle(branch, 1)
    return f'from the last digit of the PIN to the first call the PBX accepted: {seconds * 1000:.0f} ms'
