"""Generates licenses, and compares our verdicts on them with rfc8785 and OpenSSL. See `run`."""
import base64
import json
import math
import random
import struct
import sys

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LARGEST = 2**53 - 1
ORDER = 2**252 + 27742317777372353535851937790883648493
NAMES = [
    "", "a", "A", "aa", "ab", "a\u0001", "\u007f", "\u0080", "\u00e9", "e\u0301", "\u20ac", "\ufb33", "\uffff", "\ud7ff", "\ue000",
    "\U0001f600", "\U00010000", "\U0010ffff", "1", "10", "9", "-1", " ", "\n", "\r", "\t", '"', "\\", "/", "</script>", "__proto__",
    "$serde_json::private::Number", "$serde_json::private::RawValue", "sign", "signatures", "S", "serial ", "\u2028", "\ufeff",
]
NUMBERS = [
    0.0, -0.0, 1.0, 1.5, -1.5, 1e20, 1e21, 1e22, 9.999999999999999e20, 1e-6, 1e-7, 9.99e-7, 5e-324, 2.2250738585072014e-308,
    1.7976931348623157e308, 4.5, 2e-3, 1e23, 333333333.33333329, 1e30, 0.1, 0.2, 0.30000000000000004, 9007199254740992.0, 1 / 3,
]


# What a document looks like before it is written.


def text(dice):
    if dice.random() < 0.3:
        return dice.choice(NAMES)
    alphabet = [lambda: chr(dice.randrange(1, 0x80)), lambda: chr(dice.randrange(0x80, 0xD800)),
                lambda: chr(dice.randrange(0xE000, 0x10000)), lambda: chr(dice.randrange(0x10000, 0x110000))]
    return "".join(dice.choice(alphabet)() for _ in range(dice.randrange(8)))


def number(dice):
    kind = dice.randrange(5)
    if kind == 0:
        return dice.choice(NUMBERS)
    if kind == 1:
        return dice.randrange(-LARGEST, LARGEST + 1)
    if kind == 2:
        return dice.randrange(-1000, 1000)
    if kind == 3:
        return dice.uniform(-1, 1) * 10 ** dice.randrange(-30, 30)
    while True:
        value = struct.unpack("<d", dice.randbytes(8))[0]
        if math.isfinite(value):
            return value


def value(dice, depth):
    kind = dice.randrange(8 if depth else 5)
    if kind < 2:
        return number(dice)
    if kind == 2:
        return dice.choice([None, True, False])
    if kind < 5:
        return text(dice)
    if kind == 5:
        return [value(dice, depth - 1) for _ in range(dice.randrange(5))]
    return {text(dice): value(dice, depth - 1) for _ in range(dice.randrange(6))}


def license(dice):
    members = {
        "serial": f"S-{dice.randrange(10**6)}",
        "expire_at": {"unix": dice.randrange(0, 253402300800)},
        "created_at": {"unix_time": dice.randrange(0, 2**31), "date": text(dice)},
    }
    reserved = {"duid", "issued_to", "renewable", "transferable", "version", "signature"}
    for _ in range(dice.randrange(8)):
        name = text(dice)
        if name not in members and name not in reserved:
            members[name] = value(dice, 5)
    return members


# How it is written: any of the ways that mean the same.


def spell_text(dice, string):
    out = []
    for char in string:
        code = ord(char)
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}.get(code)
        must = code < 0x20 or char in '"\\'
        if not must and dice.random() < 0.9:
            out.append("\\/" if char == "/" and dice.random() < 0.5 else char)
        elif short and dice.random() < 0.7:
            out.append(short)
        else:
            units = char.encode("utf-16-be")
            for i in range(0, len(units), 2):
                digits = f"{int.from_bytes(units[i:i + 2], 'big'):04x}"
                out.append("\\u" + (digits.upper() if dice.random() < 0.5 else digits))
    return '"' + "".join(out) + '"'


def spell_number(dice, number):
    if isinstance(number, int):
        return "-0" if number == 0 and dice.random() < 0.3 else str(number)
    way = dice.randrange(4)
    if way == 0:
        return repr(number)
    if way == 1:
        return f"{number:.17e}".replace("e", dice.choice("eE"))
    if way == 2:
        return f"{number:.25e}"
    return f"{number:.1f}" if float(f"{number:.1f}") == number else repr(number)


def spell(dice, value):
    space = lambda: dice.choice(["", "", "", " ", "\n", "\t", "\r\n  "])
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return spell_text(dice, value)
    if isinstance(value, (int, float)):
        return spell_number(dice, value)
    if isinstance(value, list):
        return "[" + ",".join(space() + spell(dice, item) + space() for item in value) + space() + "]"
    members = list(value.items())
    dice.shuffle(members)
    # The members that we read as integers stay integers.
    inner = (space() + spell_text(dice, name) + space() + ":" + space() + spell(dice, item) + space() for name, item in members)
    return "{" + ",".join(inner) + space() + "}"


# What an independent reader makes of it.


def strict(raw):
    """The members, or ValueError: the contract's rules on JSON, written once more."""
    if len(raw) > 65536:
        raise ValueError("size")

    def pairs(found):
        members = dict(found)
        if len(members) != len(found):
            raise ValueError("twice")
        return members

    def integer(digits):
        number = int(digits)
        if abs(number) > LARGEST:
            raise ValueError("integer")
        return number

    def real(digits):
        number = float(digits)
        if not math.isfinite(number):
            raise ValueError("range")
        return number

    def constant(word):
        raise ValueError(word)

    def walk(value, depth):
        if isinstance(value, str):
            if "\0" in value:
                raise ValueError("NUL")
            value.encode("utf-8")
        elif isinstance(value, (list, dict)):
            if depth > 32:
                raise ValueError("depth")
            for item in value:
                walk(item, depth + 1)
            for item in value.values() if isinstance(value, dict) else ():
                walk(item, depth + 1)

    try:
        read = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs, parse_int=integer, parse_float=real, parse_constant=constant)
    except RecursionError as error:
        raise ValueError("depth") from error
    walk(read, 1)
    if not isinstance(read, dict):
        raise ValueError("no object")
    return read


def holds(public, members):
    """Whether OpenSSL agrees with the signature; None when there is none to judge."""
    signature = members.get("signature")
    if not isinstance(signature, str):
        return None
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    if base64.b64encode(raw).decode() != signature or len(raw) != 64:
        return False
    rest = {name: value for name, value in members.items() if name != "signature"}
    try:
        public.verify(raw, rfc8785.dumps(rest))
    except InvalidSignature:
        return False
    return True


def generate(count, seed, path):
    dice = random.Random(seed)
    keys = [Ed25519PrivateKey.from_private_bytes(dice.randbytes(32)) for _ in range(4)]
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with open(path, "w", encoding="ascii") as out:
        for i in range(count):
            key = dice.choice(keys)
            members = license(dice)
            signature = key.sign(rfc8785.dumps(members))
            way = i % 8
            if way == 1:
                signature = dice.choice(keys).sign(rfc8785.dumps(members))
            elif way == 2:
                signature = bytearray(signature)
                signature[dice.randrange(64)] ^= 1 << dice.randrange(8)
            elif way == 3:
                s = int.from_bytes(signature[32:], "little") + ORDER * dice.randrange(1, 7)
                signature = signature[:32] + s.to_bytes(32, "little")
            elif way == 4:
                signature = key.sign(json.dumps(members, sort_keys=True, separators=(",", ":")).encode())
            members["signature"] = base64.b64encode(bytes(signature)).decode()
            if way == 5:
                members["signature"] = dice.choice([members["signature"].rstrip("="), members["signature"] + "\n", "", None, 5])
            raw = bytearray(spell(dice, members).encode("utf-8"))
            if way >= 6:
                for _ in range(dice.randrange(1, 4)):
                    at = dice.randrange(len(raw))
                    change = dice.randrange(5)
                    if change == 0:
                        raw[at] ^= 1 << dice.randrange(8)
                    elif change == 1:
                        del raw[at]
                    elif change == 2:
                        raw[at:at] = dice.choice([b'"', b"\\", b"{", b"}", b"0", b"9", b"\x00", b"\xc0\x80", b",", b" ", b"e", b"-", b"\xed\xa0\x80"])
                    elif change == 3:
                        raw[at:at] = raw[dice.randrange(at + 1):at]
                    else:
                        raw[at:at] = str(dice.randrange(2**52, 2**54)).encode()
            pem = key.public_key().public_bytes(*form).decode()
            print(json.dumps({"pem": pem, "document": base64.b64encode(raw).decode()}), file=out)


def judge(given, said):
    """The differences, as sentences, and the verdict of the others."""
    raw = base64.b64decode(given["document"])
    public = serialization.load_pem_public_key(given["pem"].encode())
    assert isinstance(public, Ed25519PublicKey)
    try:
        members = strict(raw)
    except ValueError as error:
        return [] if said["json"] else [f"we accept what is no strict JSON ({error})"], "refused"
    if said["json"]:
        return [f"we refuse strict JSON: {said['json']}"], "refused"
    if said["canonical"] is None:
        # Strict JSON, but a mutation made it no license: nothing to compare but that we say so.
        return [] if said["state"] == "malformed" else ["a license without canonical form"], "refused"
    rest = rfc8785.dumps({name: value for name, value in members.items() if name != "signature"})
    problems = []
    if base64.b64decode(said["canonical"]) != rest:
        problems.append(f"canonical forms differ: {base64.b64decode(said['canonical'])!r} and {rest!r}")
    expected = {True: "valid", False: "bad-signature", None: "unsigned"}[holds(public, members)]
    # A mutated license may have got a device, which is judged behind the signature.
    if said["state"] != expected and not (expected == "valid" and said["state"] == "wrong-device"):
        problems.append(f"we say {said['state']} ({said['reason']}), OpenSSL says {expected}")
    return problems, expected


def compare(documents, verdicts):
    given, said = ([json.loads(line) for line in open(path, encoding="utf-8")] for path in (documents, verdicts))
    assert len(given) == len(said), "a verdict is missing"
    failed, kinds = 0, {}
    for document, verdict in zip(given, said):
        problems, kind = judge(document, verdict)
        kinds[kind] = kinds.get(kind, 0) + 1
        failed += bool(problems)
        for problem in problems:
            print(f"{problem}\n    {base64.b64decode(document['document'])!r}")
    print("documents by verdict of the others: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    count, wrong = vectors("tests/it/license/data/canonical.jsonl", False)
    failed += wrong
    print(f"{len(given)} documents and {count} vectors: {len(given) + count - failed} passed, {failed} failed")
    return failed


def vectors(path, write):
    """Computes the last column of the vectors again: how many there are, and how many of them differ."""
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    fresh = [[row[0], row[1], rfc8785.dumps(strict(f'{{"x":{row[1]}}}'.encode())["x"]).decode()] for row in rows]
    wrong = [row[0] for row, new in zip(rows, fresh) if row != new]
    if write:
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in fresh)
    for name in wrong:
        print(f"the vector {name!r} is not what rfc8785 says")
    return len(rows), len(wrong)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["generate", count, seed, path]:
            generate(int(count), int(seed), path)
        case ["compare", documents, verdicts]:
            sys.exit(1 if compare(documents, verdicts) else 0)
        case ["vectors", path]:
            vectors(path, True)
        case _:
            sys.exit("usage: see campaigns/differential/run")
