// A picture made here: nothing is downloaded or stored for it.

import { crc32, deflateSync } from "node:zlib";

/** A square PNG in which every pixel differs from its neighbours. */
export function png(side) {
    const rows = Buffer.alloc(side * (1 + side * 3));
    for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
            const at = y * (1 + side * 3) + 1 + x * 3;
            rows.set([(x * 5) & 255, (y * 3) & 255, (x * y) & 255], at);
        }
    }
    const header = Buffer.alloc(13);
    header.writeUInt32BE(side, 0);
    header.writeUInt32BE(side, 4);
    header.set([8, 2, 0, 0, 0], 8);
    const signature = Buffer.from("89504e470d0a1a0a", "hex");
    const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
    return Buffer.concat([signature, ...parts]);
}

function chunk(kind, data) {
    const named = Buffer.concat([Buffer.from(kind, "latin1"), data]);
    const framed = Buffer.alloc(named.length + 8);
    framed.writeUInt32BE(data.length, 0);
    named.copy(framed, 4);
    framed.writeUInt32BE(crc32(named), named.length + 4);
    return framed;
}

/** Width and height of a PNG or JPEG, by its first frame header. */
export function size(bytes) {
    if (bytes.subarray(1, 4).toString("latin1") === "PNG") {
        return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
    }
    for (let at = 2; at + 9 < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
        if ([0xc0, 0xc1, 0xc2].includes(bytes[at + 1])) {
            return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) };
        }
    }
    throw new Error("neither PNG nor JPEG");
}
