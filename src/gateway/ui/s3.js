/* The S3 requests that the page makes. XMLHttpRequest makes them all: it tells how far an upload
   is, and it reads XML without a text that becomes markup. */

import { Signer, UNSIGNED, encode, hasWebCrypto, hex, pathOf, queryOf, sha256 } from "./sign.js";

const HASHED_MAX = 64 * 1024 * 1024; /* longer parts are not taken into memory, so not hashed */
const CONTROL = /[\u0000-\u001f]/;
const utf8 = new TextEncoder();

export class StoreError extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
}

/* What a failed request says to a person. */
const OF_STATUS = {
    0: ["Unreachable", "The server does not answer. Is `pail serve` still running?"],
    403: ["AccessDenied", "This key has no right to do that."],
    404: ["NoSuchKey", "There is no such object; it may have been deleted."],
    412: ["PreconditionFailed", "Another write came between."],
};

function failure(request) {
    const known = OF_STATUS[request.status] || ["Error", `The server answered ${request.status}.`];
    const xml = request.responseType === "document" ? request.response : null;
    const text = (name) => {
        const found = xml && xml.getElementsByTagName(name)[0];
        return found ? found.textContent : "";
    };
    return new StoreError(request.status, text("Code") || known[0], text("Message") || known[1]);
}

/* One exchange. Options: headers, body, type of the answer, signal, progress(sent). */
function exchange(method, url, { headers = {}, body = null, type = "document", signal, progress }) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        const cancelled = () => reject(new DOMException("cancelled", "AbortError"));
        const abort = () => request.abort();
        request.open(method, url);
        request.responseType = type;
        for (const [name, value] of Object.entries(headers)) {
            request.setRequestHeader(name, value);
        }
        if (progress) {
            request.upload.onprogress = (event) => progress(event.loaded);
        }
        request.onload = () => (request.status < 300 ? resolve(request) : reject(failure(request)));
        request.onerror = () => reject(failure(request));
        request.onabort = cancelled;
        request.onloadend = () => signal && signal.removeEventListener("abort", abort);
        if (signal) {
            if (signal.aborted) {
                cancelled();
                return;
            }
            signal.addEventListener("abort", abort);
        }
        request.send(body);
    });
}

const texts = (node, name) =>
    Array.from(node.getElementsByTagName(name), (found) => found.textContent);
const textOf = (node, name) => texts(node, name)[0] || "";
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

/* A URL loses such segments on its way, whatever is done to them. */
export function hasPath(key) {
    return !key.split("/").some((name) => name === "." || name === "..");
}

export class Store {
    /* Fails unless the key is one of the server's. */
    static async open(id, secret) {
        const store = new Store();
        store.signer = await Signer.make(id, secret, await Store.#skew());
        store.id = id;
        await store.buckets();
        return store;
    }

    /* S3 refuses a clock that is 15 minutes off; a browser's may be. */
    static async #skew() {
        const answer = await exchange("GET", "/-/healthz", { type: "text" });
        const off = Date.parse(answer.getResponseHeader("date")) - Date.now();
        return Math.abs(off) > 60000 ? off : 0;
    }

    async request(method, bucket, key, options = {}) {
        const { query = {}, body = null } = options;
        if (key !== undefined && !hasPath(key)) {
            throw new StoreError(0, "NoPath",
                "A browser cannot ask for a key that has a “.” or “..” between slashes.");
        }
        const payload = body instanceof Blob ? await hashOf(body)
            : hex(await sha256(body || new Uint8Array(0)));
        const path = pathOf(bucket, key), asked = queryOf(query);
        const headers = await this.signer.headers(method, path, query, options.headers || {},
            payload);
        return exchange(method, path + (asked ? "?" + asked : ""), { ...options, headers });
    }

    async buckets() {
        const { response } = await this.request("GET");
        return Array.from(response.getElementsByTagName("Bucket"), (bucket) => ({
            name: textOf(bucket, "Name"), made: textOf(bucket, "CreationDate"),
        }));
    }

    makeBucket(bucket) {
        return this.request("PUT", bucket);
    }

    deleteBucket(bucket) {
        return this.request("DELETE", bucket);
    }

    /* One page: { prefixes, objects: [{ key, size, time }], next }. Keys come percent-encoded,
       since XML cannot carry each character. */
    async list(bucket, prefix, { delimiter = "/", max = 200, token = "", signal } = {}) {
        const query = { "list-type": "2", "encoding-type": "url", "max-keys": String(max), prefix };
        if (delimiter) {
            query.delimiter = delimiter;
        }
        if (token) {
            query["continuation-token"] = token;
        }
        const { response } = await this.request("GET", bucket, undefined, { query, signal });
        const all = (name) => Array.from(response.getElementsByTagName(name));
        return {
            prefixes: all("CommonPrefixes").map((one) => decodeURIComponent(textOf(one, "Prefix"))),
            objects: all("Contents").map((one) => ({
                key: decodeURIComponent(textOf(one, "Key")),
                size: Number(textOf(one, "Size")), time: textOf(one, "LastModified"),
            })),
            next: textOf(response, "NextContinuationToken"),
        };
    }

    /* null: there is none. */
    async head(bucket, key) {
        try {
            return await this.request("HEAD", bucket, key, { type: "text" });
        } catch (error) {
            if (error.status === 404) {
                return null;
            }
            throw error;
        }
    }

    /* The first bytes of an object. */
    async read(bucket, key, bytes, signal) {
        const answer = await this.request("GET", bucket, key,
            { headers: { range: `bytes=0-${bytes - 1}` }, type: "arraybuffer", signal });
        return new Uint8Array(answer.response);
    }

    /* Up to 1,000 keys at once; returns the errors, "key: message". XML 1.0 has no control
       characters, and reads a CR as a LF: those keys go one by one. */
    async deleteMany(bucket, keys) {
        const single = keys.filter((key) => CONTROL.test(key)), errors = [];
        for (const key of single) {
            await this.request("DELETE", bucket, key).catch((error) => {
                errors.push(`${key}: ${error.message}`);
            });
        }
        const plain = keys.filter((key) => !CONTROL.test(key));
        return plain.length ? errors.concat(await this.#deletePlain(bucket, plain)) : errors;
    }

    async #deletePlain(bucket, keys) {
        const root = document.implementation.createDocument(null, "Delete");
        const add = (to, name, text) => {
            const one = to.appendChild(root.createElement(name));
            one.textContent = text;
            return one;
        };
        add(root.documentElement, "Quiet", "true");
        for (const key of keys) {
            add(add(root.documentElement, "Object", ""), "Key", key);
        }
        const body = utf8.encode(new XMLSerializer().serializeToString(root));
        const headers = { "x-amz-checksum-sha256": base64(await sha256(body)) };
        const { response } = await this.request("POST", bucket, undefined,
            { query: { delete: "" }, headers, body });
        return Array.from(response.getElementsByTagName("Error"),
            (one) => `${textOf(one, "Key")}: ${textOf(one, "Message")}`);
    }

    /* An object whole: part is a Blob. Options as exchange has them, and type. */
    put(bucket, key, part, options) {
        return this.request("PUT", bucket, key, { ...options, body: part });
    }

    async begin(bucket, key, headers) {
        const { response } = await this.request("POST", bucket, key,
            { query: { uploads: "" }, headers });
        return textOf(response, "UploadId");
    }

    async putPart(bucket, key, upload, number, part, options) {
        const query = { uploadId: upload, partNumber: String(number) };
        const answer = await this.put(bucket, key, part, { ...options, query });
        return answer.getResponseHeader("etag");
    }

    async finish(bucket, key, upload, etags) {
        const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber>` +
            `<ETag>${etag.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</ETag></Part>`);
        const body = utf8.encode("<CompleteMultipartUpload>" + parts.join("") +
            "</CompleteMultipartUpload>");
        const { response } = await this.request("POST", bucket, key,
            { query: { uploadId: upload }, body });
        if (response && response.documentElement.localName === "Error") { /* 200 may be one */
            throw new StoreError(200, textOf(response, "Code"), textOf(response, "Message"));
        }
    }

    abort(bucket, key, upload) {
        return this.request("DELETE", bucket, key, { query: { uploadId: upload } });
    }

    /* A URL for so many seconds; download: under this name, instead of being shown. */
    link(bucket, key, seconds, download) {
        if (!hasPath(key)) {
            throw new StoreError(0, "NoPath",
                "A URL cannot carry a key that has a “.” or “..” between slashes.");
        }
        const query = download === undefined ? {}
            : { "response-content-disposition": disposition(download) };
        return this.signer.link(bucket, key, query, seconds);
    }
}

/* SPEC RFC 6266#4.3: the name in UTF-8, and for old clients in ASCII. */
function disposition(name) {
    const plain = name.replace(/[^ -~]|["\\%]/g, "_") || "object";
    return `attachment; filename="${plain}"; filename*=UTF-8''${encode(name)}`;
}

/* With its hash signed, the server stores what was read here or nothing. That takes it in memory
   once; what is sent is read from the file again. */
async function hashOf(part) {
    return hasWebCrypto && part.size <= HASHED_MAX
        ? hex(await sha256(await part.arrayBuffer())) : UNSIGNED;
}
