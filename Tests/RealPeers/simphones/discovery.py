"""How a phone out of its box finds its server: by multicast (SIP PnP), by the text of a DHCP option, by redirection."""
import select
import socket
import time

from testbed.sip import Message, token

GROUP = ('224.0.1.75', 5060)


class PnP:
    """One phone's question, from a socket and an address of its own. `branch` is what some firmware leaves out of Via,
    `form` how it writes its MAC."""

    def __init__(self, address, mac, vendor='yealink', model='SIP-T54W', form='MAC%3a{}', branch=True):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        self.socket.bind((address, 0))
        self.address, self.port = self.socket.getsockname()
        uri = f'sip:{form.format(mac.replace(":", ""))}@lan'
        via = f'SIP/2.0/UDP {self.address}:{self.port}' + (f';branch=z9hG4bK{token()}' if branch else '') + ';rport'
        event = f'ua-profile;profile-type="device";vendor="{vendor}";model="{model}";version="1.0"'
        self.request = Message(f'SUBSCRIBE {uri} SIP/2.0', [
            ('Via', via), ('Max-Forwards', '70'), ('From', f'<{uri}>;tag={token()}'), ('To', f'<{uri}>'), ('Call-ID', token(12)),
            ('CSeq', '1 SUBSCRIBE'), ('Event', event), ('Expires', '0'), ('Accept', 'application/url'),
            # What it says of itself may be wrong: the answer goes to where the datagram came from.
            ('Contact', '<sip:192.0.2.250:1234>')])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, times=1):
        for _ in range(times):
            self.socket.sendto(self.request.encoded(), GROUP)
        return self

    def hear(self, seconds=3.0, quiet=0.7):
        """(responses, NOTIFYs): all that comes until it has been quiet for a while. Each NOTIFY is answered."""
        responses, notifies, end = [], [], time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.socket], [], [], quiet)[0]:
                break
            data, source = self.socket.recvfrom(65535)
            message = Message.parse(data)
            if message.is_response:
                responses.append(message)
                continue
            notifies.append(message)
            fields = [(name, message.get(name)) for name in ('Via', 'From', 'To', 'Call-ID', 'CSeq')]
            self.socket.sendto(Message('SIP/2.0 200 OK', fields).encoded(), source)
        return responses, notifies


def server_by_pnp(address, mac, **options):
    """The address a phone is given, or None."""
    with PnP(address, mac, **options) as phone:
        _, notifies = phone.ask().hear()
        return notifies[0].body.decode().strip() if notifies else None
