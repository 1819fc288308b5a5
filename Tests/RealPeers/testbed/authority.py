"""Certificates with any dates and names, signed by a headend's authority or by one nobody knows."""
import os
import subprocess
import time

from .processes import PeerError

_CONFIG = '''
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = anything
x509_extensions = leaf
[anything]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = {usage}
{names}
'''


def _run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise PeerError(f'{" ".join(argv)}: {done.stderr}')


def _key(path):
    _run('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path)
    os.chmod(path, 0o600)


def new_authority(folder, name='Somebody else'):
    """`ca.pem` and `ca.key` in a folder, as a headend has them."""
    os.makedirs(folder, exist_ok=True)
    _key(f'{folder}/ca.key')
    _run('openssl', 'req', '-x509', '-new', '-key', f'{folder}/ca.key', '-days', '365', '-subj', f'/CN={name}', '-addext',
         'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-out', f'{folder}/ca.pem')
    return folder


def issue(authority, folder, name, begins=-60, ends=86400, names=None, usage='clientAuth'):
    """Certificate and key of `name`, good from `begins` to `ends`, in seconds from now. `names`: other than DNS:`name`; '' for none."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    names = f'DNS:{name}' if names is None else names
    with open(f'{folder}/index.txt', 'w'):
        pass
    with open(f'{path}.cnf', 'w') as f:
        f.write(_CONFIG.format(folder=folder, usage=usage, names=f'subjectAltName = {names}' if names else ''))
    _key(f'{path}.key')
    _run('openssl', 'req', '-new', '-key', f'{path}.key', '-subj', f'/CN={name}', '-out', f'{path}.csr')
    dates = [time.strftime('%Y%m%d%H%M%SZ', time.gmtime(time.time() + offset)) for offset in (begins, ends)]
    _run('openssl', 'ca', '-batch', '-notext', '-config', f'{path}.cnf', '-cert', f'{authority}/ca.pem', '-keyfile', f'{authority}/ca.key',
         '-in', f'{path}.csr', '-startdate', dates[0], '-enddate', dates[1], '-out', f'{path}.pem')
    with open(f'{path}.pem', 'a') as chain, open(f'{authority}/ca.pem') as ca:
        chain.write(ca.read())
    return f'{path}.pem', f'{path}.key'
