"""Grandstream: XML with settings by name (version 2) or by P number (version 1)."""
import re

from . import xmlfile
from .settings import Key, Settings, Unreadable, host_and_port, whole

TRANSPORTS = {'UDP': 'udp', 'TCP': 'tcp', 'TlsOrTcp': 'tls'}
MODES = {'Line': 'line', 'SpeedDial': 'speed', 'BLF': 'blf'}


def read(data, mac=None):
    """`mac`: the phone's own, bare; a file for another phone is not taken."""
    root = xmlfile.root(data, 'gs_provision')
    named = xmlfile.text(root.find('mac'))
    if mac and named and named.lower() != mac.lower():
        raise Unreadable(f'the file is for {named}')
    given = {}
    for config in root.findall('config'):
        if config.get('version') == '2':
            given.update({item.get('name'): xmlfile.text(item) for item in config.findall('item')})
        else:
            given.update({element.tag: xmlfile.text(element) for element in config})
    get = lambda name, default='': given.get(name, default)  # noqa: E731
    settings = Settings(vendor='grandstream', raw=given)
    settings.user, settings.auth_user = get('account.1.sip.userid'), get('account.1.sip.subscriber.userid')
    settings.password, settings.domain = get('account.1.sip.subscriber.password'), get('account.1.sip.server.1.address')
    if get('account.1.enable') == 'Yes':
        settings.proxy_host, settings.proxy_port = host_and_port(get('account.1.sip.outboundProxy.1.address'))
        settings.transport = TRANSPORTS[get('account.1.sip.transport', 'UDP')]
        # The phone counts minutes.
        settings.expires = whole(get('account.1.sip.registerExpiration', '60'), 'expiration', 1, 64800) * 60
    settings.screen, settings.caller = get('account.1.name'), get('account.1.sip.subscriber.name')
    settings.language = get('language.gui')
    settings.emergency = tuple(filter(None, get('keys.lock.emergency').split(',')))
    settings.challenges_notify = get('sip.notify.challenge', 'No') == 'Yes' or get('account.1.sip.allowSipReset', 'No') != 'Yes'
    settings.other_accounts = tuple(number for number in range(2, 17) if get(f'account.{number}.enable') == 'Yes')
    settings.dials_star_codes = get('account.1.featureCodes.callFeatures', 'Yes') == 'No' and '*' in get('account.1.call.dialplan', '{ x+ }')
    settings.url = _url(get)
    if get('P1360'):
        settings.fetch = get('P1360'), get('P1361')
    for name in given:
        if re.fullmatch(r'pks\.(vpk|mpk|ext)\.\d+\.keyMode', name):
            settings.keys[name[:-len('.keyMode')]] = _key(name[:-len('.keyMode')], get)
    return settings


def _url(get):
    path = get('provisioning.config.serverPath') or get('P237')
    protocol = get('provisioning.config.protocol').lower() or {'1': 'http', '2': 'https'}.get(get('P212'), '')
    return f"{protocol}://{path.rstrip('/')}/" if path and protocol else ''


def _key(name, get):
    mode, value, label = get(name + '.keyMode'), get(name + '.value'), get(name + '.description')
    if mode == 'None':
        if value or label:
            raise Unreadable(f'{name} is off but not blank')
        return None
    return Key(MODES.get(mode, 'other'), value, label)
