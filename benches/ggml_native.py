"""Times llama.cpp's own library for benches/native.js: one thread, one call at a time.

`python ggml_native.py COUNT`. Standard input: 65536 f32 weights, repeated to COUNT, then lines `encode TYPE` or `decode TYPE`. Each line is answered by
one of JSON: milliseconds, and for the first encoding of a type the CRC-32 of its bytes; or null for what the library does not have.
"""

import json
import pathlib
import sys
import time
import zlib

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/goldens"))
import llamacpp  # noqa: E402

SAMPLE = 1 << 16


def answer(request, x, packed):
    what, name = request.split()
    kind = llamacpp.types().get(name)
    if kind is None or not kind.can_encode:
        return None
    if what == "encode":
        start = time.perf_counter()
        data = kind.encode(x)
        milliseconds = 1e3 * (time.perf_counter() - start)
        first = name not in packed
        packed.clear()
        packed[name] = data
        return {"ms": milliseconds, **({"crc": zlib.crc32(data)} if first else {})}
    data = packed[name] if name in packed else kind.encode(x)
    start = time.perf_counter()
    kind.decode(data)
    return {"ms": 1e3 * (time.perf_counter() - start)}


def main():
    if llamacpp.unavailable():
        print(json.dumps(llamacpp.unavailable()), flush=True)
        return
    print(json.dumps("ready"), flush=True)
    sample = np.frombuffer(sys.stdin.buffer.read(4 * SAMPLE), np.float32)
    x = np.tile(sample, int(sys.argv[1]) // SAMPLE)
    packed = {}
    for line in sys.stdin.buffer:
        print(json.dumps(answer(line.decode(), x, packed)), flush=True)


if __name__ == "__main__":
    main()
