"""Deep Compression: a reader and a writer of records and containers in numpy, made from docs/deep-compression.md alone.

Records that this writes are read by the engine's tests; the container that the engine wrote (tests/data/deep/digits.fbdc) is read here."""

import heapq
import pathlib
import struct
import zlib

import numpy as np

from bits import f32_hex

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "deep"


def lengths_of(symbols, width):
    """Bits of each symbol's word, by Huffman's own construction."""
    counts = np.bincount(np.asarray(symbols, int), minlength=1 << width)
    lengths = np.zeros(1 << width, int)
    trees = [(int(n), i, [i]) for i, n in enumerate(counts) if n > 0]
    if len(trees) == 1:
        lengths[trees[0][1]] = 1
    heapq.heapify(trees)
    while len(trees) > 1:
        a, b = heapq.heappop(trees), heapq.heappop(trees)
        for i in a[2] + b[2]:
            lengths[i] += 1
        heapq.heappush(trees, (a[0] + b[0], min(a[1], b[1]), a[2] + b[2]))
    assert lengths.max(initial=0) <= 15
    return lengths


def words_of(lengths):
    """Canonical words as texts of 0 and 1, by symbol."""
    words, word, last = {}, 0, 0
    for length, symbol in sorted((n, i) for i, n in enumerate(lengths) if n > 0):
        word <<= length - last
        words[symbol] = format(word, f"0{length}b")
        word, last = word + 1, length
    return words


def packed(bits):
    """A text of 0 and 1, the first the lowest bit of the first byte."""
    return np.packbits(np.frombuffer(bits.encode(), np.uint8) - 48, bitorder="little").tobytes()


def plain(symbols, width):
    return packed("".join(format(int(x), f"0{width}b")[::-1] for x in symbols))


def stream(symbols, width):
    """(whether Huffman's code is shorter, the bytes)"""
    fixed = plain(symbols, width)
    lengths = lengths_of(symbols, width)
    table = bytes(int(a) | int(b) << 4 for a, b in lengths.reshape(-1, 2)) if width else b""
    words = words_of(lengths)
    coded = table + packed("".join(words[int(x)] for x in symbols))
    return (True, coded) if len(coded) < len(fixed) else (False, fixed)


def entries(codes, index_bits):
    """(code, gap) of each stored weight."""
    out, zeros, most = [], 0, (1 << index_bits) - 1
    for code in codes:
        if code != 0:
            out.append((int(code), zeros))
            zeros = 0
        elif zeros == most:
            out.append((0, most))
            zeros = 0
        else:
            zeros += 1
    return out


def write_record(codes, values, code_bits, index_bits):
    stored = entries(codes, index_bits) if index_bits else [(int(code), 0) for code in codes]
    codes_coded, codes_bytes = stream([code for code, _ in stored], code_bits)
    gaps_coded, gaps_bytes = stream([gap for _, gap in stored], index_bits) if index_bits else (False, b"")
    head = struct.pack("<4B2Q", code_bits, index_bits, codes_coded + 2 * gaps_coded, len(values), len(stored), len(codes_bytes))
    return head + np.asarray(values, "<f4").tobytes() + codes_bytes + gaps_bytes


def read_stream(data, count, width, coded):
    bits = "".join(map(str, np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")))
    if not coded:
        assert len(data) == (count * width + 7) // 8
        return np.array([int(bits[i * width : (i + 1) * width][::-1] or "0", 2) for i in range(count)], int)
    table = (1 << width) // 2
    lengths = [nibble for byte in data[:table] for nibble in (byte & 15, byte >> 4)]
    symbols = {word: symbol for symbol, word in words_of(lengths).items()}
    out, at = [], table * 8
    for _ in range(count):
        end = at + 1
        while bits[at:end] not in symbols:
            end += 1
            assert end <= len(bits)
        out.append(symbols[bits[at:end]])
        at = end
    assert len(bits) - at < 8
    return np.array(out, int)


def read_record(data, count):
    """The weights, and (stored, padding zeros, shared values)."""
    code_bits, index_bits, flags, n_values, stored, codes_len = struct.unpack_from("<4B2Q", data)
    values_end = 20 + 4 * n_values
    levels = np.concatenate([[0], np.frombuffer(data[20:values_end], "<f4")]).astype(np.float32)
    codes = read_stream(data[values_end : values_end + codes_len], stored, code_bits, flags & 1)
    rest = data[values_end + codes_len :]
    if index_bits == 0:
        assert stored == count and not rest
        return levels[codes], (int(stored), 0, n_values)
    gaps = read_stream(rest, stored, index_bits, flags & 2)
    places = np.cumsum(gaps + 1) - 1
    assert count - (places[-1] + 1 if stored else 0) < 1 << index_bits
    assert (gaps[codes == 0] == (1 << index_bits) - 1).all()
    out = np.zeros(count, np.float32)
    out[places] = levels[codes]
    return out, (int(stored), int((codes == 0).sum()), n_values)


def read_container(data):
    assert data[:8] == b"FBDEEP\r\n"
    version, n_tensors, header_len, n_notes = struct.unpack_from("<IIQI", data, 8)
    assert version == 1
    at = 28

    def text():
        nonlocal at
        (length,) = struct.unpack_from("<I", data, at)
        at += 4 + length
        return data[at - length : at].decode()

    notes = {text(): text() for _ in range(n_notes)}
    tensors, next_byte = [], header_len
    for _ in range(n_tensors):
        name = text()
        coding, length = data[at], data[at + 1]
        dtype = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        dims = struct.unpack_from(f"<{data[at]}Q", data, at + 1)
        at += 1 + 8 * len(dims)
        start, end = struct.unpack_from("<QQ", data, at)
        at += 16
        assert start == next_byte
        next_byte = end
        tensors.append((name, coding, dtype, dims, data[start:end]))
    assert at == header_len and next_byte == len(data)
    return notes, tensors


def made():
    """Tensors of codes: sparse and dense, runs that end on a padding zero, before one and after one."""
    rng = np.random.default_rng(1510)
    for index_bits in range(3, 9):
        span = 1 << index_bits
        for run in (span - 1, span, span + 1, 3 * span):
            yield f"a run of {run} zeros, {index_bits} bits", np.array([1] + [0] * run + [2] + [0] * run), 2, index_bits
        for kept in (0.03, 0.1, 0.4):
            for code_bits in (3, 5, 8):
                codes = rng.geometric(0.2, 1000) % ((1 << code_bits) - 1) + 1
                yield f"{kept} of 1000 kept, {code_bits} and {index_bits} bits", codes * (rng.random(1000) < kept), code_bits, index_bits
    yield "dense, 4 bits", rng.integers(0, 16, 900), 4, 0
    yield "dense and skewed, 5 bits", rng.geometric(0.3, 900) % 32, 5, 0
    yield "one value", np.ones(100, int), 1, 3
    yield "zeros", np.zeros(1000, int), 3, 4


def cases():
    rng = np.random.default_rng(1)
    out = []
    for name, codes, code_bits, index_bits in made():
        values = np.sort(rng.normal(0, 0.1, int(codes.max()))).astype(np.float32)
        record = write_record(codes, values, code_bits, index_bits)
        weights, (stored, padding, _) = read_record(record, len(codes))
        assert np.array_equal(weights, np.concatenate([[0], values])[codes])
        out.append(
            {
                "name": name,
                "codeBits": code_bits,
                "indexBits": index_bits,
                "values": f32_hex(values),
                "codes": bytes(codes.astype(np.uint8)).hex(),
                "stored": stored,
                "padding": padding,
                "record": record.hex(),
            }
        )
    for path in sorted(DATA.glob("*.fbdc")):
        notes, tensors = read_container(path.read_bytes())
        for name, coding, dtype, dims, data in tensors:
            case = {"name": f"{path.name} {name}", "file": path.name, "tensor": name, "dtype": dtype, "shape": list(dims)}
            if coding == 1:
                weights, (stored, padding, values) = read_record(data, int(np.prod(dims)))
                case |= {"stored": stored, "padding": padding, "shared": values, "zeros": int((weights == 0).sum())}
                data = weights.astype("<f4").tobytes()
            out.append(case | {"crc32": zlib.crc32(data)})
        assert tensors, path
    return out
