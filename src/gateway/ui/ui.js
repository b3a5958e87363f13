/* The page: signing in, buckets, and the objects below a prefix. Where it stands is in the address
   behind the "#", so that the browser's own back and forward work. */

import { ask, askText, openObject } from "./dialogs.js";
import { count, el, errorText, icon, shown, sizeText, timeText } from "./dom.js";
import { Store } from "./s3.js";
import { encode, hasWebCrypto } from "./sign.js";
import { Uploads } from "./upload.js";

const $ = (id) => document.getElementById(id);
const PAGE = 200, DELETE_AT_ONCE = 1000, HEADS_AT_ONCE = 6;

let store = null, uploads = null;
let place = { bucket: "", prefix: "" };
let tokens = [""]; /* of the pages up to this one */
let begins = "";   /* what names are to begin with */
let shownAt = 0;   /* which listing is the newest: an older answer is dropped */
let listing = new AbortController();

/* ---- messages ---- */

let clears = 0;
function say(text) {
    $("status").textContent = text;
    clearTimeout(clears);
    clears = setTimeout(() => { $("status").textContent = ""; }, 6000);
}

function fail(error) {
    if (error.name !== "AbortError") {
        $("error").textContent = errorText(error);
        $("error").scrollIntoView({ block: "nearest" });
    }
}

const clearError = () => { $("error").textContent = ""; };

/* What a control does; its failure is shown, and it does nothing when pressed again meanwhile. It
   is not disabled, which would lose the focus. */
function action(work) {
    let busy = false;
    return async () => {
        if (busy) {
            return;
        }
        clearError();
        busy = true;
        try {
            await work();
        } catch (error) {
            fail(error);
        } finally {
            busy = false;
        }
    };
}

const button = (text, work, attributes = {}) =>
    el("button", { type: "button", ...attributes, onclick: action(work) }, text);

/* ---- where ---- */

const hashOf = (bucket, prefix = "") =>
    "#/" + (bucket ? [bucket, ...prefix.split("/")].map(encode).join("/") : "");

function readHash() {
    try {
        const names = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
        return { bucket: names[0], prefix: names.slice(1).join("/") };
    } catch {
        return { bucket: "", prefix: "" };
    }
}

function go() {
    place = readHash();
    tokens = [""];
    begins = "";
    show(true);
}

/* ---- the two views ---- */

function columns(...names) {
    $("columns").replaceChildren(...names.map(([text, kind]) =>
        el("th", { scope: "col", class: kind }, text)));
}

function head(title, crumbs, tools) {
    $("title").textContent = title;
    document.title = `${title} – Pail`;
    $("crumbs").replaceChildren(...crumbs.map(([text, hash]) =>
        el("li", {}, el("a", { href: hash }, text))));
    $("tools").replaceChildren(...tools);
}

function fill(rows, empty) {
    $("rows").replaceChildren(...rows);
    $("empty").textContent = empty;
    $("empty").hidden = rows.length > 0;
    $("drop").querySelector("table").hidden = rows.length === 0;
}

async function show(moved = false) {
    if (!store) {
        return; /* signed out meanwhile */
    }
    const mine = ++shownAt;
    listing.abort();
    listing = new AbortController();
    clearError();
    $("browser").setAttribute("aria-busy", "true");
    try {
        await (place.bucket ? showObjects(() => mine === shownAt) : showBuckets(() => mine === shownAt));
    } catch (error) {
        if (mine === shownAt) {
            frame();
            fill([], "Nothing to show");
            $("pages").hidden = true;
            fail(error);
        }
    }
    if (mine === shownAt) {
        $("browser").removeAttribute("aria-busy");
        if (moved) {
            $("title").focus();
        }
    }
}

/* The heading and controls, which are there before and without a listing. */
function frame() {
    if (!place.bucket) {
        head("Buckets", [], [button("Refresh", () => show()), button("New bucket", newBucket,
            { class: "primary" })]);
        return;
    }
    const names = place.prefix.split("/").slice(0, -1);
    const crumbs = [["Buckets", "#/"]];
    if (names.length) {
        crumbs.push([place.bucket, hashOf(place.bucket)]);
    }
    names.slice(0, -1).forEach((name, i) => crumbs.push([shown(name) || "(empty)",
        hashOf(place.bucket, names.slice(0, i + 1).join("/") + "/")]));
    const filter = el("input", { type: "search", placeholder: "Begins with…",
        "aria-label": "Names that begin with", spellcheck: "false", autocomplete: "off" });
    filter.value = begins;
    filter.addEventListener("change", () => {
        begins = filter.value;
        tokens = [""];
        show();
    });
    head(names.length ? shown(names[names.length - 1]) || "(empty)" : place.bucket, crumbs, [
        filter, button("Refresh", () => show()),
        button("Delete", deletePicked, { class: "danger", id: "delete", disabled: true }),
        el("button", { type: "button", class: "primary", onclick: () => $("files").click() },
            "Upload")]);
}

async function showBuckets(current) {
    const buckets = await store.buckets();
    if (!current()) {
        return;
    }
    frame();
    columns(["Name"], ["Created", "time"], ["", "act"]);
    fill(buckets.map(({ name, made }) => el("tr", {},
        el("td", {}, el("span", { class: "name" }, icon("bucket"),
            el("a", { class: "link", href: hashOf(name) }, shown(name)))),
        el("td", { class: "time" }, timeText(made)),
        el("td", { class: "act" }, button("Delete", () => deleteBucket(name),
            { class: "quiet", "aria-label": `Delete bucket ${name}` })))),
    "No bucket yet that this key may see");
    $("pages").hidden = true;
}

async function showObjects(current) {
    const { prefixes, objects, next } = await store.list(place.bucket, place.prefix + begins,
        { max: PAGE, token: tokens[tokens.length - 1], signal: listing.signal });
    if (!current()) {
        return;
    }
    const focused = document.activeElement && document.activeElement.type === "search";
    frame();
    if (focused) {
        $("tools").querySelector("input").focus();
    }
    columns(["", "pick"], ["Name"], ["Size", "number"], ["Modified", "time"]);
    const all = el("input", { type: "checkbox", "aria-label": "Choose all on this page" });
    all.addEventListener("change", () => {
        boxes().forEach((box) => { box.checked = all.checked; });
        picked();
    });
    $("columns").firstElementChild.append(all);
    fill([...prefixes.map(folderRow), ...objects.map(objectRow)],
        begins ? "No name begins so" : "Empty: drop files here, or press Upload");
    $("pages").hidden = tokens.length === 1 && !next;
    $("page").textContent = `Page ${tokens.length}`;
    $("back").disabled = tokens.length === 1;
    $("next").disabled = !next;
    $("next").onclick = () => { tokens.push(next); show(true); };
    $("back").onclick = () => { tokens.pop(); show(true); };
}

const nameIn = (key) => shown(key.slice(place.prefix.length)) || "(this folder's own object)";

function row(kind, key, link, size, time) {
    const box = el("input", { type: "checkbox", "aria-label": `Choose ${nameIn(key)}` });
    box.value = key;
    box.addEventListener("change", picked);
    return el("tr", { class: kind }, el("td", { class: "pick" }, box),
        el("td", {}, el("span", { class: "name" }, icon(kind), link)),
        el("td", { class: "number" }, size), el("td", { class: "time" }, time));
}

function folderRow(prefix) {
    return row("folder", prefix,
        el("a", { class: "link", href: hashOf(place.bucket, prefix) }, nameIn(prefix)), "", "");
}

function objectRow(object) {
    const open = async () => {
        const chosen = await openObject(store, { bucket: place.bucket, ...object });
        if (chosen === "delete") {
            await deleteKeys([object.key], []);
        }
    };
    return row("file", object.key, button(nameIn(object.key), open,
        { class: "link", "aria-haspopup": "dialog" }), sizeText(object.size),
    timeText(object.time));
}

/* ---- choosing and deleting ---- */

const boxes = () => Array.from($("rows").querySelectorAll("input[type=checkbox]"));

function picked() {
    const n = boxes().filter((box) => box.checked).length;
    $("delete").disabled = n === 0;
    $("delete").textContent = n ? `Delete ${n}` : "Delete";
}

async function deletePicked() {
    const chosen = boxes().filter((box) => box.checked);
    const of = (kind) => chosen.filter((box) => box.closest("tr").className === kind)
        .map((box) => box.value);
    await deleteKeys(of("file"), of("folder"));
}

async function deleteKeys(keys, prefixes) {
    const what = [keys.length && count(keys.length, "object", "objects"),
        prefixes.length && `all below ${count(prefixes.length, "prefix", "prefixes")}`]
        .filter(Boolean).join(" and ");
    if (await ask({ title: `Delete ${what}?`, text: "This cannot be undone.", action: "Delete",
        list: [...keys, ...prefixes].map((key) => key.slice(place.prefix.length) || key) }) !== true) {
        return;
    }
    const { bucket } = place;
    let done = 0;
    const remove = async (some) => {
        const errors = some.length ? await store.deleteMany(bucket, some) : [];
        done += some.length - errors.length;
        if (errors.length) {
            throw new Error(`${count(errors.length, "object was", "objects were")} not deleted: ` +
                errors.slice(0, 3).map(shown).join("; "));
        }
        say(`${count(done, "object", "objects")} deleted`);
    };
    try {
        await remove(keys);
        for (const prefix of prefixes) {
            await deleteBelow(bucket, prefix, remove);
        }
    } finally {
        await afterwards();
    }
}

/* From the start each time: what was listed before is gone. */
async function deleteBelow(bucket, prefix, remove) {
    for (;;) {
        const page = await store.list(bucket, prefix, { delimiter: "", max: DELETE_AT_ONCE });
        await remove(page.objects.map((object) => object.key));
        if (!page.next) {
            return;
        }
    }
}

/* The listing anew, with an error that is shown staying shown. */
async function afterwards() {
    await show();
    $("title").focus();
}

async function newBucket() {
    const name = await askText({ title: "New bucket", label: "Name", action: "Create",
        hint: "3 to 63 lower-case letters, digits, dots and hyphens.",
        make: (text) => store.makeBucket(text) });
    if (name) {
        say(`Bucket ${name} created`);
        await show();
    }
}

async function deleteBucket(name) {
    if (await ask({ title: `Delete the bucket ${name}?`, action: "Delete",
        text: "Only an empty bucket can be deleted." }) === true) {
        await store.deleteBucket(name);
        say(`Bucket ${name} deleted`);
        await afterwards();
    }
}

/* ---- uploading ---- */

async function upload(files) {
    const { bucket, prefix } = place;
    clearError();
    const there = [];
    for (let at = 0; at < files.length; at += HEADS_AT_ONCE) {
        const some = files.slice(at, at + HEADS_AT_ONCE).map((file) => file.name);
        const found = await Promise.all(some.map((name) => store.head(bucket, prefix + name)));
        there.push(...some.filter((name, i) => found[i]));
    }
    let wanted = files;
    if (there.length) {
        const answer = await ask({ title: `Replace ${count(there.length, "object", "objects")}?`,
            text: "Objects of these names are there already.", list: there, action: "Replace",
            others: files.length > there.length ? [["skip", "Only the others"]] : [] });
        if (!answer) {
            return;
        }
        wanted = answer === "skip" ? files.filter((file) => !there.includes(file.name)) : files;
    }
    const items = wanted.map((file) => uploads.add(bucket, prefix + file.name, file));
    await Promise.all(items.map((item) => item.ended));
    const good = items.filter((item) => item.state === "done").length;
    say(good === items.length ? `${count(good, "file", "files")} uploaded`
        : `${good} of ${count(items.length, "file", "files")} uploaded`);
    if (place.bucket === bucket && place.prefix === prefix) {
        await show();
    }
}

function uploadRow(item) {
    const name = shown(`${item.bucket}/${item.key}`), state = el("span", { class: "state" });
    const bar = el("progress", { max: "1", "aria-label": `Upload of ${name}` });
    const stop = el("button", { type: "button", onclick: item.cancel,
        "aria-label": `Cancel the upload of ${name}` }, "Cancel");
    const node = el("li", {}, el("span", {}, name), state, stop, bar);
    item.draw = () => {
        const ended = item.state !== "waiting" && item.state !== "running";
        node.className = item.state;
        bar.value = item.size ? item.sent / item.size : 0;
        bar.hidden = stop.hidden = ended;
        state.textContent = item.state === "running"
            ? `${sizeText(item.sent)} of ${sizeText(item.size)}` : { waiting: "waiting",
                done: `done, ${sizeText(item.size)}`, cancelled: "cancelled",
                failed: item.error ? errorText(item.error) : "failed" }[item.state];
    };
    return node;
}

function uploadChanged(item) {
    if (!item.draw) {
        $("upload-list").append(uploadRow(item));
        $("uploads").hidden = false;
    }
    item.draw();
}

const isFolder = (item) => item.webkitGetAsEntry && item.webkitGetAsEntry()?.isDirectory;

function dropped(event) {
    event.preventDefault();
    $("drop").classList.remove("over");
    if (!store || !place.bucket) {
        return;
    }
    const folders = Array.from(event.dataTransfer.items || []).some(isFolder);
    if (folders) {
        fail(new Error("Folders are not uploaded here: drop their files, or use `pail cp -r`."));
    } else if (event.dataTransfer.files.length) {
        upload(Array.from(event.dataTransfer.files)).catch(fail);
    }
}

/* ---- signing in and out ---- */

async function login(event) {
    event.preventDefault();
    const form = event.currentTarget;
    $("login-error").textContent = "";
    try {
        store = await Store.open(form.elements.id.value.trim(), form.elements.secret.value.trim());
        uploads = new Uploads(store, uploadChanged);
        form.reset();
        signedIn(true);
        go();
    } catch (error) {
        $("login-error").textContent = errorText(error);
        $("key-secret").focus();
    }
}

function signedIn(yes) {
    $("login").hidden = yes;
    $("browser").hidden = !yes;
    $("logout").hidden = $("who").hidden = !yes;
    $("who").textContent = yes ? store.id : "";
    if (!yes) {
        $("key-id").focus();
    }
}

/* Nothing of the key or of what it showed stays behind. */
async function logout() {
    if (uploads.running && await ask({ title: "Sign out?", action: "Sign out",
        text: "Uploads are under way, and would be cancelled." }) !== true) {
        return;
    }
    uploads.items.forEach((item) => item.cancel());
    listing.abort();
    shownAt++;
    store = uploads = null;
    fill([], "");
    head("Pail", [], []);
    $("upload-list").replaceChildren();
    $("uploads").hidden = true;
    clearError();
    say("");
    signedIn(false);
}

function clearUploads() {
    for (const item of uploads.items) {
        if (item.state !== "waiting" && item.state !== "running") {
            uploads.items.delete(item);
        }
    }
    $("upload-list").replaceChildren(...Array.from(uploads.items, (item) => {
        const node = uploadRow(item);
        item.draw();
        return node;
    }));
    $("uploads").hidden = uploads.items.size === 0;
    $("title").focus();
}

function begin() {
    $("insecure").hidden = hasWebCrypto;
    $("login-form").addEventListener("submit", login);
    $("logout").addEventListener("click", action(logout));
    $("uploads-clear").addEventListener("click", clearUploads);
    $("files").addEventListener("change", () => {
        const files = Array.from($("files").files);
        $("files").value = "";
        upload(files).catch(fail);
    });
    addEventListener("hashchange", () => store && go());
    addEventListener("dragover", (event) => {
        event.preventDefault();
        $("drop").classList.toggle("over", Boolean(store && place.bucket));
    });
    addEventListener("dragleave", (event) => {
        if (!event.relatedTarget) {
            $("drop").classList.remove("over");
        }
    });
    addEventListener("drop", dropped);
    addEventListener("beforeunload", (event) => {
        if (uploads && uploads.running) {
            event.preventDefault();
        }
    });
    $("login").hidden = false;
    $("key-id").focus();
}

begin();
