// What is known about the daemon now. A daemon that is off costs nothing: questions are answered at once, and it is
// looked for again after a pause that doubles.

import * as daemon from "./daemon.js";
import { eventNames } from "./events.js";
import { readPairing, savePairing } from "./pairing.js";
import { text } from "../shared/i18n.js";
import { readSettings } from "../shared/settings.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
const WAKE_PAUSE = 2000;

export class Connection extends EventTarget {
	/** @type {DaemonStatus} */
	status = "unknown";
	/** @type {ModelInfo | null} */
	model = null;
	message = "";
	/** @type {Pairing} */
	pairing = { address: "", token: "" };

	/** @type {Promise<void> | null} */
	#probe = null;
	#lastProbe = 0;
	#pause = FIRST_PAUSE;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#timer;
	/** @type {AbortController | null} */
	#stream = null;

	/** Resolves when the status says something; asks the daemon only if it is time to. */
	async settle() {
		if (this.#probe || this.status === "unknown") {
			await this.probe();
		}

		return this.status;
	}

	/** A person is looking: ask now, whatever the pause. */
	async wake() {
		if (this.#probe || Date.now() - this.#lastProbe > WAKE_PAUSE) {
			await this.probe();
		}
	}

	/** Asks the daemon now. @returns {Promise<void>} */
	probe() {
		this.#probe ??= this.#ask().finally(() => {
			this.#probe = null;
		});
		return this.#probe;
	}

	/** Address or pairing changed: nothing known holds. */
	async restart() {
		await this.#probe;
		this.#become("unknown");
		await this.probe();
	}

	/** A call failed: the daemon went away, forgot us, or was updated without us. @param {daemon.DaemonError} error */
	failed(error) {
		const status = daemon.STATUS_OF[error.code];
		if (status) {
			this.#become(status, status === "outdated" ? text(`outdated_${error.code}`) : "");
		}

		if (status === "paused") {
			this.probe(); // the event that ended it may have come before this answer
		}
	}

	/** For every browser and the tray. @param {boolean} paused */
	async pause(paused) {
		try {
			await daemon.pause(this.pairing, paused);
			await this.#readState();
		} catch (error) {
			this.failed(/** @type {daemon.DaemonError} */ (error));
		}
	}

	async #ask() {
		clearTimeout(this.#timer);
		this.#lastProbe = Date.now();
		this.pairing = await readPairing();
		const { address: fixed } = await readSettings();
		const address = await daemon.discover(fixed, this.pairing.address);
		if (!address) {
			this.#become("off");
			return;
		}

		if (!this.pairing.token) {
			this.pairing = { address, token: "" };
			this.#become("unpaired");
			return;
		}

		if (address !== this.pairing.address) {
			this.pairing = { ...this.pairing, address };
			await savePairing(this.pairing);
		}

		try {
			await this.#readState();
			this.#listen();
		} catch (error) {
			this.failed(/** @type {daemon.DaemonError} */ (error));
		}
	}

	async #readState() {
		const { pairing } = this;
		const [{ current, state, message }, paused] = await Promise.all([daemon.model(pairing), daemon.isPaused(pairing)]);
		this.model = current;
		const ready = paused ? "paused" : "ready";
		this.#become(state === "ready" ? ready : state === "failed" ? "failed" : "starting", message);
	}

	/** Hears of another model and of a pause at once; its end is how we notice that the daemon stopped. */
	async #listen() {
		if (this.#stream) {
			return;
		}

		const stream = new AbortController();
		let pause = LONGEST_PAUSE;
		this.#stream = stream;
		try {
			const response = await daemon.call(this.pairing, "/v1/events", { signal: stream.signal });
			pause = FIRST_PAUSE;
			for await (const name of eventNames(response)) {
				if (["hello", "model", "state", "pause"].includes(name)) {
					await this.#readState();
				}
			}
		} catch {
			// Falls through: whatever ended the stream, look again.
		}

		if (this.#stream === stream) {
			this.#stream = null;
			this.#timer = setTimeout(() => this.probe(), pause);
		}
	}

	/**
	 * @param {DaemonStatus} status
	 * @param {string} message
	 */
	#become(status, message = "") {
		const connected = ["ready", "paused", "starting", "failed"].includes(status);
		if (!connected) {
			this.model = null;
			this.#stream?.abort();
			this.#stream = null;
		}

		this.status = status;
		this.message = message;
		clearTimeout(this.#timer);
		if ((status === "off" || status === "outdated") && this.pairing.token) {
			this.#timer = setTimeout(() => this.probe(), this.#pause);
			this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
		} else if (connected) {
			this.#pause = FIRST_PAUSE;
		}

		this.dispatchEvent(new Event("change"));
	}
}
