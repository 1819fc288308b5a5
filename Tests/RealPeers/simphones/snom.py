"""Snom: XML settings, function keys counted from 0."""
import re

from . import xmlfile
from .settings import Key, Settings, Unreadable, host_and_port, whole


def read(data):
    root = xmlfile.root(data, 'settings')
    phone = root.find('phone-settings')
    if phone is None:
        raise Unreadable('there are no phone-settings')
    plain = {element.tag: xmlfile.text(element) for element in phone if element.get('idx') is None}
    first = {element.tag: xmlfile.text(element) for element in phone if element.get('idx') == '1'}
    settings = Settings(vendor='snom', raw=plain)
    settings.user, settings.auth_user = first.get('user_name', ''), first.get('user_pname', '')
    settings.password, settings.domain = first.get('user_pass', ''), first.get('user_host', '')
    if first.get('user_active') == 'on':
        target, _, parameter = first.get('user_outbound', '').partition(';')
        settings.proxy_host, settings.proxy_port = host_and_port(target)
        settings.transport = parameter.partition('transport=')[2] or 'udp'
        settings.expires = whole(first.get('user_expiry', '3600'), 'expires', 30)
    settings.screen, settings.caller = first.get('user_idle_text', ''), first.get('user_realname', '')
    settings.language = plain.get('language', '')
    settings.emergency = tuple(plain.get('keyboard_lock_emergency', '').split())
    settings.url = plain.get('setting_server', '')
    if plain.get('http_client_user'):
        settings.fetch = plain['http_client_user'], plain.get('http_client_pass', '')
    settings.pnp = plain.get('pnp_config', 'on') != 'off'
    settings.other_accounts = tuple(
        int(element.get('idx')) for element in phone
        if element.tag == 'user_active' and element.get('idx') != '1' and xmlfile.text(element) != 'off')
    book = root.find('tbook')
    settings.wipes_contacts = book is not None and book.get('complete') == 'true' and len(book) == 0
    for element in root.findall('functionKeys/fkey'):
        settings.keys[int(element.get('idx'))] = _key(element)
    if settings.keys and min(settings.keys) != 0:
        raise Unreadable('keys are counted from 0')
    return settings


def _key(element):
    value, label = xmlfile.text(element), element.get('label') or ''
    verb, _, rest = value.partition(' ')
    if verb == 'none':
        if rest or label:
            raise Unreadable(f'a key is off but not blank: {value!r}')
        return None
    if verb == 'line':
        return Key('line', '', label)
    if verb == 'speed':
        return Key('speed', rest, label)
    if verb == 'blf':
        target, _, pickup = rest.partition('|')
        match = re.fullmatch(r'<sip:([^@>]+)@[^>]+>|([^<>@ ]+)', target)
        if not match:
            raise Unreadable(f'no BLF: {value!r}')
        return Key('blf', match.group(1) or match.group(2), label, pickup)
    return Key('other', value, label)
