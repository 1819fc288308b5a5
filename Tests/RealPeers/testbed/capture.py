"""What tshark says about a capture."""
import dataclasses
import json
import re
import subprocess

from .audio import A_LAW
from .processes import PeerError, wait_until


def _tshark(path, *arguments, growing=False):
    done = subprocess.run(['tshark', '-r', path, '-o', 'rtp.heuristic_rtp:TRUE', *arguments],
                          capture_output=True, text=True)
    if done.returncode and not (growing and 'cut short' in done.stderr):
        raise PeerError(f'tshark on {path}: {done.stderr.strip()}')
    return done.stdout


def fields(path, wanted, display_filter, growing=False):
    """One list of values per packet that passes the filter. `growing`: the file is still being written."""
    arguments = ['-Y', display_filter, '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=f']
    for name in wanted:
        arguments += ['-e', name]
    return [line.split('\t') for line in _tshark(path, *arguments, growing=growing).splitlines()]


def malformed(path):
    """Packets that tshark cannot dissect, one line each."""
    return _tshark(path, '-Y', '_ws.malformed').splitlines()


def packets(path, display_filter='frame'):
    return len(_tshark(path, '-Y', display_filter).splitlines())


def size(path, display_filter='frame'):
    """Bytes on the wire of what the filter shows."""
    return sum(int(row[0]) for row in fields(path, ('frame.len',), display_filter))


def sip_requests(path, display_filter='sip.Request-Line'):
    """(source, destination, method, request URI) of each request."""
    return [tuple(row) for row in fields(path, ('ip.src', 'ip.dst', 'sip.Method', 'sip.r-uri'), f'sip.Method && ({display_filter})')]


def telephone_events(path):
    """The events that can be read from RFC 4733 packets, as the keys they stand for, each end packet once."""
    keys = '0123456789*#ABCD'
    rows = fields(path, ('ip.src', 'rtp.timestamp', 'rtpevent.event_id'), 'rtpevent')
    seen, digits = set(), []
    for row in rows:
        if tuple(row) not in seen:
            seen.add(tuple(row))
            event = int(row[2])
            digits.append(keys[event] if event < len(keys) else '?')
    return ''.join(digits)


@dataclasses.dataclass
class Stream:
    """An RTP stream as Wireshark counts it; jitter (the highest there was) in milliseconds."""
    source: str
    target: str
    packets: int
    lost: int
    jitter: float


def rtp_streams(path):
    rows = re.findall(r'(?m)^\s*[\d.]+\s+[\d.]+\s+(\S+)\s+\d+\s+(\S+)\s+\d+\s+0x\w+\s+\S+\s+(\d+)\s+(-?\d+) \(.*?%\)(.*)$',
                      _tshark(path, '-q', '-z', 'rtp,streams'))
    # Behind the loss stand three times between packets, then three jitters, each lowest, mean, highest.
    return [Stream(source, target, int(packets), int(lost), float(rest.split()[5])) for source, target, packets, lost, rest in rows]


def voices(path, address, after, end='src'):
    """What `address` has said (`end` "dst": was told) in G.711 A-law since that time (Unix seconds): samples of each of
    its streams."""
    since = f'ip.{end} == {address} && rtp.p_type == 8 && frame.time_epoch > {after}'
    rows = fields(path, ('udp.dstport', 'rtp.payload'), since, growing=True)
    streams = {}
    for port, payload in rows:
        streams.setdefault(port, []).extend(A_LAW[byte] for byte in bytes.fromhex(payload.replace(':', '')))
    return list(streams.values())


class Wire:
    """What goes over the loopback between these UDP ports: what anybody on the line would see."""

    def __init__(self, workspace, name='wire', ports='20000-20999', device='lo', wanted=None):
        self.path = workspace.path(f'{name}.pcap')
        self.workspace = workspace
        wanted = wanted or f'udp portrange {ports}'
        self.process = workspace.start(name, ['tshark', '-q', '-i', device, '-f', wanted, '-w', self.path, '-F', 'pcap'])
        if not wait_until(lambda: 'Capturing on' in self.process.output(), 8, 0.05):
            raise PeerError(f'tshark did not begin:\n{self.process.output()}')

    def stop(self):
        self.workspace.stop(self.process)
        return self.path


def statistics(path):
    """Counts per protocol, for people."""
    return json.dumps({name: packets(path, name) for name in ('sip', 'rtp', 'rtcp', 'rtpevent')})
