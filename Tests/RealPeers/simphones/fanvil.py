"""Fanvil: XML `sysConf`. A file whose version is not higher than the last one's is not taken."""
from . import xmlfile
from .settings import Key, Settings, Unreadable, unbracketed, whole

TRANSPORTS = {'0': 'udp', '1': 'tcp', '3': 'tls'}
PROTOCOLS = {'4': 'http', '5': 'https'}


def is_newer(version, last):
    """Versions are numbers parted by dots."""
    return last is None or [int(part) for part in version.split('.')] > [int(part) for part in last.split('.')]


def read(data, last_version=None):
    """The settings, or None where the phone keeps what it has because the version is no higher."""
    root = xmlfile.root(data, 'sysConf')
    version = xmlfile.text(root.find('Version'))
    if not version:
        raise Unreadable('there is no version')
    if not is_newer(version, last_version):
        return None
    get = lambda path: xmlfile.text(root.find(path))  # noqa: E731
    settings = Settings(vendor='fanvil', version=version)
    line = "sip/line[@index='1']/"
    settings.user, settings.auth_user = get(line + 'PhoneNumber'), get(line + 'RegisterUser')
    settings.password, settings.domain = get(line + 'RegisterPswd'), get(line + 'RegisterAddr')
    if get(line + 'EnableReg') == '1':
        settings.proxy_host = unbracketed(get(line + 'ProxyAddr'))
        settings.proxy_port = whole(get(line + 'ProxyPort'), 'proxy port', 1, 65535)
        settings.transport = TRANSPORTS[get(line + 'Transport')]
        settings.expires = whole(get(line + 'RegisterTTL'), 'expires', 30)
    settings.screen, settings.caller = get('phone/display/LCDTitle'), get(line + 'DisplayName')
    settings.language = get('phone/display/DefaultLanguage')
    settings.emergency = tuple(filter(None, get('phone/EmergencyCall').split(',')))
    settings.other_accounts = tuple(
        int(other.get('index')) for other in root.findall('sip/line')
        if other.get('index') != '1' and xmlfile.text(other.find('EnableReg')) == '1')
    settings.reboots_on_check_sync = get('sip/NotifyReboot') != '0'
    settings.pnp = get('ap/pnp/PNPEnable') != '0'
    codes = [child for child in root.find(line[:-1]) or () if child.tag.endswith('SvcCode')]
    settings.dials_star_codes = all(not xmlfile.text(code) for code in codes) and get('call/basic/DialbyTimeout') != '0'
    settings.url = _url(get)
    if get('ap/DefaultUsername'):
        settings.fetch = get('ap/DefaultUsername'), get('ap/DefaultPassword')
    for container in ('dssSide', 'internal'):
        for page in root.findall('dsskey/' + container):
            for key in page.findall('Fkey'):
                settings.keys[f"{container}.{page.get('index')}.{key.get('index')}"] = _key(key)
    return settings


def _url(get):
    server, name = get('ap/FlashServerIP'), get('ap/FlashFileName')
    protocol = PROTOCOLS.get(get('ap/FlashProtocol'))
    return f'{protocol}://{server}/{name}' if server and protocol else ''


def _key(element):
    kind, value = xmlfile.text(element.find('Type')), xmlfile.text(element.find('Value'))
    label = xmlfile.text(element.find('Title'))
    if kind == '0':
        if value or label:
            raise Unreadable(f'a key is off but not blank: {value!r}')
        return None
    if kind == '2':
        return Key('line', value, label)
    if kind != '1':
        return Key('other', value, label)
    number, at, rest = value.partition('@')
    line, slash, subtype = rest.partition('/')
    if not at or not slash or line != '1':
        raise Unreadable(f'no memory key: {value!r}')
    if subtype == 'f':
        return Key('speed', number, label)
    if subtype[:2] in ('ba', 'bb', 'bc'):
        pickup = subtype[2:]
        return Key('blf', number, label, pickup[:-len(number)] if pickup.endswith(number) else pickup)
    return Key('other', number, label)
