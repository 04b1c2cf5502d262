#!/usr/bin/env python3
"""Signatures that only special points make possible, computed from RFC 8032 by hand.

Prints one line for each: name, signature in base64. They stand in tests/it/license/signatures.rs. The message is
the canonical license of tests/it/license/forge.rs, the key is made of the seed 01 01 ... 01.
"""
import base64
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
MESSAGE = (
    b'{"created_at":{"unix":1799900000},"duid":"DEV-1","expire_at":{"unix":1800600000},"issued_to":"Toronto Office",'
    b'"netify-proc-aggregator":{"not_valid_after":"2027-01-20"},"renewable":true,"serial":"2026-3638-61034042"}'
)


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P
    return x, y


def times(n, p):
    result = (0, 1)
    while n:
        if n & 1:
            result = add(result, p)
        p, n = add(p, p), n >> 1
    return result


def root(y, sign):
    """The x of a point, or None."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return P - x if x % 2 != sign else x


def encode(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def number(data):
    return int.from_bytes(data, "little")


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (root(BASE_Y, 0), BASE_Y)


def order_eight():
    y = 2
    while True:
        x = root(y, 0)
        if x is not None:
            point = times(L, (x, y))
            if times(4, point) != (0, 1):
                return point
        y += 1


digest = hashlib.sha512(b"\x01" * 32).digest()
scalar = number(digest[:32]) & ~7 & ~(1 << 255) | 1 << 254
scalar &= (1 << 255) - 1
public = encode(times(scalar, BASE))


def challenge(r):
    return number(hashlib.sha512(r + public + MESSAGE).digest()) % L


def show(name, r, s):
    print(name, base64.b64encode(r + s.to_bytes(32, "little")).decode())


def main():
    print("public", public.hex())
    nonce = number(hashlib.sha512(digest[32:] + MESSAGE).digest()) % L
    honest = encode(times(nonce, BASE))
    s = (nonce + challenge(honest) * scalar) % L
    show("honest", honest, s)
    show("s-plus-l", honest, s + L)
    show("s-plus-7l", honest, s + 7 * L)
    for name, r in [
        ("r-identity", encode((0, 1))),
        ("r-order-2", encode((0, P - 1))),
        ("r-identity-not-canonical", (P + 1).to_bytes(32, "little")),
        ("r-identity-negative-zero", (1 | 1 << 255).to_bytes(32, "little")),
    ]:
        show(name, r, challenge(r) * scalar % L)
    mixed = encode(add(times(nonce, BASE), order_eight()))
    show("r-mixed-order", mixed, (nonce + challenge(mixed) * scalar) % L)
    print("point of order 8", encode(order_eight()).hex())


main()
