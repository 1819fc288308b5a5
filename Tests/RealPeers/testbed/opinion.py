"""A second opinion: what reached the PBX, read by Kamailio and by tshark, beside what the edge says it approved."""
import re
from collections import Counter, namedtuple
from urllib.parse import unquote

from . import capture, network

Said = namedtuple('Said', 'method target user call_id from_tag to_tag')
_APPROVED = re.compile(
    r'approved method=(\S+) target=(.*?) from=(.*?) call=(\S*) from-tag=(\S*) to-tag=(\S*)$', re.M)


def cut(text):
    """As the edge cuts numbers in its log: of more than five digits three stay."""
    return re.sub(r'\d{6,}', lambda digits: digits[0][:3] + '…', text)


def decoded(text):
    return unquote(text)


def said(method, target, user, call_id, from_tag, to_tag):
    return Said(method, cut(decoded(target)), cut(decoded(user)), cut(call_id), cut(from_tag), cut(to_tag))


def approved(log):
    return [said(*found) for found in _APPROVED.findall(log)]


def by_kamailio(pbx):
    """Kamailio's log has no From tag."""
    return [said(r.method, r.target, r.from_user, r.call_id, '', r.to_tag)
            for r in pbx.requests('seen', everything=True) if r.transport == 'tls']


def by_tshark(paths):
    names = ('sip.Method', 'sip.r-uri.user', 'sip.from.user', 'sip.Call-ID', 'sip.from.tag', 'sip.to.tag', 'sip.r-uri')
    found = []
    for path in paths:
        rows = capture.fields(path, names, f'sip.Method && ip.dst == {network.PBX}', growing=True)
        # A user part of one character it shows in the whole address alone.
        found += [said(method, target or ''.join(re.findall(r'^sips?:(.)@', uri)), user, call, tag, far) for method, target, user, call, tag, far, uri in
                  (row + [''] * (len(names) - len(row)) for row in rows)]
    return found


def mismatches(seen, allowed, with_from_tag):
    """What was seen and never approved. An ACK or CANCEL must belong to a call that was."""
    strip = (lambda s: s) if with_from_tag else (lambda s: s._replace(from_tag=''))
    approved_once = {strip(s) for s in allowed}
    calls = {(s.call_id, s.user) for s in allowed}
    return [s for s in map(strip, seen)
            if ((s.call_id, s.user) not in calls if s.method in ('ACK', 'CANCEL') else s not in approved_once)]


def counted(seen):
    return dict(Counter(s.method for s in seen))
