// A small web site to look at: a feed, a strict page, a page with foreign pictures.

import { createServer } from "node:http";

const STYLE = `
	body { margin: 0 auto; max-width: 640px; padding: 16px; font: 16px/1.5 sans-serif; background: #eef0f3; }
	article { margin: 0 0 24px; padding: 14px; background: #fff; border-radius: 12px; }
	article img { display: block; width: 100%; height: 380px; object-fit: cover; border-radius: 8px; }
	h2 { margin: 0 0 8px; font-size: 16px; }
	.far { height: 2600px; }
	.scroller { height: 300px; overflow: auto; }
`;

/** Appends more posts, three at a time, when the end comes near. */
const ENDLESS = `
	const names = JSON.parse(document.body.dataset.more);
	let count = 0;
	new IntersectionObserver(([{ isIntersecting }]) => {
		for (let i = 0; isIntersecting && i < 3 && count < names.length; i++, count++) {
			const post = document.createElement("article");
			const picture = document.createElement("img");
			picture.src = names[count];
			post.append(picture);
			document.querySelector("#end").before(post);
		}
	}, { rootMargin: "300px" }).observe(document.querySelector("#end"));
`;

export class Site {
	/** @type {string[]} paths that were asked for */
	requests = [];

	/** @param {import("./daemon.js").Sample[]} samples */
	constructor(samples) {
		this.samples = samples;
		this.server = createServer((request, response) => this.#answer(request, response));
	}

	/** @param {import("./daemon.js").Sample[]} samples */
	static async start(samples) {
		const site = new Site(samples);
		await new Promise((resolve) => site.server.listen(0, "127.0.0.1", () => resolve(undefined)));
		return site;
	}

	stop() {
		this.server.closeAllConnections();
		this.server.close();
	}

	get port() {
		return /** @type {import("node:net").AddressInfo} */ (this.server.address()).port;
	}

	get address() {
		return `http://127.0.0.1:${this.port}`;
	}

	/**
	 * @param {import("node:http").IncomingMessage} request
	 * @param {import("node:http").ServerResponse} response
	 */
	#answer(request, response) {
		const url = new URL(request.url ?? "", this.address);
		this.requests.push(url.pathname + url.search);
		const sample = this.samples.find(({ file }) => url.pathname === `/pictures/${file}`);
		if (sample) {
			response.writeHead(200, { "Content-Type": "image/jpeg", "Cache-Control": "max-age=60" });
			response.end(sample.bytes);
		} else if (url.pathname === "/style.css") {
			response.writeHead(200, { "Content-Type": "text/css" });
			response.end(STYLE);
		} else if (url.pathname.startsWith("/page/")) {
			this.#page(url, response);
		} else {
			response.writeHead(url.pathname === "/favicon.ico" ? 204 : 404);
			response.end();
		}
	}

	/**
	 * /page/NAME?pictures=FILE,FILE: `plain`, `lazy` (the second half far below), `endless` (the second half comes on
	 * scrolling), `strict` (content policy), `foreign` (pictures from ?from=ORIGIN).
	 * @param {URL} url
	 * @param {import("node:http").ServerResponse} response
	 */
	#page(url, response) {
		const name = url.pathname.split("/")[2];
		const from = url.searchParams.get("from") ?? "";
		const files = (url.searchParams.get("pictures") ?? "").split(",").filter(Boolean);
		const urls = files.map((file) => `${from}/pictures/${file}?on=${name}`);
		const cut = name === "lazy" || name === "endless" ? Math.ceil(urls.length / 2) : urls.length;
		const post = (/** @type {string} */ source, lazy = "") =>
			`<article><h2>A post</h2><img ${lazy} alt="" src="${source}"></article>`;
		const rest = urls.slice(cut);
		const later = name === "lazy"
			? `<div class="far"></div>${rest.map((one) => post(one, 'loading="lazy"')).join("")}`
			: name === "endless" ? `<div id="end">end</div><script>${ENDLESS}</script>` : "";
		const policy = name === "strict" ? { "Content-Security-Policy": "default-src 'self'" } : {};
		response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", ...policy });
		response.end(`<!doctype html><html lang="en"><title>${name}</title><link rel="stylesheet" href="/style.css">
			<link rel="icon" href="data:,"><body data-more='${JSON.stringify(rest)}'>
			${urls.slice(0, cut).map((one) => post(one)).join("")}${later}</body></html>`);
	}

	/**
	 * @param {string} name
	 * @param {import("./daemon.js").Sample[]} samples
	 * @param {string} [from]  origin of the pictures
	 */
	url(name, samples, from = "") {
		return `${this.address}/page/${name}?from=${from}&pictures=${samples.map(({ file }) => file).join(",")}`;
	}
}
