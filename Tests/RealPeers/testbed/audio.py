"""Was it heard? Tones by Goertzel, recordings by cross-correlation; plain Python on 8 kHz mono."""
import array
import bisect
import ctypes
import math
import operator
import struct
import sys
import wave
from dataclasses import dataclass

RATE = 8000
_FRAME = 80          # 10 ms: one point of an envelope
_CHUNK = 800         # 100 ms: one piece of waveform that is looked for
_SEARCH = 120        # samples a piece may lie beside its place: a jitter buffer drops or adds some
_LOUD = 200          # RMS below this counts as silence (of 32767)


def _dot(a, b):
    return sum(map(operator.mul, a, b))


def write_tone(path, hertz, seconds=120, amplitude=10000):
    """A wav with a tone of a whole number of hertz, long enough for any call of a test."""
    second = array.array('h', (int(amplitude * math.sin(2 * math.pi * hertz * i / RATE)) for i in range(RATE)))
    return write(path, second * seconds)


def write(path, samples, rate=RATE):
    """A wav of these samples."""
    with wave.open(path, 'wb') as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(array.array('h', samples).tobytes())
    return path


def read(path):
    """Samples of a 16-bit PCM wav as 8 kHz mono. The sizes in the header are not believed: a phone that was
    killed, or still records, has left them wrong."""
    with open(path, 'rb') as f:
        data = f.read()
    if data[:4] != b'RIFF' or data[8:12] != b'WAVE':
        return []
    at, channels, rate, bits = 12, 1, RATE, 16
    while at + 8 <= len(data):
        kind, size = data[at:at + 4], struct.unpack_from('<I', data, at + 4)[0]
        if kind == b'fmt ':
            _, channels, rate, _, _, bits = struct.unpack_from('<HHIIHH', data, at + 8)
        if kind == b'data':
            at += 8
            break
        at += 8 + size + (size & 1)
    else:
        return []
    if bits != 16:
        return []
    body = data[at:len(data) - (len(data) - at) % (2 * channels)]
    samples = array.array('h', body)
    if sys.byteorder == 'big':
        samples.byteswap()
    return _resampled(samples[::channels], rate)


def _expanded(byte):
    """ITU-T G.711, A-law."""
    byte ^= 0x55
    value, segment = (byte & 0x0F) << 4, (byte & 0x70) >> 4
    value = value + 8 if segment == 0 else (value + 0x108) << (segment - 1)
    return value if byte & 0x80 else -value


A_LAW = [_expanded(byte) for byte in range(256)]


def a_law(samples):
    """The bytes that stand for the nearest values."""
    bytes_by_value = sorted((value, byte) for byte, value in enumerate(A_LAW))
    values = [value for value, _ in bytes_by_value]
    middles = [(low + high) / 2 for low, high in zip(values, values[1:])]
    return bytes(bytes_by_value[bisect.bisect(middles, sample)][1] for sample in samples)


def _spandsp():
    library = ctypes.CDLL('libspandsp.so.2')
    library.g722_decode_init.restype = library.dtmf_rx_init.restype = ctypes.c_void_p
    return library


def keys_in(samples):
    """The keys that sound in 8 kHz mono."""
    library = _spandsp()
    state = ctypes.c_void_p(library.dtmf_rx_init(None, None, None))
    library.dtmf_rx(state, (ctypes.c_int16 * len(samples))(*samples), len(samples))
    keys = ctypes.create_string_buffer(129)
    count = library.dtmf_rx_get(state, keys, 128)
    library.dtmf_rx_free(state)
    return keys.raw[:count].decode()


def read_g722(path):
    """Samples of a file of G.722 at 64 kbit/s, by spandsp, as 8 kHz mono."""
    library = _spandsp()
    with open(path, 'rb') as f:
        data = f.read()
    state = ctypes.c_void_p(library.g722_decode_init(None, 64000, 0))
    samples = (ctypes.c_int16 * (2 * len(data)))()
    count = library.g722_decode(state, samples, data, len(data))
    library.g722_decode_free(state)
    return _resampled(samples[:count], 2 * RATE)


def _resampled(samples, rate):
    if rate == RATE:
        return samples.tolist()
    step = rate / RATE
    width = max(1, int(step))
    out = []
    for i in range(int(len(samples) / step)):
        piece = samples[int(i * step):int(i * step) + width]
        out.append(sum(piece) / len(piece))
    return out


def seconds_of_sound(samples):
    """Seconds in 10 ms frames that are louder than silence."""
    return sum(1 for e in _envelope(samples) if e > _LOUD) * _FRAME / RATE


def tone_share(samples, hertz, window=0.5):
    """Share (0...1) of the energy that lies at `hertz`, in the best window; 0 where all is silent."""
    size = int(RATE * window)
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    best = 0.0
    for start in range(0, len(samples) - size + 1, size):
        piece = samples[start:start + size]
        energy = _dot(piece, piece)
        if energy / size < _LOUD * _LOUD:
            continue
        older = old = 0.0
        for value in piece:
            older, old = old, value + turn * old - older
        power = old * old + older * older - turn * old * older
        best = max(best, 2 * power / (size * energy))
    return best


def hears_tone(path, hertz, share=0.7):
    return tone_share(read(path), hertz) >= share


@dataclass
class Match:
    """Where and how well a recording was found. `score`: share of its sounding pieces whose waveform was found in
    place; 1.0 is perfect, and what is not there scores below 0.3."""
    score: float
    at: float

    @property
    def found(self):
        return self.score >= 0.6


def find_recording(heard, reference):
    """Looks for `reference` (samples) in `heard`: first by loudness over time, then each place by waveform."""
    reference = _trimmed(reference)
    if len(reference) < 3 * _CHUNK or len(heard) < len(reference) // 2:
        return Match(0.0, 0.0)
    heard = list(heard) + [0] * len(reference)
    best = Match(0.0, 0.0)
    for frame in _candidates(_envelope(heard), _envelope(reference)):
        score = _waveform_score(heard, reference, frame * _FRAME)
        if score > best.score:
            best = Match(score, frame * _FRAME / RATE)
        if best.score > 0.9:
            break
    return best


def contains_recording(heard_path, reference_path):
    """The `Match` of one wav in another."""
    return find_recording(read(heard_path), read(reference_path))


def _envelope(samples):
    return [math.sqrt(_dot(samples[i:i + _FRAME], samples[i:i + _FRAME]) / _FRAME)
            for i in range(0, len(samples) - _FRAME + 1, _FRAME)]


def _trimmed(samples):
    """Without silence at both ends."""
    loud = [i for i, e in enumerate(_envelope(samples)) if e > _LOUD]
    return samples[loud[0] * _FRAME:(loud[-1] + 1) * _FRAME] if loud else []


def _candidates(heard, reference, count=6):
    """The best places of one envelope in another, by normalised correlation, at least 50 ms apart."""
    n = len(reference)
    mean = sum(reference) / n
    centred = [e - mean for e in reference]
    scale = math.sqrt(_dot(centred, centred)) or 1.0
    total = squares = 0.0
    scores = []
    for i, value in enumerate(heard):
        total += value
        squares += value * value
        if i >= n:
            total -= heard[i - n]
            squares -= heard[i - n] ** 2
        if i >= n - 1:
            spread = math.sqrt(max(squares - total * total / n, 1.0))
            start = i - n + 1
            scores.append((_dot(centred, heard[start:i + 1]) / (scale * spread), start))
    places = []
    for score, start in sorted(scores, reverse=True):
        if score < 0.4 or len(places) == count:
            break
        if all(abs(start - other) > 5 for other in places):
            places.append(start)
    return places


def _waveform_score(heard, reference, start):
    found = sounding = 0
    for offset in range(0, len(reference) - _CHUNK + 1, _CHUNK):
        piece = reference[offset:offset + _CHUNK]
        energy = _dot(piece, piece)
        if energy / _CHUNK < _LOUD * _LOUD:
            continue
        sounding += 1
        found += _best_correlation(heard, piece, energy, start + offset) > 0.8
    return found / sounding if sounding else 0.0


def _best_correlation(heard, piece, energy, centre):
    best = 0.0
    for start in range(max(0, centre - _SEARCH), min(centre + _SEARCH, len(heard) - _CHUNK) + 1):
        window = heard[start:start + _CHUNK]
        power = _dot(window, window)
        if power:
            best = max(best, _dot(window, piece) / math.sqrt(power * energy))
            if best > 0.95:
                break
    return best
