"""Cisco MPP: a flat profile. Of a parameter that stands twice the last one wins; what is absent keeps its value, and
some factory values are traps."""
import re

from . import xmlfile
from .settings import Key, Settings, Unreadable, host_and_port, whole

FACTORY = {'Block_ANC_Act_Code': '*77', 'Block_ANC_Deact_Code': '*87', 'Auth_Resync-Reboot_1_': 'Yes', 'Resync_From_SIP': 'Yes',
           'Cfwd_All_Act_Code': '*72', 'DND_Act_Code': '*78', 'Call_Return_Code': '*69', 'Register_Expires_1_': '3600'}


def read(data, mac=None):
    """`mac`: the phone's own, bare and in lower case, for `$MA`."""
    root = xmlfile.root(data, ('flat-profile', 'device'))
    given = dict(FACTORY)
    given.update({element.tag: xmlfile.text(element) for element in root})
    get = lambda name, default='': given.get(name, default)  # noqa: E731
    settings = Settings(vendor='cisco', raw=given)
    settings.user, settings.password, settings.domain = get('User_ID_1_'), get('Password_1_'), get('Proxy_1_')
    settings.auth_user = get('Auth_ID_1_') if get('Use_Auth_ID_1_') == 'Yes' else settings.user
    if get('Line_Enable_1_') == 'Yes':
        settings.proxy_host, settings.proxy_port = host_and_port(get('Outbound_Proxy_1_'))
        settings.transport = get('SIP_Transport_1_', 'UDP').lower()
        settings.expires = whole(get('Register_Expires_1_'), 'expires', 60)
    settings.screen, settings.caller = get('Station_Display_Name'), get('Display_Name_1_')
    settings.language = get('Language_Selection')
    settings.emergency = tuple(filter(None, get('Emergency_Number_1_').split(',')))
    settings.challenges_notify = get('Auth_Resync-Reboot_1_') == 'Yes'
    settings.other_accounts = tuple(number for number in range(2, 17) if get(f'Line_Enable_{number}_') == 'Yes')
    taken = [value for name, value in given.items() if re.search(r'_(Act|Deact)_Code$|_Code$', name) and value.startswith('*7')]
    settings.dials_star_codes = not taken and '*xx.' in get('Dial_Plan_1_', '(xx.)')
    options, rule = re.match(r'(?:\[([^]]*)\])?(.*)', get('Profile_Rule')).groups()
    settings.url = rule.replace('$MA', mac or '$MA')
    if options:
        found = dict(re.findall(r'--(\w+) (\S+)', options))
        settings.fetch = found['uid'], found['pwd']
    for name in given:
        if re.fullmatch(r'(Extended_Function_\d+_|Unit_\d+_Key_\d+_)', name):
            settings.keys[name] = _key(name, get)
    return settings


def _key(name, get):
    number = re.fullmatch(r'Extended_Function_(\d+)_', name)
    function = get(name)
    if number and get(f'Extension_{number.group(1)}_') not in ('', 'Disabled'):
        return Key('line', get(f'Extension_{number.group(1)}_'), get(f'Short_Name_{number.group(1)}_'))
    if not function:
        return None
    parts = dict(part.partition('=')[::2] for part in function.split(';'))
    address = parts.get('ext') or parts.get('sub') or ''
    user, at, host = address.partition('@')
    if not at or host != '$PROXY' or not user:
        raise Unreadable(f'no function: {function!r}')
    if parts.get('fnc') == 'sd':
        return Key('speed', user, parts.get('nme', ''))
    if 'blf' in parts.get('fnc', '').split('+'):
        return Key('blf', user, parts.get('nme', ''), get('Call_Pickup_Code'))
    return Key('other', user, parts.get('nme', ''))
