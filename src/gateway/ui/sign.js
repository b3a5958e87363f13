/* Signature version 4 in the page: the secret goes into a key that cannot be read out again, and
   nowhere else. WebCrypto does the hashing where there is one; a page over plain HTTP from another
   address than loopback has none (it is no "secure context"), and takes the SHA-256 below.
   Source: FIPS 180-4; RFC 2104; Amazon S3 "Authenticating requests". */

const subtle = globalThis.crypto ? globalThis.crypto.subtle : undefined;
const utf8 = new TextEncoder();

export const hasWebCrypto = subtle !== undefined;

export function hex(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* ---- SHA-256, for where the browser keeps its own away ---- */

function rounds() {
    const roots = [], squares = [];
    for (let n = 2; roots.length < 64; n++) {
        let prime = true;
        for (let d = 2; d * d <= n; d++) {
            prime = prime && n % d !== 0;
        }
        if (prime) {
            roots.push(Math.floor((Math.cbrt(n) % 1) * 2 ** 32) | 0);
            squares.push(Math.floor((Math.sqrt(n) % 1) * 2 ** 32) | 0);
        }
    }
    return [roots, squares.slice(0, 8)];
}
const [K, BEGIN] = rounds();

const turn = (x, n) => (x >>> n) | (x << (32 - n));

function block(state, view, at, w) {
    for (let i = 0; i < 16; i++) {
        w[i] = view.getInt32(at + 4 * i);
    }
    for (let i = 16; i < 64; i++) {
        const a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) +
            (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
        const x = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) +
            K[i] + w[i]) | 0;
        const y = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g; g = f; f = e; e = (d + x) | 0;
        d = c; c = b; b = a; a = (x + y) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] = (state[i] + word) | 0; });
}

export function plainSha256(bytes) {
    const full = bytes.length - (bytes.length % 64);
    const rest = bytes.length - full;
    const tail = new Uint8Array(rest < 56 ? 64 : 128);
    tail.set(bytes.subarray(full));
    tail[rest] = 0x80;
    const end = new DataView(tail.buffer);
    end.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
    end.setUint32(tail.length - 4, (bytes.length << 3) >>> 0);
    const state = Int32Array.from(BEGIN), w = new Int32Array(64);
    const view = new DataView(bytes.buffer, bytes.byteOffset, full);
    for (let at = 0; at < full; at += 64) {
        block(state, view, at, w);
    }
    for (let at = 0; at < tail.length; at += 64) {
        block(state, end, at, w);
    }
    const out = new DataView(new ArrayBuffer(32));
    state.forEach((word, i) => out.setInt32(4 * i, word));
    return new Uint8Array(out.buffer);
}

function plainHmac(key, message) {
    const pad = new Uint8Array(64);
    pad.set(key.length > 64 ? plainSha256(key) : key);
    const join = (mask, data) => {
        const all = new Uint8Array(64 + data.length);
        all.set(pad.map((byte) => byte ^ mask));
        all.set(data, 64);
        return plainSha256(all);
    };
    return join(0x5c, join(0x36, message));
}

/* ---- either ---- */

export async function sha256(bytes) {
    return subtle ? new Uint8Array(await subtle.digest("SHA-256", bytes)) : plainSha256(bytes);
}

async function macKey(bytes) {
    const kind = { name: "HMAC", hash: "SHA-256" };
    return subtle ? subtle.importKey("raw", bytes, kind, false, ["sign"]) : bytes;
}

async function hmac(key, text) {
    const message = utf8.encode(text);
    return subtle ? new Uint8Array(await subtle.sign("HMAC", key, message))
        : plainHmac(key, message);
}

/* ---- signature version 4 ---- */

export const UNSIGNED = "UNSIGNED-PAYLOAD";

/* As S3 wants it: all but A-Z a-z 0-9 - . _ ~ */
export function encode(text) {
    return encodeURIComponent(text).replace(/[!'()*]/g,
        (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

export function pathOf(bucket, key) {
    const names = (bucket ? bucket + (key === undefined ? "" : "/" + key) : "").split("/");
    return "/" + names.map(encode).join("/");
}

export function queryOf(query) {
    return Object.keys(query).sort().map((name) => encode(name) + "=" + encode(query[name]))
        .join("&");
}

export class Signer {
    #secret;
    #day = "";
    #key = null;

    /* skew: what is to be added to the clock of this machine, in ms. */
    static async make(id, secret, skew) {
        const signer = new Signer();
        signer.id = id;
        signer.skew = skew;
        signer.#secret = await macKey(utf8.encode("AWS4" + secret));
        return signer;
    }

    #now() {
        const now = new Date(Date.now() + this.skew).toISOString();
        return now.replace(/[-:]|\.\d+/g, "");
    }

    #scope(time) {
        return `${time.slice(0, 8)}/us-east-1/s3/aws4_request`;
    }

    async #keyOf(day) {
        if (this.#day !== day) {
            let key = this.#secret;
            for (const word of [day, "us-east-1", "s3", "aws4_request"]) {
                key = await macKey(await hmac(key, word));
            }
            this.#key = key;
            this.#day = day;
        }
        return this.#key;
    }

    async #sign(time, method, path, query, headers, payload) {
        const names = Object.keys(headers).sort();
        const lines = names.map((name) => `${name}:${headers[name].trim().replace(/ +/g, " ")}`);
        const request = [method, path, query, ...lines, "", names.join(";"), payload].join("\n");
        const digest = hex(await sha256(utf8.encode(request)));
        const text = ["AWS4-HMAC-SHA256", time, this.#scope(time), digest].join("\n");
        return hex(await hmac(await this.#keyOf(time.slice(0, 8)), text));
    }

    /* The headers to send, signature and all. */
    async headers(method, path, query, headers, payload) {
        const time = this.#now();
        const all = { ...headers, "x-amz-date": time, "x-amz-content-sha256": payload };
        const signed = { ...all, host: location.host };
        const signature = await this.#sign(time, method, path, queryOf(query), signed, payload);
        all.authorization = `AWS4-HMAC-SHA256 Credential=${this.id}/${this.#scope(time)}, ` +
            `SignedHeaders=${Object.keys(signed).sort().join(";")}, Signature=${signature}`;
        return all;
    }

    /* A URL that is good without a key for so many seconds. */
    async link(bucket, key, query, seconds) {
        const time = this.#now(), path = pathOf(bucket, key);
        const all = {
            ...query,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": `${this.id}/${this.#scope(time)}`,
            "X-Amz-Date": time,
            "X-Amz-Expires": String(seconds),
            "X-Amz-SignedHeaders": "host",
        };
        const signature = await this.#sign(time, "GET", path, queryOf(all),
            { host: location.host }, UNSIGNED);
        return `${location.origin}${path}?${queryOf(all)}&X-Amz-Signature=${signature}`;
    }
}
