"""A small certificate authority on the openssl command line."""
import os
import subprocess

from . import network
from .processes import PeerError


def _openssl(*arguments):
    done = subprocess.run(['openssl', *arguments], capture_output=True, text=True)
    if done.returncode:
        raise PeerError(f'openssl {arguments[0]}: {done.stderr.strip()}')


def _new_key(path):
    _openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', path)
    os.chmod(path, 0o600)


class Certificate:
    """Paths of a certificate and its private key, both PEM."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key


class Authority:
    """A self-signed CA in a folder of its own; `certificate` is what peers must trust."""

    def __init__(self, folder, name='Demo PBX CA'):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.certificate, self._key = self._path('ca.pem'), self._path('ca-key.pem')
        _new_key(self._key)
        _openssl('req', '-x509', '-new', '-key', self._key, '-days', '365', '-subj', f'/CN={name}',
                 '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
                 '-out', self.certificate)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, common_name, alternative_names=(), usage='serverAuth', days=90):
        """A leaf certificate, its name alone or a whole subject ("/L=…/CN=…"); alternative names as OpenSSL writes them: "DNS:pbx.example", "IP:127.0.0.20"."""
        leaf = Certificate(self._path(f'{name}.pem'), self._path(f'{name}-key.pem'))
        request, extensions = self._path(f'{name}.csr'), self._path(f'{name}.ext')
        _new_key(leaf.key)
        subject = common_name if common_name.startswith('/') else f'/CN={common_name}'
        _openssl('req', '-new', '-key', leaf.key, '-subj', subject, '-out', request)
        with open(extensions, 'w') as f:
            f.write('basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n')
            f.write(f'extendedKeyUsage={usage}\n')
            if alternative_names:
                f.write(f'subjectAltName={",".join(alternative_names)}\n')
        _openssl('x509', '-req', '-in', request, '-CA', self.certificate, '-CAkey', self._key, '-CAcreateserial',
                 '-days', str(days), '-sha256', '-extfile', extensions, '-out', leaf.certificate)
        os.remove(request)
        os.remove(extensions)
        return leaf


class SitePKI:
    """What a site with a TLS trunk needs: the CA, the PBX's certificate, the site's client certificate."""

    def __init__(self, folder, pbx_name='pbx.example', pbx_addresses=(network.PBX, network.SECOND_PBX), site='branch-01'):
        self.authority = Authority(folder)
        names = [f'DNS:{pbx_name}'] + [f'IP:{address}' for address in pbx_addresses]
        self.pbx = self.authority.issue('pbx', pbx_name, names)
        self.site = self.authority.issue(site, site, [f'DNS:{site}.{pbx_name}'], usage='clientAuth')
        self.edge = self.authority.issue('edge', 'edge', [f'DNS:{pbx_name}', f'IP:{network.EDGE}'])
        self.ca = self.authority.certificate
