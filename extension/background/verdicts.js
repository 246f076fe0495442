import "../shared/browser.js";

const LIMIT = 1000;
const SAVE_AFTER = 500;

/** What verdicts depend on: weights, and how they are calibrated. @param {Pick<ModelInfo, "digest" | "calibration">} model */
export const versionOf = ({ digest, calibration }) => `${digest} ${calibration}`;

/**
 * Verdicts of one model by picture, least recently used out first. Lives in storage.session, so that it outlives the
 * service worker but not the browser: nothing of where a person has been is written to disk.
 */
export class VerdictCache {
	/** @type {Map<string, Verdict>} */
	#verdicts = new Map();
	#version = "";
	/** @type {Promise<void> | undefined} */
	#loading;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#saving;

	/**
	 * @param {string} key
	 * @param {string} version  of the model in use: another one's verdicts are dropped
	 */
	async get(key, version) {
		await this.#load(version);
		const verdict = this.#verdicts.get(key);
		if (verdict) {
			this.#verdicts.delete(key);
			this.#verdicts.set(key, verdict);
		}

		return verdict;
	}

	/**
	 * @param {string} key
	 * @param {Verdict} verdict
	 */
	async set(key, { verdict, probability, reason, model, calibration, evidence }) {
		await this.#load(versionOf({ ...model, calibration }));
		this.#verdicts.set(key, { verdict, probability, reason, model, calibration, evidence });
		if (this.#verdicts.size > LIMIT) {
			const [oldest] = this.#verdicts.keys();
			this.#verdicts.delete(oldest);
		}

		this.#saving ??= setTimeout(() => this.#save(), SAVE_AFTER);
	}

	/** @param {string} version */
	async #load(version) {
		this.#loading ??= browser.storage.session.get("verdicts").then(({ verdicts }) => {
			const saved = /** @type {{version: string, entries: [string, Verdict][]} | undefined} */ (verdicts);
			this.#version = saved?.version ?? "";
			this.#verdicts = new Map(saved?.entries);
		});
		await this.#loading;
		if (this.#version !== version) {
			this.#version = version;
			this.#verdicts.clear();
		}
	}

	async #save() {
		this.#saving = undefined;
		const verdicts = { version: this.#version, entries: [...this.#verdicts] };
		// Over quota: the cache is a convenience, it then lives in memory only.
		await browser.storage.session.set({ verdicts }).catch(() => {});
	}
}
