"""Members that share their bytes, as in the bombs of David Fifield: each holds the headers of those after it.

Thirty members of 30 MB here; with the same 3 MB of zip they could be 5,000 times 300 MB.
Success: they are unpacked one after another, or Ada's grade changes.
"""

import struct
import zlib

from attacks.archives.make import HONEST, Member, scores, table, write

SIZE = 30_000_000
EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0, "eve.zip": 0.0})


def build(folder):
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = packer.compress(bytes(SIZE)) + packer.flush()
    size, crc = SIZE, zlib.crc32(bytes(SIZE))
    made = []
    for i in reversed(range(30)):
        member = Member(b"%02d.ipynb" % i, method=8, size=size, packed=len(body), crc=crc)
        header = member.header()
        made.append((member, len(header) + len(body)))
        # A stored block that holds this header, so that the member before it continues with this one's data.
        quote = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF)
        crc = zlib.crc32(header + bytes(SIZE)) if i == 29 else 0
        body, size = quote + header + body, size + len(header)
    body = body[5:]  # nobody continues with the first one
    entries = [member.entry(len(body) - from_end) for member, from_end in made]
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": body + table(entries, len(body))})
