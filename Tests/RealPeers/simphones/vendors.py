"""What each vendor's phones do in their own way: their User-Agent, the files they ask for and in which order, which
events make them fetch again. Reading the files is the readers' work."""
from . import fanvil, grandstream, poly, readers, yealink


def _pairs(mac):
    return ':'.join(mac[i:i + 2] for i in range(0, 12, 2))


class Kind:
    """A vendor's habits. `model` is the catalogue's name without the vendor; `mac` is bare and in lower case."""
    name = ''
    firmware = '1.0.0'
    #: Answers a NOTIFY without credentials with 401, and wants the account's own.
    challenges = False

    def agent(self, model, firmware, mac):
        raise NotImplementedError

    def first(self, mac, model):
        """Files asked for in a folder, in order."""
        raise NotImplementedError

    def optional(self, mac, model):
        """What may be there and seldom is."""
        return []

    def urls(self, server, mac, model):
        names = self.first(mac, model) + self.optional(mac, model)
        if server.endswith('/'):
            return [server + name for name in names]
        return [server]

    def named_by(self, name, body):
        """Files that an index names; None: it is no index."""
        return None

    def read(self, body, before, mac):
        """The settings after the file, or None where the phone keeps what it has."""
        return readers.read(self.name, body)

    def accepts(self, event):
        return event.startswith('check-sync')

    def reboots(self, event, settings):
        return 'reboot=true' in event or settings.reboots_on_check_sync


class Yealink(Kind):
    name, firmware = 'yealink', '96.86.0.70'
    _numbers = {'t54w': 96, 't46u': 108, 't31p': 124, 't57w': 97, 't53': 95}

    def agent(self, model, firmware, mac):
        return f'Yealink SIP-{model.upper()} {firmware} {_pairs(mac)}'

    def first(self, mac, model):
        return [f'{mac}.boot', 'y000000000000.boot', f'y0000000000{self._numbers.get(model, 95):02d}.cfg', f'{mac}.cfg']

    def optional(self, mac, model):
        return [f'{mac}-local.cfg', f'{mac}-contact.xml']

    def named_by(self, name, body):
        return yealink.values(body).get('include', []) if name.endswith('.boot') else None

    def read(self, body, before, mac):
        # What a file does not name stays as it was.
        return yealink.read(body, before.raw if before else None)


class Fanvil(Kind):
    name, firmware = 'fanvil', '2.12.16.17'

    def agent(self, model, firmware, mac):
        return f'Fanvil {model.upper()} {firmware} {mac}'

    def first(self, mac, model):
        return ['f0V00X200000.cfg', f'{mac}.cfg']

    def optional(self, mac, model):
        return [f'fanvil_{model}_hwv1_0.txt']

    def read(self, body, before, mac):
        # The version of a file that named a server says nothing of the files there.
        held = before.version if before and before.user else None
        return fanvil.read(body, held)


class Snom(Kind):
    name, firmware = 'snom', '10.1.169.16'

    def agent(self, model, firmware, mac):
        return f'Mozilla/4.0 (compatible; snom{model.upper()}-SIP {firmware} 2010.12-00001-gabcdef {mac.upper()} SXM:0 UXM:0 UXMC:0)'

    def first(self, mac, model):
        return [f'snom{model.upper()}.htm', f'snom{model.upper()}-{mac.upper()}.htm']


class Grandstream(Kind):
    name, firmware, challenges = 'grandstream', '1.0.5.15', True

    def agent(self, model, firmware, mac):
        return f'Grandstream Model HW {model.upper()} SW {firmware} DevId {mac}'

    def first(self, mac, model):
        return [f'cfg{mac}', f'cfg{mac}.xml', f'cfg{model}.xml', 'cfg.xml']

    def read(self, body, before, mac):
        return grandstream.read(body, mac)


class Poly(Kind):
    name, firmware = 'poly', '6.4.6.2453'

    def agent(self, model, firmware, mac):
        return f'FileTransport PolycomVVX-{model.upper().replace("VVX", "VVX_")}-UA/{firmware} Type/Application'

    def first(self, mac, model):
        return [f'{mac}.cfg', '000000000000.cfg']

    def optional(self, mac, model):
        return [f'{mac}-phone.cfg', f'{mac}-web.cfg', f'{mac}-license.cfg', f'{mac}-directory.xml', '000000000000-directory.xml']

    def named_by(self, name, body):
        return poly.config_files(body) if poly.attributes(body).get('CONFIG_FILES') else None


class Cisco(Kind):
    name, firmware, challenges = 'cisco', '11.0.1', True

    def agent(self, model, firmware, mac):
        return f'Cisco-CP-{model}-3PCC/{firmware} ({mac})'

    def first(self, mac, model):
        return [f'{model}-3PCC.xml']

    def read(self, body, before, mac):
        return readers.read(self.name, body, mac=mac)

    def accepts(self, event):
        return event.startswith(('check-sync', 'resync', 'reboot'))

    def reboots(self, event, settings):
        return event.startswith('reboot')


KINDS = {kind.name: kind for kind in (Yealink(), Fanvil(), Snom(), Grandstream(), Poly(), Cisco())}
