// The background's parts that need no browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DaemonError, patiently } from "../../extension/background/daemon.js";
import { CheckQueue } from "../../extension/background/queue.js";
import { mayFetch, sameSite } from "../../extension/background/spaces.js";
import { loopbackAddress } from "../../extension/shared/settings.js";

const PUBLIC = "https://news.example/page";

test("a public page may use public pictures only", () => {
	const inside = ["http://127.0.0.1/a.png", "http://localhost:3000/a.png", "http://x.localhost/a.png", "http://[::1]/a.png",
		"http://0.0.0.0/a.png", "http://2130706433/a.png", "http://0x7f.1/a.png", "http://[::ffff:127.0.0.1]/a.png",
		"http://[::ffff:10.0.0.1]/a.png", "http://[64:ff9b::192.168.0.1]/a.png", "http://10.1.2.3/a.png",
		"http://172.16.0.1/a.png", "http://172.31.255.1/a.png", "http://192.168.1.1/a.png", "http://169.254.169.254/a.png",
		"http://100.64.0.1/a.png", "http://[fd00::1]/a.png", "http://[fe80::1]/a.png", "http://router/a.png",
		"http://nas.local/a.png", "http://nas.local./a.png", "http://printer.lan/a.png"];
	for (const picture of inside) {
		assert.equal(mayFetch(picture, PUBLIC), false, picture);
		assert.equal(mayFetch(picture, undefined), false, picture);
		assert.equal(mayFetch(picture, "file:///home/me/page.html"), false, picture);
	}

	for (const picture of ["https://cdn.example/a.png", "http://172.32.0.1/a.png", "http://[2606:4700::1]/a.png"]) {
		assert.equal(mayFetch(picture, PUBLIC), true, picture);
	}
});

test("a private page may use its own space and more public ones", () => {
	assert.equal(mayFetch("http://127.0.0.1:8000/a.png", "http://localhost:9000/"), true);
	assert.equal(mayFetch("http://192.168.1.7/a.png", "http://nas.local/"), true);
	assert.equal(mayFetch("http://127.0.0.1/a.png", "http://nas.local/"), false);
	assert.equal(mayFetch("https://cdn.example/a.png", "http://127.0.0.1/"), true);
});

test("only http and https are fetched", () => {
	for (const picture of ["file:///etc/passwd", "ftp://cdn.example/a.png", "moz-extension://x/a.png", "about:blank", "nonsense"]) {
		assert.equal(mayFetch(picture, PUBLIC), false, picture);
	}
});

test("cookies go to the page's own site only", () => {
	assert.equal(sameSite("https://img.news.example/a.png", PUBLIC), true);
	assert.equal(sameSite("https://news.example/a.png", "https://www.news.example/"), true);
	assert.equal(sameSite("https://tracker.example/a.png", PUBLIC), false);
	assert.equal(sameSite("https://evilnews.example/a.png", PUBLIC), false);
	assert.equal(sameSite("https://a.com/a.png", "https://com/"), false);
});

test("an address of the daemon is on this machine, or it is none", () => {
	assert.equal(loopbackAddress("http://127.0.0.1:28417/pair#123456"), "http://127.0.0.1:28417");
	assert.equal(loopbackAddress("http://localhost:1"), "http://localhost:1");
	for (const address of ["https://127.0.0.1:1", "http://127.0.0.1.evil.example", "http://u@127.0.0.1", "http://10.0.0.1", "x", ""]) {
		assert.equal(loopbackAddress(address), null, address);
	}
});

test("what passes is asked again, not for ever; what does not is told at once", async () => {
	/** @param {string} code @param {number} times  that it is refused */
	const ask = async (code, times) => {
		let asked = 0;
		const answer = patiently(async () => {
			asked++;
			if (asked <= times) {
				throw new DaemonError(code, "", 0.001);
			}

			return "seen";
		}).catch((error) => error.code);
		return [await answer, asked];
	};
	assert.deepEqual(await ask("busy", 3), ["seen", 4]);
	assert.deepEqual(await ask("loading", 1), ["seen", 2]);
	assert.deepEqual(await ask("loading", 9), ["loading", 4]);
	assert.deepEqual(await ask("deadline", 1), ["deadline", 1]);
});

test("the queue: a few at a time, the person first, then the visible, each key once", async () => {
	const queue = new CheckQueue(2);
	/** @type {string[]} */
	const started = [];
	/** @type {Map<string, () => void>} */
	const finish = new Map();
	/** @param {string} key @param {Priority} priority */
	const ask = (key, priority, owner = "1/0/") => queue.ask(key, priority, owner, () => {
		started.push(key);
		return new Promise((resolve) => {
			finish.set(key, () => resolve({ status: "error", code: key, message: "" }));
		});
	});
	const end = async (/** @type {string} */ key) => {
		finish.get(key)?.();
		await new Promise((resolve) => setImmediate(resolve));
	};
	const first = ask("a", "background");
	const again = ask("a", "visible");
	ask("b", "background");
	ask("late", "background");
	ask("later", "background");
	ask("seen", "visible");
	ask("asked", "user");
	const gone = ask("gone", "user", "2/0/");
	assert.deepEqual(started, ["a", "b"]);
	queue.drop("2/");
	assert.deepEqual(await gone, { status: "dropped" });
	ask("later", "visible");
	for (const key of ["a", "b", "asked", "seen", "later", "late"]) {
		await end(key);
	}

	assert.deepEqual(started, ["a", "b", "asked", "later", "seen", "late"]);
	assert.equal(await first, await again);
});
