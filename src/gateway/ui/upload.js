/* Uploads: large files in parts, few at a time, so that neither the page nor the server holds more
   than some parts of them. */

const MIB = 1024 * 1024;
const WHOLE_MAX = 16 * MIB; /* up to here one request */
const PART = 8 * MIB, PARTS_MAX = 10000; /* S3's own limit */
const AT_ONCE = 3; /* requests of all uploads; a browser has six connections to a server */
const TRIES = 4;

/* Lets so many run at a time, in the order in which they came. */
class Gate {
    #free;
    #waiting = [];

    constructor(count) {
        this.#free = count;
    }

    async run(work) {
        if (this.#free === 0) {
            await new Promise((resolve) => this.#waiting.push(resolve));
        } else {
            this.#free--;
        }
        try {
            return await work();
        } finally {
            const next = this.#waiting.shift();
            if (next) {
                next();
            } else {
                this.#free++;
            }
        }
    }
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* What may be right the next time: no answer, too many requests, a server that is in trouble. */
const passes = (error) => error.code === "Unreachable" || error.status >= 500;

async function again(work) {
    for (let n = 1; ; n++) {
        try {
            return await work();
        } catch (error) {
            if (n === TRIES || !passes(error)) {
                throw error;
            }
            await later(Math.random() * 500 * 2 ** n);
        }
    }
}

export class Uploads {
    #gate = new Gate(AT_ONCE);
    #files = new Gate(2);
    items = new Set();

    /* changed(item): its state, sent or error is another. State: waiting, running, done, failed,
       cancelled. */
    constructor(store, changed) {
        this.store = store;
        this.changed = changed;
    }

    get running() {
        return Array.from(this.items).some((i) => i.state === "waiting" || i.state === "running");
    }

    add(bucket, key, file) {
        const stop = new AbortController();
        const item = { bucket, key, file, size: file.size, sent: 0, state: "waiting", error: null };
        item.cancel = () => stop.abort();
        item.signal = stop.signal;
        this.items.add(item);
        this.#set(item, "waiting");
        item.ended = this.#files.run(() => this.#run(item));
        return item;
    }

    #set(item, state) {
        item.state = state;
        this.changed(item);
    }

    async #run(item) {
        try {
            item.signal.throwIfAborted();
            this.#set(item, "running");
            await (item.size <= WHOLE_MAX ? this.#whole(item) : this.#parts(item));
            item.sent = item.size;
            this.#set(item, "done");
        } catch (error) {
            item.error = error;
            this.#set(item, item.signal.aborted ? "cancelled" : "failed");
        }
    }

    #headers(item) {
        return item.file.type ? { "content-type": item.file.type } : {};
    }

    #whole(item) {
        const progress = (sent) => {
            item.sent = Math.min(sent, item.size);
            this.changed(item);
        };
        return this.#gate.run(() => again(() => this.store.put(item.bucket, item.key, item.file,
            { headers: this.#headers(item), signal: item.signal, progress })));
    }

    async #parts(item) {
        const size = Math.max(PART, Math.ceil(item.size / PARTS_MAX / MIB) * MIB);
        const count = Math.ceil(item.size / size);
        const upload = await again(() =>
            this.store.begin(item.bucket, item.key, this.#headers(item)));
        const sent = new Array(count).fill(0), etags = new Array(count);
        /* A part that fails ends the others, which would have been for nothing. */
        const stop = new AbortController();
        const end = () => stop.abort();
        item.signal.addEventListener("abort", end);
        if (item.signal.aborted) { /* while the upload was begun */
            end();
        }
        let next = 0;
        const work = async () => {
            while (next < count) {
                const i = next++, from = i * size;
                etags[i] = await this.#gate.run(() => again(() => {
                    stop.signal.throwIfAborted();
                    const part = item.file.slice(from, Math.min(from + size, item.size));
                    const progress = (bytes) => {
                        sent[i] = Math.min(bytes, part.size);
                        item.sent = sent.reduce((a, b) => a + b, 0);
                        this.changed(item);
                    };
                    return this.store.putPart(item.bucket, item.key, upload, i + 1, part,
                        { signal: stop.signal, progress });
                }));
            }
        };
        try {
            await Promise.all(Array.from({ length: AT_ONCE }, () => work().catch((error) => {
                stop.abort();
                throw error;
            })));
            await again(() => this.store.finish(item.bucket, item.key, upload, etags));
        } catch (error) {
            await this.store.abort(item.bucket, item.key, upload).catch(() => {});
            throw error;
        } finally {
            item.signal.removeEventListener("abort", end);
        }
    }
}
