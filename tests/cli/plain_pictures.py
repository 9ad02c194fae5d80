"""TIFF, PNG and FITS, written and read without any library: a second opinion on unmar's files.

Samples are flat lists, pixel by pixel, rows from the top. A type of samples is "u8", "i16", "f64"
and so on; TIFF also has "u1", "u12" and "f16".
"""

import dataclasses
import struct
import zlib

CODES = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "f16": "e",
         "f32": "f", "f64": "d"}  # fmt: skip
BYTES, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, DOUBLE = 1, 2, 3, 4, 5, 7, 12


@dataclasses.dataclass
class Picture:
    width: int
    height: int
    channels: int  # samples of a pixel, alpha included
    type: str
    samples: list
    # What the file tells: tags of TIFF (id: values), chunks of PNG (name: bytes), cards of FITS.
    told: dict = dataclasses.field(default_factory=dict)
    cards: list = dataclasses.field(default_factory=list)

    def pixel(self, x, y):
        at = (y * self.width + x) * self.channels
        return self.samples[at : at + self.channels]


def packed(samples, kind, order):
    return struct.pack(f"{order}{len(samples)}{CODES[kind]}", *samples)


def unpacked(data, kind, order):
    return list(struct.unpack(f"{order}{len(data) // struct.calcsize(CODES[kind])}{CODES[kind]}", data))


# TIFF.

TYPES = {BYTES: ("B", 1), ASCII: ("s", 1), SHORT: ("H", 2), LONG: ("I", 4), RATIONAL: ("I", 4),
         UNDEFINED: ("B", 1), DOUBLE: ("d", 8), 16: ("Q", 8), 13: ("I", 4)}  # fmt: skip


def bits_of(row, bits):
    """Samples of fewer or more than 8 bits, packed; each row starts with a byte of its own."""
    text = "".join(f"{v:0{bits}b}" for v in row)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def with_predictor(data, samples, size, predictor, order):
    """A row, its samples as differences: of numbers (2), of the bytes of floats (3)."""
    if predictor == 2:
        kind = {2: "u16", 4: "u32", 8: "u64"}[size]
        values = unpacked(data, kind, order)
        values = [(v - (values[i - samples] if i >= samples else 0)) % (1 << 8 * size) for i, v in enumerate(values)]
        return packed(values, kind, order)
    if predictor == 3:
        values = [data[i : i + size] if order == ">" else data[i : i + size][::-1] for i in range(0, len(data), size)]
        apart = bytes(v[byte] for byte in range(size) for v in values)
        return bytes((v - (apart[i - samples] if i >= samples else 0)) % 256 for i, v in enumerate(apart))
    return data


def tiff_pieces(picture, order, planar, tile, predictor):
    """The data of each strip or tile: of one picture, or of each plane."""
    channels = picture.channels
    across, down = tile or (picture.width, picture.height)
    bits = int(picture.type[1:])
    pieces = []
    for plane in range(channels if planar else 1):
        samples = 1 if planar else channels
        for top in range(0, picture.height, down):
            for left in range(0, picture.width, across):
                piece = b""
                for y in range(top, top + down):
                    at = [picture.pixel(x, y) if x < picture.width and y < picture.height else [0] * channels
                          for x in range(left, left + across)]  # fmt: skip
                    row = [v for pixel in at for v in (pixel[plane : plane + 1] if planar else pixel)]
                    if picture.type in ("u1", "u12"):
                        piece += bits_of(row, bits)
                    else:
                        data = packed(row, picture.type, order)
                        piece += with_predictor(data, samples, bits // 8, predictor, order)
                pieces.append(piece)
    return pieces


def tiff(pages, photometric=None, extra=None, order="<", big=False, planar=False, tags=None, deflate=False,
         tile=None, predictor=1):  # fmt: skip
    """extra: the values of ExtraSamples. tags: {id: (type, values)}, bytes for text. tile: width and height."""
    offset, magic = ("Q", 43) if big else ("I", 42)
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", magic))
    out += struct.pack(order + "HHQ", 8, 0, 0) if big else struct.pack(order + "I", 0)
    link = len(out) - (8 if big else 4)
    for picture in pages:
        strips = tiff_pieces(picture, order, planar, tile, predictor)
        if deflate:
            strips = [zlib.compress(s) for s in strips]
        places = []
        for strip in strips:
            places.append(len(out))
            out += strip + b"\0" * (len(strip) % 2)
        bits = int(picture.type[1:])
        kind = {"u": 1, "i": 2, "f": 3}[picture.type[0]]
        colours = 2 if picture.channels - len(extra or ()) == 3 else 1
        fields = {
            256: (LONG, [picture.width]), 257: (LONG, [picture.height]),
            258: (SHORT, [bits] * picture.channels), 259: (SHORT, [8 if deflate else 1]),
            262: (SHORT, [colours if photometric is None else photometric]),
            273: (16 if big else LONG, places), 277: (SHORT, [picture.channels]),
            278: (LONG, [picture.height]), 279: (LONG, [len(s) for s in strips]),
            284: (SHORT, [2 if planar else 1]), 339: (SHORT, [kind] * picture.channels),
        }  # fmt: skip
        if predictor != 1:
            fields[317] = (SHORT, [predictor])
        if tile:
            fields.update({322: (SHORT, [tile[0]]), 323: (SHORT, [tile[1]]), 324: fields[273], 325: fields[279]})
            for tag in (273, 278, 279):
                del fields[tag]
        if extra:
            fields[338] = (SHORT, list(extra))
        fields.update(tags or {})
        picture.told = {tag: values if kind == ASCII else tuple(values) for tag, (kind, values) in fields.items()
                        if tag not in (317, 322, 323, 324, 325)}  # fmt: skip
        entries = b""
        for tag, (kind, values) in sorted(fields.items()):
            code, size = TYPES[kind]
            data = bytes(values) if code in "sB" else struct.pack(f"{order}{len(values)}{code}", *values)
            count = len(data) // size // (2 if kind == RATIONAL else 1)
            if len(data) > (8 if big else 4):
                place = len(out)
                out += data + b"\0" * (len(data) % 2)
                data = struct.pack(order + offset, place)
            entries += struct.pack(order + "HH" + offset, tag, kind, count) + data.ljust(8 if big else 4, b"\0")
        struct.pack_into(order + offset, out, link, len(out))
        out += struct.pack(order + ("Q" if big else "H"), len(fields)) + entries
        link = len(out)
        out += struct.pack(order + offset, 0)
    return bytes(out)


def without_predictor(data, picture, bytes_each, order):
    """Horizontal differences added up."""
    row = picture.width * picture.channels
    kind = {1: "u8", 2: "u16", 4: "u32"}[bytes_each]
    values = unpacked(data, kind, order)
    for start in range(0, len(values), row):
        for i in range(start + picture.channels, start + row):
            values[i] = (values[i] + values[i - picture.channels]) & ((1 << 8 * bytes_each) - 1)
    return packed(values, kind, order)


def read_tiff(data):
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset, field = ("Q", 8) if big else ("I", 4)
    (at,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    pages = []
    while at:
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
        at += 8 if big else 2
        tags = {}
        for _ in range(count):
            tag, kind, number = struct.unpack_from(order + "HH" + offset, data, at)
            code, size = TYPES.get(kind, ("B", 1))
            number *= 2 if kind == RATIONAL else 1
            place = at + 4 + field
            if number * size > field:
                (place,) = struct.unpack_from(order + offset, data, place)
            if code == "s":
                tags[tag] = data[place : place + number]
            else:
                tags[tag] = struct.unpack_from(f"{order}{number}{code}", data, place)
            at += 4 + 2 * field
        (at,) = struct.unpack_from(order + offset, data, at)
        bits = tags[258][0] if 258 in tags else 1
        kind = {1: "u", 2: "i", 3: "f"}[tags[339][0] if 339 in tags else 1]
        picture = Picture(tags[256][0], tags[257][0], tags.get(277, (1,))[0], f"{kind}{bits}", [], tags)
        assert tags.get(284, (1,))[0] == 1 and 322 not in tags, "unmar writes strips, interleaved"
        samples = b""
        for place, size in zip(tags[273], tags[279]):
            strip = data[place : place + size]
            if tags.get(259, (1,))[0] != 1:
                strip = zlib.decompress(strip)
            if tags.get(317, (1,))[0] == 2:
                strip = without_predictor(strip, picture, bits // 8, order)
            samples += strip
        picture.samples = unpacked(samples, picture.type, order)
        assert len(picture.samples) == picture.width * picture.height * picture.channels
        pages.append(picture)
    return pages


# PNG.

COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # of so many channels


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(picture, chunks=(), colour=None):
    """chunks: (name, data) of more of them, before the pixels."""
    bits = int(picture.type[1:])
    row = picture.width * picture.channels
    lines = []
    for start in range(0, len(picture.samples), row):
        line = picture.samples[start : start + row]
        lines.append(b"\0" + (packed(line, picture.type, ">") if bits >= 8 else bits_of(line, bits)))
    head = struct.pack(">IIBBBBB", picture.width, picture.height, bits,
                       COLOURS[picture.channels] if colour is None else colour, 0, 0, 0)  # fmt: skip
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*c) for c in chunks)
            + chunk(b"IDAT", zlib.compress(b"".join(lines))) + chunk(b"IEND", b""))  # fmt: skip


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def read_png(data):
    told, packed_rows, at = {}, b"", 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        if name == b"IDAT":
            packed_rows += body
        elif name in told:
            told[name] += b"|" + body
        else:
            told[name] = body
        at += 12 + size
    width, height, bits, colour = struct.unpack_from(">IIBB", told[b"IHDR"])
    channels = {v: k for k, v in COLOURS.items()}[colour]
    rows, step, stride = zlib.decompress(packed_rows), channels * bits // 8, width * channels * bits // 8
    before, out = bytearray(stride), b""
    for y in range(height):
        kind, line = rows[y * (stride + 1)], bytearray(rows[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for i in range(stride):
            left, corner = (line[i - step], before[i - step]) if i >= step else (0, 0)
            guess = [0, left, before[i], (left + before[i]) // 2, paeth(left, before[i], corner)][kind]
            line[i] = (line[i] + guess) & 255
        out, before = out + line, line
    return Picture(width, height, channels, f"u{bits}", unpacked(out, f"u{bits}", ">"), told)


# FITS.

BITPIX = {"u8": 8, "i16": 16, "i32": 32, "f32": -32, "f64": -64, "u16": 16, "u32": 32}


def card(key, value, comment=""):
    if isinstance(value, str) and value not in ("T", "F"):
        value = f"'{value:<8}'"
    return f"{key:<8}= {value:>20}{' / ' + comment if comment else ''}".ljust(80)


def hdu(picture, cards=(), first=True):
    """cards: those that do not follow from the picture. picture None: a header without data."""
    head = [card("SIMPLE", "T") if first else card("XTENSION", "IMAGE")]
    data = b""
    if picture is None:
        head += [card("BITPIX", 8), card("NAXIS", 0)]
    else:
        head += [card("BITPIX", BITPIX[picture.type]), card("NAXIS", 3 if picture.channels > 1 else 2),
                 card("NAXIS1", picture.width), card("NAXIS2", picture.height)]  # fmt: skip
        if picture.channels > 1:
            head.append(card("NAXIS3", picture.channels))
        shift = {"u16": 1 << 15, "u32": 1 << 31}.get(picture.type, 0)
        if shift:
            head += [card("BZERO", shift), card("BSCALE", 1)]
        for c in range(picture.channels):
            for y in reversed(range(picture.height)):
                row = picture.width * picture.channels
                line = picture.samples[y * row + c : (y + 1) * row : picture.channels]
                kind = picture.type.replace("u16", "i16").replace("u32", "i32")
                data += packed([v - shift for v in line], kind, ">")
    if not first:
        head += [card("PCOUNT", 0), card("GCOUNT", 1)]
    if picture is not None:
        picture.cards = [*head, *cards]
    text = "".join([*head, *cards, "END".ljust(80)]).encode()
    return text.ljust(-(-len(text) // 2880) * 2880) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


def value_of(cards, key, otherwise):
    for one in cards:
        if one[:8].rstrip() == key and one[8] == "=":
            text = one[10:].split("/")[0].strip()
            return text if text[:1] in "'TF" else float(text)
    return otherwise


def read_fits(data):
    pages, at = [], 0
    while at < len(data):
        cards = []
        while not cards or cards[-1].rstrip() != "END":
            cards.append(data[at : at + 80].decode("latin-1"))
            at += 80
        at = -(-at // 2880) * 2880
        sides = [int(value_of(cards, f"NAXIS{i + 1}", 1)) for i in range(int(value_of(cards, "NAXIS", 0)))]
        bitpix = int(value_of(cards, "BITPIX", 8))
        if not sides:
            continue
        width, height, channels = (sides + [1])[:3]
        kind = {v: k for k, v in BITPIX.items() if k not in ("u16", "u32")}[bitpix]
        size = width * height * channels * abs(bitpix) // 8
        planar = unpacked(data[at : at + size], kind, ">")
        at += -(-size // 2880) * 2880
        shift = value_of(cards, "BZERO", 0)
        assert value_of(cards, "BSCALE", 1) == 1
        if shift:
            kind = {1 << 15: "u16", 1 << 31: "u32"}[int(shift)]
            planar = [v + int(shift) for v in planar]
        plane = width * height
        samples = [planar[c * plane + (height - 1 - y) * width + x]
                   for y in range(height) for x in range(width) for c in range(channels)]  # fmt: skip
        pages.append(Picture(width, height, channels, kind, samples, cards=cards))
    return pages
