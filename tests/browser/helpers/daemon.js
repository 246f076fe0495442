// The real daemon, started as a person would start it, with its state in a folder of its own.

import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

export const ROOT = path.resolve(import.meta.dirname, "../../..");
const LOCAL = path.join(ROOT, ".venv/bin/tellsign");
const COMMAND = process.env.TELLSIGN ?? (existsSync(LOCAL) ? LOCAL : "tellsign");
const SAMPLES = path.join(ROOT, "daemon/tellsign/demo/samples");
const MODEL = path.join(ROOT, "daemon/tellsign/weights/levit-128s");
const START_TIMEOUT = 120_000;

/** @param {number} milliseconds */
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} probe
 * @param {number} [timeout]
 * @returns {Promise<NonNullable<T>>} the first value that is not falsy
 */
export async function until(what, probe, timeout = 30_000) {
	const end = Date.now() + timeout;
	/** @type {unknown} */
	let last;
	for (;;) {
		try {
			last = await probe();
			if (last) {
				return /** @type {NonNullable<T>} */ (last);
			}
		} catch (error) {
			last = error;
		}

		if (Date.now() > end) {
			throw new Error(`waited in vain for ${what}: ${last instanceof Error ? last.message : JSON.stringify(last)}`);
		}

		await sleep(150);
	}
}

export class Daemon {
	/** @type {import("node:child_process").ChildProcess | null} */
	#process = null;
	#port = 0;
	#log = "";

	/** @param {string} state  folder */
	constructor(state) {
		this.state = state;
	}

	static async start() {
		const daemon = new Daemon(await mkdtemp(path.join(tmpdir(), "tellsign-state-")));
		await daemon.start();
		return daemon;
	}

	get address() {
		return `http://127.0.0.1:${this.#port}`;
	}

	/** What it has written by now. */
	get log() {
		return this.#log;
	}

	/** At the port of the first start, however often. */
	async start() {
		const models = path.join(this.state, "data/models");
		await installModel(models, "lenient", 2);
		await installModel(models, "strict", 0);
		const child = spawn(COMMAND, ["serve", "--port", String(this.#port), "--model", "lenient"], {
			env: this.#environment,
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.#process = child;
		for (const stream of [child.stdout, child.stderr]) {
			stream.on("data", (data) => {
				this.#log += data;
			});
		}

		/** @type {Promise<never>} */
		const broken = new Promise((_, reject) => child.once("error", reject));
		const { port } = await Promise.race([broken, until("the daemon", async () => {
			if (child.exitCode !== null) {
				throw new Error(`it stopped: ${this.#log.slice(-2000)}`);
			}

			const facts = await this.#facts();
			const health = await (await fetch(`http://127.0.0.1:${facts.port}/v1/health`)).json();
			return health.state === "ready" ? facts : null;
		}, START_TIMEOUT)]);
		this.#port = port;
	}

	async stop() {
		const child = this.#process;
		if (child && child.exitCode === null && child.signalCode === null) {
			const ended = new Promise((resolve) => child.once("exit", resolve));
			child.kill("SIGTERM");
			await ended;
		}

		this.#process = null;
	}

	/** For good. */
	async end() {
		await this.stop();
		await rm(this.state, { recursive: true, force: true });
	}

	/** @returns {Promise<string>} */
	async token() {
		const { stdout } = await promisify(execFile)(COMMAND, ["token", "test"], { env: this.#environment });
		return stdout.trim().split(/\s+/).at(-1) ?? "";
	}

	/** What `tellsign pair` does. @returns {Promise<string>} six digits */
	async pairingCode() {
		const { control } = await this.#facts();
		const response = await fetch(`${this.address}/v1/pair/code`, {
			method: "POST",
			headers: { Authorization: `Bearer ${control}` },
		});
		return (await response.json()).code;
	}

	/** What `tellsign open` says. @returns {Promise<string>} an address */
	async checkPage() {
		const { stdout } = await promisify(execFile)(COMMAND, ["open", "--no-browser"], { env: this.#environment });
		return stdout.trim().split(/\s+/).at(-1) ?? "";
	}

	/**
	 * @param {string} token
	 * @param {Buffer<ArrayBuffer>} bytes
	 * @returns {Promise<Verdict>}
	 */
	async check(token, bytes) {
		const response = await fetch(`${this.address}/v1/check?priority=user`, {
			method: "POST",
			headers: { Authorization: `Bearer ${token}` },
			body: bytes,
		});
		return response.json();
	}

	/**
	 * Switches the model, as the tray does.
	 * @param {string} token
	 * @param {"lenient" | "strict"} id
	 */
	async use(token, id) {
		await this.#put(token, "/v1/model", { id });
	}

	/**
	 * As the tray does.
	 * @param {string} token
	 * @param {boolean} paused
	 */
	async pause(token, paused) {
		await this.#put(token, "/v1/pause", { paused });
	}

	/**
	 * @param {string} token
	 * @param {string} path
	 * @param {object} setting
	 */
	async #put(token, path, setting) {
		const response = await fetch(`${this.address}${path}`, {
			method: "PUT",
			headers: { Authorization: `Bearer ${token}` },
			body: JSON.stringify(setting),
		});
		if (!response.ok) {
			throw new Error(await response.text());
		}
	}

	get #environment() {
		const data = path.join(this.state, "data");
		return { ...process.env, TELLSIGN_STATE: this.state, TELLSIGN_DATA: data, TELLSIGN_VERDICTS: "" };
	}

	/** @returns {Promise<{port: number, control: string}>} */
	async #facts() {
		return JSON.parse(await readFile(path.join(this.state, "daemon.json"), "utf8"));
	}
}

/** What a file declares is a mark of its own, which the tests of the detector's marks would count. @param {Verdict} verdict */
const saysNothing = ({ evidence }) => !evidence.some(({ declares_ai }) => declares_ai);

/** @type {Promise<number[]> | null} the bundled network's logits of the samples, the highest first */
let sampleLogits = null;

async function scoreSamples() {
	const { stdout } = await promisify(execFile)(COMMAND, ["check", "--json", SAMPLES]);
	const reports = stdout.trim().split("\n").map((line) => JSON.parse(line)).filter(saysNothing);
	return reports.map(({ logit }) => logit).sort((a, b) => b - a);
}

/**
 * The bundled network with thresholds between the samples' logits, so that every verdict occurs: what is tested is that
 * the extension shows what the daemon says, not how good the detector is.
 * @param {string} models  folder
 * @param {string} id
 * @param {number} last  the samples with the highest logits, up to this one, are suspected
 */
async function installModel(models, id, last) {
	const folder = path.join(models, id);
	await cp(MODEL, folder, { recursive: true });
	const logits = await (sampleLogits ??= scoreSamples());
	/** @param {number} index */
	const after = (index) => ({ probability: 1 / (1 + Math.exp(-(logits[index] + logits[index + 1]) / 2)) });
	const calibration = { platt: { a: -1, b: 0 }, thresholds: { suspected: after(last), unsure: after(last + 1) } };
	const config = JSON.parse(await readFile(path.join(folder, "config.json"), "utf8"));
	await writeFile(path.join(folder, "config.json"), JSON.stringify({ ...config, id }));
	await writeFile(path.join(folder, "calibration.json"), JSON.stringify(calibration));
	/** @type {Record<string, string>} */
	const digests = {};
	for (const name of ["config.json", "model.safetensors", "calibration.json", "README.md"]) {
		digests[name] = createHash("sha256").update(await readFile(path.join(folder, name))).digest("hex");
	}

	await writeFile(path.join(folder, "digests.json"), JSON.stringify(digests));
}

/**
 * @typedef {object} Sample
 * @property {string} file
 * @property {Buffer<ArrayBuffer>} bytes
 * @property {Verdict} verdict  what the daemon says of the same bytes
 */

/**
 * A JPEG whose XMP says that AI made it.
 * @param {Buffer<ArrayBuffer>} jpeg
 */
export function declaringAi(jpeg) {
	const xmp = Buffer.from(`http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
		xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
		xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType=
		"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>`, "latin1");
	const head = Buffer.from([0xff, 0xe1, 0, 0]);
	head.writeUInt16BE(xmp.length + 2, 2);
	return Buffer.concat([jpeg.subarray(0, 2), head, xmp, jpeg.subarray(2)]);
}

/**
 * The sample pictures of `tellsign demo` that declare nothing, with the daemon's own word about each.
 * @param {Daemon} daemon
 * @param {string} token
 * @returns {Promise<Sample[]>}
 */
export async function readSamples(daemon, token) {
	/** @type {{file: string}[]} */
	const list = JSON.parse(await readFile(path.join(SAMPLES, "samples.json"), "utf8"));
	const samples = [];
	for (const { file } of list) {
		const bytes = /** @type {Buffer<ArrayBuffer>} */ (await readFile(path.join(SAMPLES, file)));
		samples.push({ file, bytes, verdict: await daemon.check(token, bytes) });
	}

	return samples.filter(({ verdict }) => saysNothing(verdict));
}
