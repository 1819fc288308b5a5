"""The vendors' redirect services, as far as their interfaces are known: each speaks its vendor's protocol over HTTPS, judges
authentication strictly, and remembers where it sends which phone. A phone out of its box asks `server_of`."""
import base64
import collections
import hashlib
import hmac
import http.server
import json
import re
import socketserver
import ssl
import threading
import time
import xmlrpc.client

#: Requests older or newer than this are refused, as the vendors do.
CLOCK_SKEW = 60
MAC_LOWER, MAC_UPPER = re.compile(r'[0-9a-f]{12}\Z'), re.compile(r'[0-9A-F]{12}\Z')


class Refused(Exception):
    """What the service answers instead: an HTTP status, or a result that says no."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def handle(self):
        # Who does not trust us says so in the handshake.
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError):
            pass

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass

    def do_POST(self):
        self._answer()

    do_GET = do_PUT = do_DELETE = do_POST

    def _answer(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        service = self.server.service
        with service.lock:
            service.requests.append((self.command, self.path))
            if service.outage:
                status, headers, answer = service.outage, {}, b'come back later'
            else:
                status, headers, answer = service.handle(self.command, self.path, self.headers, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if service.chunked:
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            for start in range(0, len(answer), 7):
                part = answer[start:start + 7]
                self.wfile.write(f'{len(part):x}\r\n'.encode() + part + b'\r\n')
            self.wfile.write(b'0\r\n\r\n')
        else:
            self.send_header('Content-Length', str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        # Without asking DNS for our own name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Service:
    """One service on an HTTPS port of its own. `user` and `secret` are the account it knows."""
    path = '/'

    def __init__(self, address, port, certificate, user, secret):
        self.address, self.port, self.user, self.secret = address, port, user, secret
        self.lock = threading.Lock()
        self.requests, self.denied = [], collections.Counter()
        #: Status it answers everything with; phones of somebody else; whether answers come in chunks.
        self.outage, self.foreign, self.chunked = None, set(), False
        self._used = set()
        self._server = Server((address, port), Handler)
        self._server.service = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    @property
    def url(self):
        return f'https://{self.address}:{self.port}{self.path}'

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def deny(self, why):
        self.denied[why] += 1
        return 401, {}, b''

    def once(self, nonce, seconds):
        """Whether a signed request is fresh and was never seen."""
        if abs(time.time() - seconds) > CLOCK_SKEW or not nonce or nonce in self._used:
            return False
        self._used.add(nonce)
        return True


class XMLRPC(Service):
    """Basic authentication; results are pairs: done or not, and a text."""

    def password(self):
        return self.secret

    def handle(self, method, path, headers, body):
        expected = 'Basic ' + base64.b64encode(f'{self.user}:{self.password()}'.encode()).decode()
        if not hmac.compare_digest(headers.get('Authorization', ''), expected):
            return self.deny('basic')
        if (method, path) != ('POST', self.path) or headers.get_content_type() != 'text/xml':
            return 404, {}, b''
        parameters, name = xmlrpc.client.loads(body)
        try:
            text = getattr(self, name.replace('redirect.', 'rpc_', 1))(*parameters)
            result = [True, text or 'ok']
        except Refused as refusal:
            result = [False, str(refusal)]
        except (AttributeError, TypeError) as error:
            fault = xmlrpc.client.Fault(-32601, f'{name}: {error}')
            return 200, {'Content-Type': 'text/xml'}, xmlrpc.client.dumps(fault).encode()
        return 200, {'Content-Type': 'text/xml'}, xmlrpc.client.dumps((result,), methodresponse=True).encode()

    def demand(self, mac, form):
        if not form.match(mac):
            raise Refused('Error:mac_invalid')
        if mac.lower() in self.foreign:
            raise Refused('Error:device_owned_by_other_user & <more>')


class YealinkXMLRPC(XMLRPC):
    path = '/xmlrpc'

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.servers, self.devices = {}, {}

    def rpc_addServer(self, name, url):
        if name in self.servers:
            raise Refused('Error:server_exist')
        self.servers[name] = url

    def rpc_registerDeviceWithUniqueUrl(self, mac, name, url, override):
        self.demand(mac, MAC_LOWER)
        if name not in self.servers:
            raise Refused('Error:server_not_exist')
        if mac in self.devices and override != '1':
            raise Refused('Error:device_exist')
        self.devices[mac] = url

    def rpc_deRegisterDevice(self, mac):
        if self.devices.pop(mac, None) is None:
            raise Refused('Error:device_not_exist')

    def rpc_checkDevice(self, mac):
        return 'Registered' if mac in self.devices else 'Unregistered'

    def server_of(self, mac):
        return self.devices.get(mac)


class SnomXMLRPC(XMLRPC):
    path = '/xmlrpc/'

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.phones = {}

    def rpc_registerPhone(self, mac, url):
        self.demand(mac, MAC_UPPER)
        self.phones[mac] = url

    def rpc_deregisterPhone(self, mac):
        if self.phones.pop(mac, None) is None:
            raise Refused('Error:not_registered')

    def rpc_checkPhone(self, mac):
        return 'ok' if mac in self.phones else 'unknown'

    def server_of(self, mac):
        url = self.phones.get(mac.upper())
        return url and url.replace('{mac}', mac.upper())


class FanvilFDPS(XMLRPC):
    path = '/xmlrpc.php'

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.groups, self.devices = {}, {}

    def password(self):
        once = hashlib.md5(self.secret.encode()).hexdigest()
        return hashlib.md5(once.encode()).hexdigest()

    def rpc_addMaterialServer(self, settings):
        values = dict(setting.split('=', 1) for setting in settings)
        if values['cfgName'] in self.groups:
            raise Refused('Error:server_exist')
        if values['cfgPfProt'] not in '45' or not values['cfgPfSrv'] or not values['cfgPfName'].startswith('/'):
            raise Refused('Error:invalid')
        self.groups[values['cfgName']] = values

    def rpc_deleteServer(self, name):
        if name not in self.groups:
            raise Refused('Error:server_not_exist')
        if name in self.devices.values():
            raise Refused('Error:server_in_use')
        del self.groups[name]

    def rpc_registerDevice(self, mac, group):
        self.demand(mac, MAC_LOWER)
        if group not in self.groups or mac in self.devices:
            raise Refused('Error:device_exist' if mac in self.devices else 'Error:server_not_exist')
        self.devices[mac] = group

    def rpc_deRegisterDevice(self, mac):
        if self.devices.pop(mac, None) is None:
            raise Refused('Error:device_not_exist')

    def server_of(self, mac):
        if mac not in self.devices:
            return None
        values = self.groups[self.devices[mac]]
        scheme = {'4': 'http', '5': 'https'}[values['cfgPfProt']]
        return f'{scheme}://{values["cfgPfSrv"]}{values["cfgPfName"]}'.replace('$mac', mac)


class YealinkRPS(Service):
    """JSON; every request signed with the secret of an access key."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        # Another customer has a server, and a page of results is short.
        self.servers, self.devices = {'s0': ('somebody', 'https://elsewhere.example/')}, {}

    def handle(self, method, path, headers, body):
        if headers.get('Content-MD5') != base64.b64encode(hashlib.md5(body).digest()).decode():
            return self.deny('content')
        names = ('Content-MD5', 'X-Ca-Key', 'X-Ca-Nonce', 'X-Ca-Timestamp')
        text = f'{method}\n' + ''.join(f'{name}:{headers.get(name, "")}\n' for name in names) + path.lstrip('/')
        signature = base64.b64encode(hmac.digest(self.secret.encode(), text.encode(), 'sha256')).decode()
        if headers.get('X-Ca-Key') != self.user or not hmac.compare_digest(headers.get('X-Ca-Signature', ''), signature):
            return self.deny('signature')
        if not self.once(headers.get('X-Ca-Nonce'), int(headers.get('X-Ca-Timestamp', '0')) / 1000):
            return self.deny('replay')
        action = path.removeprefix('/api/open/v1/').replace('/', '_')
        try:
            data = getattr(self, f'do_{action}')(**json.loads(body))
        except Refused as refusal:
            answer = {'ret': -1, 'data': None, 'error': {'msg': str(refusal), 'fieldErrors': []}}
        else:
            answer = {'ret': 1, 'data': data, 'error': None}
        return 200, {'Content-Type': 'application/json;charset=UTF-8'}, json.dumps(answer).encode()

    def do_server_list(self, key, skip, limit):
        found = [{'id': i, 'serverName': name, 'url': url} for i, (name, url) in self.servers.items() if key in name]
        return {'skip': skip, 'limit': limit, 'total': len(found), 'data': found[skip:skip + limit]}

    def do_server_add(self, serverName, url):
        if serverName in {name for name, _ in self.servers.values()} or len(serverName) > 20:
            raise Refused('server.name.existed')
        self.servers[f's{len(self.servers)}'] = (serverName, url)
        return {'id': f's{len(self.servers) - 1}', 'serverName': serverName}

    def do_device_add(self, macs, serverId, uniqueServerUrl):
        for mac in macs:
            if not MAC_LOWER.match(mac) or serverId not in self.servers:
                raise Refused('device.mac.invalid')
            if mac in self.devices or mac in self.foreign:
                raise Refused('device.mac.existed')
            self.devices[mac] = (f'd-{mac}', uniqueServerUrl)
        return {}

    def do_device_list(self, key, skip, limit):
        # Written otherwise than they were given.
        found = [{'id': i, 'mac': ':'.join(mac[n:n + 2] for n in range(0, 12, 2)).upper(), 'uniqueServerUrl': url}
                 for mac, (i, url) in self.devices.items() if key in mac]
        return {'skip': skip, 'limit': limit, 'total': len(found), 'data': found}

    def do_device_edit(self, id, serverId, uniqueServerUrl):
        mac = id.removeprefix('d-')
        self.devices[mac] = (id, uniqueServerUrl)
        return {}

    def do_device_delete(self, macs):
        for mac in macs:
            if self.devices.pop(mac, None) is None:
                raise Refused('device.not.found')
        return {}

    def server_of(self, mac):
        return self.devices.get(mac, (None, None))[1]


class SnomSRAPS(Service):
    """JSON and links, every request signed by Hawk."""
    path = '/api/v1/'
    SETTING = '5e771e57-0000-4000-8000-000000000001'

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.endpoints = {}
        #: Where its links lead, if not to itself.
        self.links_to = None

    def handle(self, method, path, headers, body):
        fields = dict(re.findall(r'(\w+)="([^"]*)"', headers.get('Authorization', '').removeprefix('Hawk ')))
        content = headers.get_content_type() if body else ''
        payload = f'hawk.1.payload\n{content}\n'.encode() + body + b'\n'
        if fields.get('hash') != base64.b64encode(hashlib.sha256(payload).digest()).decode():
            return self.deny('payload')
        text = '\n'.join(['hawk.1.header', fields.get('ts', ''), fields.get('nonce', ''), method, path, self.address, str(self.port),
                          fields['hash'], '']) + '\n'
        mac = base64.b64encode(hmac.digest(self.secret.encode(), text.encode(), 'sha256')).decode()
        if fields.get('id') != self.user or not hmac.compare_digest(fields.get('mac', ''), mac):
            return self.deny('signature')
        if not self.once(fields.get('nonce'), int(fields.get('ts') or 0)):
            return self.deny('replay')
        status, more, answer = self.resource(method, path.removeprefix('/api/v1/'), body)
        return status, {'Content-Type': 'application/json', **more}, b'' if status == 204 else json.dumps(answer).encode()

    def resource(self, method, path, body):
        base = self.links_to or self.url
        if (method, path) == ('GET', f'tokens/{self.user}'):
            return 200, {}, {'id': self.user, 'links': {'company': f'{base}companies/c1'}}
        if (method, path) == ('GET', 'companies/c1'):
            return 200, {}, {'name': 'Branch', 'links': {'endpoints': f'{base}companies/c1/endpoints/'}}
        if (method, path) == ('GET', 'settings/?page_size=1000'):
            return 200, {'Link': f'<{base}settings/?page_size=1000&page=2>; rel="next", <{base}settings/>; rel="first"'}, [
                {'uuid': 'x', 'param_name': 'language'}]
        if (method, path) == ('GET', 'settings/?page_size=1000&page=2'):
            return 200, {}, [{'uuid': self.SETTING, 'param_name': 'setting_server'}]
        mac = path.removeprefix('companies/c1/endpoints/')
        if not MAC_LOWER.match(mac):
            return 404, {}, {'message': 'not found'}
        if mac in self.foreign:
            return 409, {}, {'message': 'the endpoint belongs to another company\x1b[31m'}
        if method == 'PUT':
            value = json.loads(body)
            if value['mac'] != mac or value['autoprovisioning_enabled'] is not True:
                return 422, {}, {'message': 'invalid'}
            self.endpoints[mac] = value['settings_manager'][self.SETTING]['value']
            return 201, {}, value
        if method == 'DELETE':
            return (204, {}, {}) if self.endpoints.pop(mac, None) else (404, {}, {'message': 'not found'})
        return 405, {}, {}

    def server_of(self, mac):
        url = self.endpoints.get(mac)
        return url and url.replace('{mac}', mac.upper())
