"""What a phone knows once it has read its file, in words common to all vendors."""
import dataclasses


class Unreadable(Exception):
    """The phone would refuse the file, or be left with something it cannot work with."""


@dataclasses.dataclass(frozen=True)
class Key:
    """One programmable key. `kind`: line, speed, blf, or other for what this reader does not know."""
    kind: str
    value: str = ''
    label: str = ''
    pickup: str = ''


@dataclasses.dataclass
class Settings:
    """The outcome of a file. `keys` maps each place named in the file, empty ones too, to its Key or None."""
    vendor: str = ''
    user: str = ''
    auth_user: str = ''
    password: str = ''
    domain: str = ''
    proxy_host: str = ''
    proxy_port: int = 0
    transport: str = ''
    expires: int = 0
    screen: str = ''
    caller: str = ''
    language: str = ''
    emergency: tuple = ()
    keys: dict = dataclasses.field(default_factory=dict)
    #: Where the phone fetches next time: a whole URL of a file, or of a folder, which ends with "/".
    url: str = ''
    #: Accounts beyond the first that are switched on.
    other_accounts: tuple = ()
    reboots_on_check_sync: bool = False
    challenges_notify: bool = False
    pnp: bool = True
    #: Whether *77… reaches the wire as it was typed.
    dials_star_codes: bool = True
    version: str = ''
    wipes_contacts: bool = False
    #: User and password of HTTP where it fetches; empty: none.
    fetch: tuple = ()
    raw: dict = dataclasses.field(default_factory=dict)

    def dialled_by(self, place):
        """What pressing the key calls; None for a key that calls nobody."""
        key = self.keys.get(place)
        return key.value if key and key.kind in ('speed', 'blf') else None

    def used_keys(self):
        return {place: key for place, key in self.keys.items() if key}


def whole(text, what, low=0, high=1 << 31):
    """A number as a phone takes it: digits alone."""
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise Unreadable(f'{what} is {text!r}')
    return int(text)


def host_and_port(text, default=5060):
    """`host:port`, an IPv6 address in brackets."""
    if text.startswith('['):
        host, _, rest = text[1:].partition(']')
        return host, whole(rest[1:], 'port', 1, 65535) if rest.startswith(':') else default
    host, _, port = text.partition(':')
    return host, whole(port, 'port', 1, 65535) if port else default


def unbracketed(host):
    return host[1:-1] if host.startswith('[') and host.endswith(']') else host


def allows(patterns, dialled):
    """Whether one of a digit map's patterns (`x`, `.`, `T`, classes) takes the whole of what was dialled."""
    return any(_matches(pattern, dialled) for pattern in patterns)


def _elements(pattern):
    """(characters, repeated) of a pattern; a dot repeats what stands before it, none or more times."""
    elements, place = [], 0
    while place < len(pattern):
        mark = pattern[place]
        place += 1
        if mark == '[':
            end = pattern.index(']', place)
            inside, place = pattern[place:end], end + 1
            characters = set()
            while inside:
                if len(inside) > 2 and inside[1] == '-':
                    characters |= {chr(code) for code in range(ord(inside[0]), ord(inside[2]) + 1)}
                    inside = inside[3:]
                else:
                    characters |= set('0123456789') if inside[0] == 'x' else {inside[0]}
                    inside = inside[1:]
            elements.append([frozenset(characters), False])
        elif mark == 'x':
            elements.append([frozenset('0123456789'), False])
        elif mark == '.' and elements:
            elements[-1][1] = True
        elif mark == 'T':
            continue
        else:
            elements.append([frozenset(mark), False])
    return elements


def _matches(pattern, dialled):
    reached = {0}
    for characters, repeated in _elements(pattern):
        after = set(reached) if repeated else set()
        fresh = {place + 1 for place in reached if place < len(dialled) and dialled[place] in characters}
        while fresh:
            after |= fresh
            if not repeated:
                break
            fresh = {place + 1 for place in fresh if place < len(dialled) and dialled[place] in characters} - after
        reached = after
    return len(dialled) in reached
