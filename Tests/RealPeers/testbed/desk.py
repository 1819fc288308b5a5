"""A hot desk without sound: a raw SIP client that registers as a device and logs people in by SIP INFO."""
from . import network
from .edge import ADDRESS, PEOPLE
from .processes import PeerError, wait_until
from .sip import SIPClient, offer


class Desk(SIPClient):
    def __init__(self, name='HD0001', transport='udp', local=network.address(14), password=None, domain=ADDRESS, server=(ADDRESS, 5060), **options):
        super().__init__(name, password or f'demo-{name}', domain, server, local, transport, **options)

    def sign_on(self, expires=120):
        response = self.register(expires)
        if response is None or response.status != 200:
            raise PeerError(f'{self.user} could not register: {response and response.start}')
        return self

    def type_login(self, number='100', pin=None, kind='relay', code=None, before=(), until=None):
        """Calls the login code and types; the response of the INVITE. Stays until the edge ends the call, or until
        `until` gives something true: then it hangs up, for what is spoken is heard by others."""
        response, dialog = self.invite(code or f'*77*{number}*')
        if dialog is None:
            return response
        for digits in (*before, (pin or PEOPLE[number][1]) + '#'):
            self.press_by_info(dialog, digits, kind)
        if until and wait_until(until, 8) or not self.wait_end(12):
            self.hang_up(dialog)
        return response

    def wait_end(self, seconds):
        """Waits for a BYE and answers it."""
        bye = self.wait_request('BYE', seconds)
        if bye:
            self.reply(bye, 200)
        return bye

    def try_call(self, target, seconds=10.0, hint=False, **parts):
        """Calls, and hangs up at once where somebody answers; the status code of the final response (0: none).
        Without `hint` it offers a codec the edge does not speak in, so that a refusal need not be listened to."""
        body = offer(self.local, formats='8 0 101' if hint else '18 101')
        response, dialog = self.invite(target, seconds, body, **parts)
        if dialog:
            self.hang_up(dialog)
        return response.status if response else 0


def log_in(edge, desk, number='100', **options):
    response = desk.type_login(number, until=lambda: edge.extension_on(desk.user) == number, **options)
    if edge.extension_on(desk.user) != number:
        raise PeerError(f'{number} is not logged in at {desk.user}: {response and response.start}\n{edge.log()[-1500:]}')
