/* Dialogs: a question; an object with its preview, its links, and what can be done with it. */

import { count, el, errorText, shown, sizeText, timeText } from "./dom.js";

const MIB = 1024 * 1024;
const TEXT_MAX = 64 * 1024, IMAGE_MAX = 10 * MIB;
/* Bitmaps only: an SVG is a document, and is shown as its text. */
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
    "image/x-icon"];

/* Opens it, and resolves with what it was closed with: "" where it was Escape. */
function run(dialog) {
    document.body.append(dialog);
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => {
            dialog.remove();
            resolve(dialog.returnValue);
        });
        dialog.showModal();
    });
}

function closer(dialog, value, attributes, text) {
    return el("button", { type: "button", ...attributes, onclick: () => dialog.close(value) }, text);
}

/* True where the person agrees. list: names that it is about. others: [[value, text], ...] are more
   buttons, of which the value is returned instead. */
export async function ask({ title, text, list = [], action, danger = true, others = [] }) {
    const dialog = el("dialog", { class: "small", "aria-labelledby": "ask" });
    const names = list.slice(0, 5).map((name) => el("li", {}, shown(name)));
    if (list.length > 5) {
        names.push(el("li", {}, `and ${(list.length - 5).toLocaleString()} more`));
    }
    dialog.append(el("h2", { id: "ask" }, title), ...(list.length ? [el("ul", {}, ...names)] : []),
        el("p", { class: "hint" }, text),
        el("div", { class: "buttons" }, closer(dialog, "", { autofocus: true }, "Cancel"),
            ...others.map(([value, label]) => closer(dialog, value, {}, label)),
            closer(dialog, "yes", { class: danger ? "danger" : "primary" }, action)));
    const value = await run(dialog);
    return value === "yes" ? true : value;
}

/* A text, or "". `make` does what is asked with it: where it fails, the dialog stays and says why. */
export async function askText({ title, label, hint, action, make }) {
    const dialog = el("dialog", { class: "small", "aria-labelledby": "ask" });
    const input = el("input", { id: "ask-text", name: "text", required: true, autofocus: true,
        spellcheck: "false", autocapitalize: "none", autocomplete: "off" });
    const error = el("p", { class: "error", role: "alert" });
    const form = el("form", {}, el("h2", { id: "ask" }, title),
        el("label", { for: "ask-text" }, label), input, el("p", { class: "hint" }, hint), error,
        el("div", { class: "buttons" }, closer(dialog, "", {}, "Cancel"),
            el("button", { type: "submit", class: "primary" }, action)));
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        try {
            await make(input.value.trim());
            dialog.close(input.value.trim());
        } catch (reason) {
            error.textContent = errorText(reason);
            input.focus();
        }
    });
    dialog.append(form);
    return run(dialog);
}

/* ---- an object ---- */

function isText(bytes) {
    if (bytes.includes(0)) {
        return null;
    }
    try { /* a character may be cut at the end */
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    } catch {
        return null;
    }
}

/* An image as a bitmap, a text as text: nothing of an object ever runs. */
async function preview(store, object, type, signal) {
    if (object.size === 0) {
        return [el("p", {}, "This object is empty.")];
    }
    if (IMAGES.includes(type)) {
        if (object.size > IMAGE_MAX) {
            return [el("p", {}, `No preview of images of more than ${sizeText(IMAGE_MAX)}.`)];
        }
        const bytes = await store.read(object.bucket, object.key, IMAGE_MAX, signal);
        const url = URL.createObjectURL(new Blob([bytes], { type }));
        const image = el("img", { src: url, alt: `Preview of ${shown(object.key)}` });
        signal.addEventListener("abort", () => URL.revokeObjectURL(url));
        image.addEventListener("error", () =>
            image.replaceWith(el("p", {}, "This image cannot be shown.")));
        return [image];
    }
    const text = isText(await store.read(object.bucket, object.key, TEXT_MAX, signal));
    if (text === null) {
        return [el("p", {}, "No preview: neither a text nor an image of a known kind.")];
    }
    const all = [el("pre", { tabindex: "0", "aria-label": "Text of the object" }, text)];
    if (object.size > TEXT_MAX) {
        all.push(el("p", { class: "cut" }, `The first ${sizeText(TEXT_MAX)} of it.`));
    }
    return all;
}

function facts(object, answer) {
    const rows = [["Size", `${sizeText(object.size)}` +
        (object.size >= 1024 ? ` (${count(object.size, "byte", "bytes")})` : "")],
    ["Modified", timeText(object.time)]];
    const names = { "content-type": "Type", "content-encoding": "Encoding",
        "cache-control": "Cache-Control", etag: "ETag" };
    for (const line of answer.getAllResponseHeaders().trim().split("\r\n")) {
        const at = line.indexOf(": "), name = line.slice(0, at).toLowerCase();
        if (names[name] || name.startsWith("x-amz-meta-")) {
            rows.push([names[name] || name.slice(11), line.slice(at + 2)]);
        }
    }
    return rows.flatMap(([name, value]) =>
        [el("dt", {}, shown(name)), el("dd", {}, shown(value))]);
}

async function copy(input) {
    input.select();
    if (navigator.clipboard) {
        await navigator.clipboard.writeText(input.value);
    } else if (!document.execCommand("copy")) { /* no secure context: the old way */
        throw new Error("The browser does not let the page copy: the link is selected, copy it.");
    }
}

function sharing(store, object, name, say, fail) {
    const times = [["900", "15 minutes"], ["3600", "1 hour"], ["86400", "1 day"],
        ["604800", "7 days"]];
    const until = el("select", { id: "link-time" },
        ...times.map(([value, text]) => el("option", { value }, text)));
    const saves = el("input", { type: "checkbox" });
    const out = el("input", { type: "text", readonly: true, class: "mono", "aria-label": "Link" });
    const result = el("div", { class: "row", hidden: true }, out, el("button", { type: "button",
        onclick: () => copy(out).then(() => say("Link copied"), fail) }, "Copy"));
    until.value = "3600";
    const make = async () => {
        try {
            out.value = await store.link(object.bucket, object.key, Number(until.value),
                saves.checked ? name : undefined);
            result.hidden = false;
            out.select();
            say(`Link made: good for ${until.selectedOptions[0].textContent}, for whoever has it`);
        } catch (reason) {
            fail(reason);
        }
    };
    return el("div", { class: "share" },
        el("div", { class: "row" },
            el("label", { for: "link-time" }, "Link without a key, good for"), until,
            el("label", {}, saves, " as a download"),
            el("button", { type: "button", onclick: make }, "Make link")),
        result);
}

async function download(store, object, name) {
    const link = el("a", { href: await store.link(object.bucket, object.key, 300, name),
        download: name, rel: "noopener" });
    document.body.append(link);
    link.click();
    link.remove();
}

/* object: { bucket, key, size, time }. Resolves with "delete" where that was chosen. */
export async function openObject(store, object) {
    const name = object.key.split("/").pop() || object.key;
    const dialog = el("dialog", { "aria-labelledby": "object-title" });
    const error = el("p", { class: "error", role: "alert" });
    const list = el("dl", { class: "facts" });
    const view = el("div", { class: "preview" }, el("p", {}, "Loading…"));
    const stop = new AbortController();
    const fail = (reason) => {
        error.textContent = stop.signal.aborted ? "" : errorText(reason);
    };
    const status = el("p", { class: "hint", role: "status" });
    const tell = (text) => {
        status.textContent = text;
    };
    dialog.append(
        el("div", { class: "top" }, el("h2", { id: "object-title" }, shown(name)),
            closer(dialog, "", { class: "quiet", "aria-label": "Close" }, "✕")),
        error, view, list, sharing(store, object, name, tell, fail), status,
        el("div", { class: "buttons low" },
            closer(dialog, "delete", { class: "danger" }, "Delete…"),
            el("button", { type: "button", class: "primary", autofocus: true,
                onclick: () => download(store, object, name).then(
                    () => tell("Download begun"), fail) }, "Download")));
    const load = async () => {
        const answer = await store.head(object.bucket, object.key);
        if (!answer) {
            throw new Error("The object is not there any more.");
        }
        list.append(...facts(object, answer));
        const type = (answer.getResponseHeader("content-type") || "").split(";")[0].trim();
        view.replaceChildren(...await preview(store, object, type.toLowerCase(), stop.signal));
    };
    load().catch((reason) => {
        view.hidden = true;
        fail(reason);
    });
    const chosen = await run(dialog);
    stop.abort();
    return chosen;
}
