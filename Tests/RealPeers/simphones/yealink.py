"""Yealink: `key = value` lines under a first line that must be right."""
from .settings import Key, Settings, Unreadable, allows, unbracketed, whole

FIRST_LINE = '#!version:1.0.0.1'
KINDS = {'13': 'speed', '15': 'line', '16': 'blf'}
TRANSPORTS = {'0': 'udp', '1': 'tcp', '2': 'tls'}


def values(data):
    """Every parameter of the file; `%NULL%` is the factory's value, which is none here."""
    lines = data.decode('utf-8').split('\n')
    if lines[0].rstrip('\r') != FIRST_LINE:
        raise Unreadable(f'the first line is {lines[0]!r}')
    found = {}
    for line in lines[1:]:
        line = line.strip()
        if not line or line.startswith('#') or line.startswith('['):
            continue
        if line.startswith('include:config'):
            found.setdefault('include', []).append(line.split(None, 1)[1].strip('"<>'))
            continue
        name, equals, value = line.partition('=')
        if not equals:
            raise Unreadable(f'no parameter: {line!r}')
        value = value.strip()
        found[name.strip()] = '' if value == '%NULL%' else value
    return found


def read(data, factory=None):
    """The phone's settings after the file. `factory`: parameters that are set before, as a file that was read earlier
    leaves them; what the new file does not name stays."""
    given = dict(factory or {})
    given.update(values(data))
    get = lambda name, default='': given.get(name, default)  # noqa: E731
    settings = Settings(vendor='yealink', raw=given)
    settings.user, settings.auth_user = get('account.1.user_name'), get('account.1.auth_name')
    settings.password, settings.domain = get('account.1.password'), get('account.1.sip_server.1.address')
    if get('account.1.enable') == '1':
        settings.transport = TRANSPORTS[get('account.1.sip_server.1.transport_type', '0')]
        settings.expires = whole(get('account.1.sip_server.1.expires', '3600'), 'expires', 60)
        if get('account.1.outbound_proxy_enable') == '1':
            settings.proxy_host = unbracketed(get('account.1.outbound_proxy.1.address'))
            settings.proxy_port = whole(get('account.1.outbound_proxy.1.port', '5060'), 'proxy port', 1, 65535)
    settings.screen, settings.caller = get('account.1.label'), get('account.1.display_name')
    settings.language = get('lang.gui')
    settings.emergency = tuple(filter(None, get('phone_setting.emergency.number').split(',')))
    settings.url = get('static.auto_provision.server.url')
    if get('static.auto_provision.server.username'):
        settings.fetch = get('static.auto_provision.server.username'), get('static.auto_provision.server.password')
    settings.pnp = get('static.auto_provision.pnp_enable', '1') == '1'
    settings.reboots_on_check_sync = get('sip.notify_reboot_enable', '1') == '1'
    settings.other_accounts = tuple(number for number in range(2, 17) if get(f'account.{number}.enable') == '1')
    settings.dials_star_codes = get('features.key_as_send', '1') != '2' and _plan_takes_codes(get)
    for name in given:
        if name.endswith('.type') and name.startswith(('linekey.', 'expansion_module.')):
            settings.keys[name[:-len('.type')]] = _key(name[:-len('.type')], get)
    return settings


def _plan_takes_codes(get):
    if get('dialplan.digitmap.enable') != '1':
        return True
    patterns = get('dialplan.digitmap.string').split('|')
    return all(allows(patterns, code) for code in ('*77*', '*77*100*', '*77*5*', '100', '112'))


def _key(name, get):
    kind = get(name + '.type', '0')
    if kind == '0':
        if get(name + '.value') or get(name + '.label'):
            raise Unreadable(f'{name} is off but not blank')
        return None
    return Key(KINDS.get(kind, 'other'), get(name + '.value'), get(name + '.label'), get(name + '.extension'))
