/* Elements made of data: whatever a key or an error holds becomes text, never markup. */

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
    bucket: "M3 6h14l-1.600 11H4.600zM5 6a5 4 0 0 1 10 0",
    folder: "M2.500 15.500v-11h5l2 2h8v9z",
    file: "M5 2.500h6.500l4 4v11H5zM11.500 2.500v4h4",
};

/* el("a", { href, class, "aria-label", onclick, disabled: true }, "text", node, ...) */
export function el(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) {
            node.addEventListener(key.slice(2), value);
        } else if (value === true) {
            node.setAttribute(key, "");
        } else if (value !== false && value !== undefined) {
            node.setAttribute(key, value);
        }
    }
    node.append(...children);
    return node;
}

export function icon(name) {
    const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
    svg.setAttribute("viewBox", "0 0 20 20");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", SHAPES[name]);
    svg.append(path);
    return svg;
}

/* A name with nothing in it that hides or turns the text around it: characters of control and of
   direction as their code. */
export function shown(name) {
    return name.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
        (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

export function sizeText(bytes) {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let n = bytes, unit = 0;
    while (n >= 1024 && unit < units.length - 1) {
        n /= 1024;
        unit++;
    }
    return `${unit === 0 ? n : n.toFixed(n < 10 ? 1 : 0)} ${bytes === 1 ? "byte" : units[unit]}`;
}

export function timeText(time) {
    const date = new Date(time);
    return Number.isNaN(date.getTime()) || date.getTime() <= 0 ? "–"
        : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

export const count = (n, one, many) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

export function errorText(error) {
    return error.code ? `${error.message} (${error.code})` : String(error.message || error);
}
