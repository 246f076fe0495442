import "../shared/browser.js";

const LIMIT = 1000;
const SAVE_AFTER = 500;

/**
 * Verdicts of one model by picture, least recently used out first. Lives in storage.session, so that it outlives the
 * service worker but not the browser: nothing of where a person has been is written to disk.
 */
export class VerdictCache {
	/** @type {Map<string, Verdict>} */
	#verdicts = new Map();
	#digest = "";
	/** @type {Promise<void> | undefined} */
	#loading;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#saving;

	/**
	 * @param {string} key
	 * @param {string} digest  of the model in use: another one's verdicts are dropped
	 */
	async get(key, digest) {
		await this.#load(digest);
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
	async set(key, { verdict, probability, reason, model, evidence }) {
		await this.#load(model.digest);
		this.#verdicts.set(key, { verdict, probability, reason, model, evidence });
		if (this.#verdicts.size > LIMIT) {
			const [oldest] = this.#verdicts.keys();
			this.#verdicts.delete(oldest);
		}

		this.#saving ??= setTimeout(() => this.#save(), SAVE_AFTER);
	}

	/** @param {string} digest */
	async #load(digest) {
		this.#loading ??= browser.storage.session.get("verdicts").then(({ verdicts }) => {
			const saved = /** @type {{digest: string, entries: [string, Verdict][]} | undefined} */ (verdicts);
			this.#digest = saved?.digest ?? "";
			this.#verdicts = new Map(saved?.entries);
		});
		await this.#loading;
		if (this.#digest !== digest) {
			this.#digest = digest;
			this.#verdicts.clear();
		}
	}

	async #save() {
		this.#saving = undefined;
		const verdicts = { digest: this.#digest, entries: [...this.#verdicts] };
		// Over quota: the cache is a convenience, it then lives in memory only.
		await browser.storage.session.set({ verdicts }).catch(() => {});
	}
}
