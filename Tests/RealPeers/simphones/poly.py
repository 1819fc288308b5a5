"""Poly UCS: attributes on any element; the names of elements say nothing."""
import re

from . import xmlfile
from .settings import Key, Settings, Unreadable, allows, unbracketed, whole

TRANSPORTS = {'UDPOnly': 'udp', 'TCPOnly': 'tcp', 'TLS': 'tls', 'DNSnaptr': 'udp'}


def attributes(data):
    try:
        root = xmlfile.ElementTree.fromstring(data)
    except xmlfile.ElementTree.ParseError as error:
        raise Unreadable(f'no well-formed XML: {error}') from error
    found = {}
    for element in root.iter():
        found.update(element.attrib)
    return found


def config_files(data):
    """The files a master names."""
    listed = attributes(data).get('CONFIG_FILES', '')
    return [name.strip() for name in listed.split(',') if name.strip()]


def read(data):
    given = attributes(data)
    get = lambda name, default='': given.get(name, default)  # noqa: E731
    settings = Settings(vendor='poly', raw=given)
    settings.user, settings.auth_user = get('reg.1.address'), get('reg.1.auth.userId')
    settings.password, settings.domain = get('reg.1.auth.password'), get('reg.1.server.1.address')
    if settings.user:
        settings.proxy_host = unbracketed(get('reg.1.outboundProxy.address'))
        settings.proxy_port = whole(get('reg.1.outboundProxy.port', '5060'), 'proxy port', 1, 65535)
        settings.transport = TRANSPORTS[get('reg.1.outboundProxy.transport') or get('reg.1.server.1.transport', 'UDPOnly')]
        settings.expires = whole(get('reg.1.server.1.expires', '3600'), 'expires', 10)
    settings.screen, settings.caller = get('reg.1.label'), get('reg.1.displayName')
    settings.language = get('lcl.ml.lang')
    settings.emergency = tuple(
        given[name] for name in sorted(given) if re.fullmatch(r'dialplan\.routing\.emergency\.\d+\.value', name))
    settings.reboots_on_check_sync = get('voIpProt.SIP.specialEvent.checkSync.alwaysReboot', '0') == '1'
    settings.other_accounts = tuple(number for number in range(2, 35) if get(f'reg.{number}.address'))
    patterns = get('dialplan.digitmap').split('|')
    settings.dials_star_codes = all(allows(patterns, code) for code in ('*77*', '*77*100*', '*77*5*', '100', '112'))
    settings.url = _url(get)
    if get('device.prov.user.set') == '1' and get('device.prov.password.set') == '1':
        settings.fetch = get('device.prov.user'), get('device.prov.password')
    if get('lineKey.reassignment.enabled') == '1':
        for name in given:
            if re.fullmatch(r'lineKey\.\d+\.category', name):
                settings.keys[int(name.split('.')[1])] = _key(name[:-len('.category')], get)
    if get('softkey.1.enable') == '1':
        settings.keys['softkey.1'] = Key('speed', _dialled(get('softkey.1.action')), get('softkey.1.label'))
    return settings


def _url(get):
    if get('device.set') != '1' or get('device.prov.serverName.set') != '1':
        return ''
    return f"{get('device.prov.serverType').lower()}://{get('device.prov.serverName').rstrip('/')}/"


def _key(name, get):
    category, index = get(name + '.category'), get(name + '.index')
    if category == 'Unassigned':
        return None
    if category == 'Line':
        return Key('line', '', get(f'reg.{index}.label'))
    if category == 'BLF':
        entry = f'attendant.resourceList.{index}'
        if not get(entry + '.address'):
            raise Unreadable(f'{entry} is empty')
        return Key('blf', get(entry + '.address'), get(entry + '.label'), get('call.directedCallPickupString'))
    if category == 'EFK':
        entry = f'efk.efklist.{index}'
        if get('feature.enhancedFeatureKeys.enabled') != '1' or get('feature.EFKLineKey.enabled') != '1' or get(entry + '.status') != '1':
            raise Unreadable(f'{entry} is off')
        return Key('speed', _dialled(get(entry + '.action.string')), get(entry + '.label'))
    return Key('other', category)


def _dialled(macro):
    match = re.fullmatch(r'\^?([0-9*#+]+)\$Tinvite\$', macro)
    if not match:
        raise Unreadable(f'no macro that dials: {macro!r}')
    return match.group(1)
